"""What leaves: files become sealed photos, and go as they are or as copies that tell less.

file -> originals -> catalogue (still and clip are one) -> copies (each contact's form) -> outbox
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from ..crypto.errors import KinlightError
from ..protocol.attributes import AttributeDemand
from ..protocol.errors import DeniedError
from ..protocol.opening import LocalDevice
from ..protocol.photo import Metadata
from . import forms, livephotos, names, sources
from .ahead import Work, in_order
from .blobstore import BlobStore
from .catalogue import Catalogue, ImportedFile
from .cataloguing import Cataloguer
from .checks import Checker
from .commits import Commits
from .contact_errors import BlockedContactError
from .copies import Copies, Sendable
from .errors import UnreadableFileError
from .forms import ORIGINAL, Form
from .grants import VIEW, Terms
from .library import Contact, Delivery, Library, Photo
from .open_grants import OPEN, OpenGrants
from .originals import Originals, Taken
from .outbox import Outbox
from .photo_errors import NotOursError
from .removing import Remover
from .rules import Rules
from .views_sharing import ShareItem, ShareProgress

NOBODY: Final = bytes(32)
"""For whom the owner's rules are asked where nothing is known of who will have a photo."""
LOOKED_FIRST: Final = 32
"""Files in a share up to which each is looked at before it goes, to say what it tells. More go at
once, and are looked at when there is time: docs/decisions/0019-originals-go-first.md."""
CLIP: Final = "clip"
"""In the words of what was left out: the other half of a live photo."""
LINKED: Final = "linked"
"""The state of an item that a link leads to: nothing was sent to anybody yet."""
LINK: Final = "link"
"""To whom it goes, in the place of a contact's name."""
WITHOUT_PLACE: Final = "no-location"
"""The policy for whoever has an attribute, if none is said: nobody's own counts, as who it will be
is not known."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who gets it, what of it (policy None: as each contact's says), until when, and for what.

    Whatever is asked for, nobody gets more than `at_most`.
    """

    contacts: list[Contact]
    policy: str | None = None
    max_px: int | None = None
    until: int | None = None
    operations: frozenset[str] = field(default=VIEW)
    at_most: Form = ORIGINAL
    watermark: bool = False

    def form(self, contact: Contact) -> Form:
        """In which form a contact gets it."""
        policy = self.policy or contact.metadata
        return forms.asked(policy, self.max_px, self.watermark).within(self.at_most)

    def terms(self, form: Form) -> Terms:
        """What the grant of that form says."""
        return Terms(form.rendition, self.until, self.operations)

    def check(self) -> None:
        """Raise `BlockedContactError` if one of the contacts gets nothing."""
        for contact in self.contacts:
            if contact.blocked:
                raise BlockedContactError(contact.name)


@dataclass(frozen=True, slots=True)
class OpenWish:
    """The same for whoever meets the demands, which `to` says in words."""

    demands: tuple[AttributeDemand, ...]
    to: str
    policy: str | None = None
    max_px: int | None = None
    until: int | None = None
    operations: frozenset[str] = field(default=VIEW)

    @property
    def form(self) -> Form:
        """In which form everybody gets it."""
        return forms.asked(self.policy or WITHOUT_PLACE, self.max_px)

    def terms(self, form: Form) -> Terms:
        """What the grant of that form says."""
        return Terms(form.rendition, self.until, self.operations, self.demands)


@dataclass(frozen=True, slots=True)
class LinkWish:
    """The same for whoever has a link, of whom nothing is known."""

    form: Form


@dataclass(frozen=True, slots=True)
class _Taking:
    """How files are taken: read whether they changed or not, looked at before they go."""

    rehash: bool
    looked: bool
    checked: bool = False
    """Looked at for signs of editing, which keeps nothing from going."""


class Sharing:
    """Takes files and hands to the outbox what may leave of them."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        originals: Originals,
        commits: Commits,
        blobs: BlobStore,
        library: Library,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        copies: Copies,
        checker: Checker,
        rules: Rules,
        outbox: Outbox,
        open_grants: OpenGrants,
        remover: Remover,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._originals = originals
        self._commits = commits
        self._blobs = blobs
        self._library = library
        self._catalogue = catalogue
        self._cataloguer = cataloguer
        self._copies = copies
        self._checker = checker
        self._rules = rules
        self._outbox = outbox
        self._open_grants = open_grants
        self._remover = remover
        self._now = now

    async def run(
        self, paths: list[Path], wish: Wish, *, rehash: bool = False, check: bool = False
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """Seal and queue each file for each contact; yields one item per file and contact.

        The clip of a live photo goes with its still, or is left out with it. A file that can't be
        shared yields `failed` items and the others go on. A file that was shared or imported before
        and has not changed since is not read again, unless `rehash` says so. With `check` it is
        looked at for signs of editing first.
        """
        wish.check()
        closed: list[OSError] = []
        files = sources.files_in(paths, closed.append)
        groups = await asyncio.to_thread(lambda: list(_together(files)))
        for error in closed:  # else nobody would notice that a folder's photos did not go
            reason = UnreadableFileError(f"{names.shown(error.filename)}, {error.strerror}")
            for contact in wish.contacts:
                yield _failed(error.filename, contact.name, wish.form(contact), reason)
        looked = sum(map(len, groups)) <= LOOKED_FIRST or self._rules.there
        taking = _Taking(rehash, looked or check, check)
        jobs = (partial(self._send, files, wish, taking) for files in groups)
        async with contextlib.aclosing(in_order(jobs)) as steps:
            async for step in steps:
                yield step

    async def grant(
        self, photos: list[Photo], wish: Wish
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """The same for photos that are here: a clip goes with its still.

        A copy stands for its source in its own form: what is noted of the source, and what the
        rules say of it, counts for all that is made of it.
        """
        wish.check()
        jobs = (partial(self._grant, photo, wish) for photo in photos)
        async with contextlib.aclosing(in_order(jobs)) as steps:
            async for step in steps:
                yield step

    async def grant_open(
        self, photos: list[Photo], wish: OpenWish
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """The same for whoever meets the demands: those contacts who do now, and who will.

        Yields one item for each grant and one for each contact.
        """
        jobs = (partial(self._grant_open, photo, wish) for photo in photos)
        async with contextlib.aclosing(in_order(jobs)) as steps:
            async for step in steps:
                yield step

    async def for_link(
        self, paths: list[Path], wish: LinkWish, *, rehash: bool = False
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """Take files and make the copies that a link may lead to; yields one item for each.

        The owner's rules are asked as for somebody of whom nothing is known.
        """
        closed: list[OSError] = []
        files = sources.files_in(paths, closed.append)
        groups = await asyncio.to_thread(lambda: list(_together(files)))
        for error in closed:
            reason = UnreadableFileError(f"{names.shown(error.filename)}, {error.strerror}")
            yield _failed(error.filename, LINK, wish.form, reason)
        taking = _Taking(rehash, looked=True)
        jobs = (partial(self._link, files, wish, taking) for files in groups)
        async with contextlib.aclosing(in_order(jobs)) as steps:
            async for step in steps:
                yield step

    # Files.

    async def _link(
        self, files: list[Path], wish: LinkWish, taking: _Taking, work: Work
    ) -> list[ShareItem]:
        items: list[ShareItem] = []
        new: list[bytes] = []
        try:
            for path in files:
                form = wish.form
                try:
                    photo = await self._take(path, new, taking, work)
                    form = self._rules.form(photo.photo_id, NOBODY, form, VIEW)
                    sendable = await self._copies.under(form, photo, work.reporter(str(path)))
                except KinlightError as error:
                    items.append(_failed(str(path), LINK, form, error))
                else:
                    item = _item(str(path), sendable, LINK, form)
                    items.append(dataclasses.replace(item, state=LINKED))
        finally:
            if work.stopped or any(item.state == "failed" for item in items):
                kept = {item.photo_id for item in items if item.state == LINKED}
                await self._remover.undo(each for each in new if each.hex() not in kept)
        return items

    async def _send(
        self, files: list[Path], wish: Wish, taking: _Taking, work: Work
    ) -> list[ShareItem]:
        """Files that may be halves of one live photo, or just one."""
        items: list[ShareItem] = []
        taken: dict[Path, Photo] = {}
        new: list[bytes] = []
        try:
            for path in files:
                try:
                    taken[path] = await self._take(path, new, taking, work)
                except KinlightError as error:
                    items += (
                        _failed(str(path), contact.name, wish.form(contact), error)
                        for contact in wish.contacts
                    )
            here = {photo.photo_id: path for path, photo in taken.items()}
            for path, photo in taken.items():
                if self._catalogue.still_of(photo.photo_id) not in here:
                    verdict = await self._check(photo) if taking.checked else None
                    shared = await self._share(str(path), photo, wish, work, here, taking.looked)
                    items += (dataclasses.replace(item, verdict=verdict) for item in shared)
        finally:
            if work.stopped or any(item.state == "failed" for item in items):
                await self._remover.undo(new)
        return items

    async def _check(self, photo: Photo) -> str | None:
        with contextlib.suppress(KinlightError):  # it is shared whether it can be looked at or not
            return (await self._checker.check(photo)).verdict
        return None

    async def _take(self, path: Path, new: list[bytes], taking: _Taking, work: Work) -> Photo:
        """The photo of a file, looked at and joined with its other half; `new` if it was made."""
        self._cataloguer.others_first()
        known = self._catalogue.file(path)
        photo = None
        if known is not None and not taking.rehash:
            photo = await self._unchanged(path, known)
        if photo is not None:
            file = known
        else:
            taken = await self._read(path, known, work)
            photo, file = taken.photo, taken.file
            if taken.new:
                new.append(photo.photo_id)
        if taking.looked:
            with contextlib.suppress(KinlightError):  # it is shared whether it opens or not
                await self._cataloguer.look(photo, path)
        if file is not None and file != known:
            now = self._now()
            await self._commits.run(lambda: self._catalogue.put_file(path, file, None, now))
        return photo

    async def _read(self, path: Path, known: ImportedFile | None, work: Work) -> Taken:
        """Read a file that is new or has changed, or that is to be read in any case."""

        def same(photo: Photo, metadata: Metadata) -> bool:
            """Ours, under the name of the file, or what it was imported as under another."""
            return self._originals.is_original(photo) and (
                photo.metadata.name == metadata.name
                or (known is not None and photo.photo_id == known.photo_id)
            )

        return await self._originals.take(path, work.reporter(str(path)), same)

    async def _unchanged(self, path: Path, known: ImportedFile) -> Photo | None:
        """The photo of a file that is as it was when it was taken before, without reading it."""
        if not known.marks.unchanged(await asyncio.to_thread(sources.marks, path)):
            return None
        photo = self._library.photo(known.photo_id)
        if photo is None or not self._originals.is_original(photo):
            return None
        return photo if photo.record.content_id in self._blobs else None

    # Photos that are here.

    async def _grant(self, photo: Photo, wish: Wish, work: Work) -> list[ShareItem]:
        file = photo.photo_id.hex()
        if photo.author != self._device.identity:
            return [
                _failed(file, contact.name, wish.form(contact), NotOursError(), photo)
                for contact in wish.contacts
            ]
        source, form = self._copies.origin(photo)
        with contextlib.suppress(KinlightError):  # as above
            await self._cataloguer.look(source)
        narrowed = dataclasses.replace(wish, at_most=form)
        return await self._share(file, source, narrowed, work, {}, looked=True)

    async def _grant_open(self, photo: Photo, wish: OpenWish, work: Work) -> list[ShareItem]:
        file = photo.photo_id.hex()
        if photo.author != self._device.identity:
            return [_failed(file, wish.to, wish.form, NotOursError(), photo)]
        source, at_most = self._copies.origin(photo)
        with contextlib.suppress(KinlightError):  # as above
            await self._cataloguer.look(source)
        form = wish.form.within(at_most)
        clip_id = self._catalogue.clip_of(source.photo_id)
        clip = None if clip_id is None else self._library.photo(clip_id)
        whole = clip is not None and form == ORIGINAL
        halves = [(file, source)]
        if clip is not None and whole:
            halves.append((clip.metadata.name, clip))
        items: list[ShareItem] = []
        for name, half in halves:
            try:
                sendable = await self._copies.under(form, half, work.reporter(name))
            except KinlightError as error:
                items.append(_failed(name, wish.to, form, error, half))
                continue
            if clip is not None and not whole:
                sendable = sendable.without(CLIP)
            items += self._open(name, sendable, form, wish)
        return items

    def _open(
        self, file: str, sendable: Sendable, form: Form, wish: OpenWish
    ) -> Iterable[ShareItem]:
        grant = self._open_grants.give(sendable.photo, wish.terms(form))
        item = _item(file, sendable, wish.to, form)
        yield dataclasses.replace(item, grant=grant.grant_hash.hex())
        for contact, found in self._open_grants.offer(grant):
            if isinstance(found, Delivery):
                yield _item(file, sendable, contact.name, form, found)
            else:
                yield _failed(file, contact.name, form, found, sendable.photo)

    # One photo.

    async def _share(
        self,
        file: str,
        photo: Photo,
        wish: Wish,
        work: Work,
        here: dict[bytes, Path],
        looked: bool,
    ) -> list[ShareItem]:
        """A photo in each form; `here` are the files of this share, by their photos."""
        items: list[ShareItem] = []
        clip_id = self._catalogue.clip_of(photo.photo_id)
        clip = None if clip_id is None else self._library.photo(clip_id)
        by_form: dict[Form, list[Contact]] = {}
        for contact in wish.contacts:
            try:
                by_form.setdefault(self._form(photo, contact, wish), []).append(contact)
            except KinlightError as error:
                items.append(_failed(file, contact.name, wish.form(contact), error, photo))
        for form, contacts in by_form.items():
            halves = [(file, photo, contacts)]
            whole: list[Contact] = []
            if clip is not None and form == ORIGINAL:
                whole = [contact for contact in contacts if self._goes_whole(clip, contact, wish)]
                halves.append((str(here.get(clip.photo_id, clip.metadata.name)), clip, whole))
            for name, half, getting in halves:
                # What bears a mark is another copy for each of them.
                for alike in [[each] for each in getting] if form.watermarked else [getting]:
                    try:
                        if not alike:
                            continue
                        sendable = await self._copies.under(
                            form, half, work.reporter(name), looked=looked,
                            recipient=alike[0].identity,
                        )  # fmt: skip
                    except KinlightError as error:
                        items += (_failed(name, each.name, form, error, half) for each in alike)
                        continue
                    for contact in alike:
                        goes = sendable
                        if clip is not None and contact not in whole:
                            goes = sendable.without(CLIP)
                        items.append(await self._queue(name, goes, contact, form, wish, work))
        return items

    def _form(self, photo: Photo, contact: Contact, wish: Wish) -> Form:
        """What the command says, and then the owner's rules."""
        form = wish.form(contact)
        return self._rules.form(photo.photo_id, contact.identity, form, wish.operations)

    def _goes_whole(self, clip: Photo, contact: Contact, wish: Wish) -> bool:
        try:
            return self._form(clip, contact, wish) == ORIGINAL
        except DeniedError:
            return False

    async def _queue(
        self,
        file: str,
        sendable: Sendable,
        contact: Contact,
        form: Form,
        wish: Wish,
        work: Work,
    ) -> ShareItem:
        def queue() -> Delivery:
            work.check()
            return self._outbox.queue(sendable.photo, contact, wish.terms(form))

        try:
            delivery = await self._commits.run(queue)
        except KinlightError as error:
            return _failed(file, contact.name, form, error, sendable.photo)
        return _item(file, sendable, contact.name, form, delivery)


def _together(paths: Iterable[Path]) -> Iterable[list[Path]]:
    """The files, those that may be halves of one live photo together."""
    found: dict[bytes, list[Path]] = {}
    for path in dict.fromkeys(paths):
        found.setdefault(livephotos.stem(path), []).append(path)
    return found.values()


def _item(
    file: str, sendable: Sendable, to: str, form: Form, delivery: Delivery | None = None
) -> ShareItem:
    photo = sendable.photo
    grant_hash = delivery.grant_hash if delivery else None
    return ShareItem(
        file=file,
        name=photo.metadata.name,
        to=to,
        state=delivery.state if delivery else OPEN,
        photo_id=photo.photo_id.hex(),
        sha256=photo.metadata.sha256.hex(),
        bytes=photo.metadata.length,
        policy=form.policy,
        leaves=list(sendable.leaves),
        left_out=list(sendable.left_out),
        code=delivery.code if delivery else None,
        max_px=form.max_px,
        watermarked=form.watermarked,
        grant=None if grant_hash is None else grant_hash.hex(),
    )


def _failed(
    file: str, to: str, form: Form, error: KinlightError, photo: Photo | None = None
) -> ShareItem:
    name = photo.metadata.name if photo else Path(file).name
    return ShareItem(
        file, name, to, "failed", policy=form.policy,
        code=error.code, message=str(error), max_px=form.max_px, watermarked=form.watermarked,
    )  # fmt: skip
