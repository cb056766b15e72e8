"""What leaves: files become sealed photos, and go as they are or as copies that tell less.

file -> originals -> catalogue (still and clip are one) -> copies (each contact's form) -> outbox
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from ..crypto.errors import KinlightError
from ..protocol.attributes import AttributeDemand
from ..protocol.errors import DeniedError
from ..protocol.opening import LocalDevice
from ..protocol.photo import Metadata
from . import forms, livephotos, sources
from .catalogue import Catalogue, ImportedFile
from .cataloguing import Cataloguer
from .copies import Copies, Sendable
from .errors import BlockedContactError, NotOursError
from .forms import ORIGINAL, Form
from .grants import VIEW, Terms
from .library import Contact, Delivery, Library, Photo
from .open_grants import OPEN, OpenGrants
from .originals import Originals, Progress
from .outbox import Outbox
from .removing import Remover
from .rules import Rules
from .views import ShareItem, ShareProgress

PROGRESS_SECONDS: Final = 0.2
CLIP: Final = "clip"
"""In the words of what was left out: the other half of a live photo."""
WITHOUT_PLACE: Final = "no-location"
"""The policy for whoever has an attribute, if none is said: nobody's own counts, as who it will be
is not known."""

_Result = TypeVar("_Result")


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

    def form(self, contact: Contact) -> Form:
        """In which form a contact gets it."""
        return forms.asked(self.policy or contact.metadata, self.max_px).within(self.at_most)

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


class Sharing:
    """Takes files and hands to the outbox what may leave of them."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        originals: Originals,
        library: Library,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        copies: Copies,
        rules: Rules,
        outbox: Outbox,
        open_grants: OpenGrants,
        remover: Remover,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._originals = originals
        self._library = library
        self._catalogue = catalogue
        self._cataloguer = cataloguer
        self._copies = copies
        self._rules = rules
        self._outbox = outbox
        self._open_grants = open_grants
        self._remover = remover
        self._now = now

    async def run(self, paths: list[Path], wish: Wish) -> AsyncGenerator[ShareItem | ShareProgress]:
        """Seal and queue each file for each contact; yields one item per file and contact.

        The clip of a live photo goes with its still, or is left out with it. A file that can't be
        shared yields `failed` items and the others go on.
        """
        wish.check()
        for files in _together(sources.files_in(paths)):
            taken: dict[Path, Photo] = {}
            new: list[bytes] = []
            for path in files:
                yield ShareProgress(str(path), None, 0, 1)
                work = _Work[Photo](str(path))
                async for step in work.follow(self._take(path, new, work.report)):
                    yield step
                try:
                    taken[path] = work.result()
                except KinlightError as error:
                    for contact in wish.contacts:
                        yield _failed(str(path), contact.name, wish.form(contact), error)
            here = {photo.photo_id: path for path, photo in taken.items()}
            for path, photo in taken.items():
                if self._catalogue.still_of(photo.photo_id) not in here:
                    async for step in self._share(str(path), photo, wish, here):
                        yield step
            await self._remover.undo(new)

    async def grant(
        self, photos: list[Photo], wish: Wish
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """The same for photos that are here: a clip goes with its still.

        A copy stands for its source in its own form: what is noted of the source, and what the
        rules say of it, counts for all that is made of it.
        """
        wish.check()
        for photo in photos:
            file = photo.photo_id.hex()
            if photo.author != self._device.identity:
                for contact in wish.contacts:
                    yield _failed(file, contact.name, wish.form(contact), NotOursError(), photo)
                continue
            source, form = self._copies.origin(photo)
            with contextlib.suppress(KinlightError):  # as above
                await self._cataloguer.look(source)
            narrowed = dataclasses.replace(wish, at_most=form)
            async for step in self._share(file, source, narrowed, {}):
                yield step

    async def grant_open(
        self, photos: list[Photo], wish: OpenWish
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """The same for whoever meets the demands: those contacts who do now, and who will.

        Yields one item for each grant and one for each contact.
        """
        for photo in photos:
            file = photo.photo_id.hex()
            if photo.author != self._device.identity:
                yield _failed(file, wish.to, wish.form, NotOursError(), photo)
                continue
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
            for name, half in halves:
                work = _Work[Sendable](name)
                async for step in work.follow(self._copies.under(form, half, work.report)):
                    yield step
                try:
                    sendable = work.result()
                except KinlightError as error:
                    yield _failed(name, wish.to, form, error, half)
                    continue
                if clip is not None and not whole:
                    sendable = sendable.without(CLIP)
                for item in self._open(name, sendable, form, wish):
                    yield item

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

    async def _take(self, path: Path, new: list[bytes], progress: Progress) -> Photo:
        """The photo of a file, looked at and joined with its other half; `new` if it was made."""
        known = self._catalogue.file(path)

        def same(photo: Photo, metadata: Metadata) -> bool:
            """Ours, under the name of the file, or what it was imported as under another."""
            return self._originals.is_original(photo) and (
                photo.metadata.name == metadata.name
                or (known is not None and photo.photo_id == known.photo_id)
            )

        taken = await self._originals.take(path, progress, same)
        photo = taken.photo
        if taken.new:
            new.append(photo.photo_id)
        with contextlib.suppress(KinlightError):  # it is shared whether it opens or not
            await self._cataloguer.look(photo, path)
        file = ImportedFile(photo.photo_id, taken.size, taken.modified)
        self._catalogue.put_file(path, file, None, self._now())
        return photo

    async def _share(
        self, file: str, photo: Photo, wish: Wish, here: dict[bytes, Path]
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """A photo in each form; `here` are the files of this share, by their photos."""
        clip_id = self._catalogue.clip_of(photo.photo_id)
        clip = None if clip_id is None else self._library.photo(clip_id)
        by_form: dict[Form, list[Contact]] = {}
        for contact in wish.contacts:
            try:
                by_form.setdefault(self._form(photo, contact, wish), []).append(contact)
            except KinlightError as error:
                yield _failed(file, contact.name, wish.form(contact), error, photo)
        for form, contacts in by_form.items():
            halves = [(file, photo, contacts)]
            whole: list[Contact] = []
            if clip is not None and form == ORIGINAL:
                whole = [contact for contact in contacts if self._goes_whole(clip, contact, wish)]
                halves.append((str(here.get(clip.photo_id, clip.metadata.name)), clip, whole))
            for name, half, getting in halves:
                if not getting:
                    continue
                work = _Work[Sendable](name)
                async for step in work.follow(self._copies.under(form, half, work.report)):
                    yield step
                for contact in getting:
                    try:
                        sendable = work.result()
                        if clip is not None and contact not in whole:
                            sendable = sendable.without(CLIP)
                        yield self._queue(name, sendable, contact, form, wish)
                    except KinlightError as error:
                        yield _failed(name, contact.name, form, error, half)

    def _form(self, photo: Photo, contact: Contact, wish: Wish) -> Form:
        """What the command says, and then the owner's rules."""
        form = wish.form(contact)
        return self._rules.form(photo.photo_id, contact.identity, form, wish.operations)

    def _goes_whole(self, clip: Photo, contact: Contact, wish: Wish) -> bool:
        try:
            return self._form(clip, contact, wish) == ORIGINAL
        except DeniedError:
            return False

    def _queue(
        self, file: str, sendable: Sendable, contact: Contact, form: Form, wish: Wish
    ) -> ShareItem:
        delivery = self._outbox.queue(sendable.photo, contact, wish.terms(form))
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
        grant=None if grant_hash is None else grant_hash.hex(),
    )


def _failed(
    file: str, to: str, form: Form, error: KinlightError, photo: Photo | None = None
) -> ShareItem:
    name = photo.metadata.name if photo else Path(file).name
    return ShareItem(
        file, name, to, "failed", policy=form.policy,
        code=error.code, message=str(error), max_px=form.max_px,
    )  # fmt: skip


class _Work(Generic[_Result]):
    """Runs what takes a while and hands out its progress, which comes from threads, in between."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._latest: tuple[int, int] = (0, 1)
        self._task: asyncio.Task[_Result] | None = None

    def report(self, done: int, total: int) -> None:
        """Called from any thread; only the latest counts."""
        self._latest = (done, total)

    async def follow(self, work: Coroutine[None, None, _Result]) -> AsyncGenerator[ShareProgress]:
        """Run `work`; yields progress about five times a second. Errors show in `result`."""
        task = self._task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PROGRESS_SECONDS)
                yield ShareProgress(self._file, None, *self._latest)
        finally:
            if not task.done():
                task.cancel()

    def result(self) -> _Result:
        """The result of `follow`, or its error."""
        if self._task is None:
            raise ValueError("not followed")
        return self._task.result()
