"""The public Python API: a node, scripted.

    async with Node.open() as node:
        await node.share(["beach.jpg"], to=["anna"], metadata="original")

`Node` is a client of the local API. It talks to the running daemon of the home or, where none
runs, to one that lives in this process as long as the block does; a script need not know which.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

import httpx

from ..crypto.errors import KinlightError
from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import errors, keys, passphrases, views
from .errors import NotRunningError, PassphraseNeededError
from .home import ApiAddress, Home
from .views import (
    Album,
    Attribute,
    Clock,
    Contact,
    DoctorProgress,
    Event,
    Explanation,
    ExportedFile,
    Finding,
    Folder,
    Grant,
    Identity,
    ImportItem,
    ImportProgress,
    InboxItem,
    LibraryItem,
    PairingCode,
    PhotoDetails,
    Policy,
    RemovedPhoto,
    Revocation,
    ShareItem,
    ShareProgress,
    Status,
)

_CONNECT_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 1.0
"""How often `watch_status` looks where nothing is told: nodes in sight come and go without."""
_JSON: Final = {"Content-Type": "application/json"}
_View = TypeVar("_View")
_Item = TypeVar("_Item")

Paths = Path | str | Sequence[Path | str]
"""One path, or several."""


class Node:
    """A kinlight node. Get one from `open` (or `connect`, which never starts one).

    Every method raises a `KinlightError` whose text is a sentence for the user; the classes are
    in `kinlight.node.errors`, `kinlight.protocol.errors` and `kinlight.crypto.errors`.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    # Getting a node.

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, home: Path | str | None = None, *, passphrase: str | None = None
    ) -> AsyncGenerator[Node]:
        """The node of `home` (default: KINLIGHT_HOME, else the user's), unlocked.

        `passphrase` is needed where the node is locked or not running; the default is what
        KINLIGHT_PASSPHRASE_FILE names. Raises `NoHomeError` if there is no node in `home`,
        `PassphraseNeededError`, `WrongPassphraseError`.
        """
        place = _home(home)
        secret = Secret(passphrase.encode()) if passphrase else passphrases.given(None)
        async with contextlib.AsyncExitStack() as stack:
            try:
                node = await stack.enter_async_context(cls.connect(place.path))
            except NotRunningError:
                from .daemon import Daemon  # heavy: the whole server

                if secret is None and place.exists:
                    raise PassphraseNeededError from None
                await stack.enter_async_context(Daemon.running(place, secret))
                node = await stack.enter_async_context(cls.connect(place.path))
            if (await node.status()).locked:
                if secret is None:
                    raise PassphraseNeededError
                await node.unlock(secret.reveal().decode())
            yield node

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, home: Path | str | None = None) -> AsyncGenerator[Node]:
        """The running daemon of `home`, locked or not; `NotRunningError` if there is none."""
        address = ApiAddress.load(_home(home))
        if address is None:
            raise NotRunningError
        async with _client(address) as client:
            node = cls(client)
            await node.status()
            yield node

    @staticmethod
    def create(home: Path | str | None = None, *, passphrase: str, name: str) -> str:
        """Make a new node in `home` and return its 24 recovery words, which are kept nowhere.

        Takes about a second. `name` is what others see when pairing. Raises `HomeExistsError`.
        """
        shown: list[RecoveryWords] = []
        keys.create(
            _home(home),
            Secret(passphrase.encode()),
            name,
            entropy=secrets.token_bytes,
            now=int(time.time()),
            show=shown.append,
        )
        return shown[0].phrase()

    # The node itself.

    async def status(self) -> Status:
        """How the node is; the one question that a locked node answers."""
        body = await self._get("status")
        connections = [views.Connection(**item) for item in body.pop("connections")]
        clock = body.pop("clock")
        return Status(
            **body, connections=connections, clock=None if clock is None else Clock(**clock)
        )

    async def believe_clock(self) -> Clock:
        """Say that the system's clock is right: a later time that was seen is forgotten."""
        return Clock(**await self._post("clock", "right"))

    async def watch_status(self, *, seconds: float = WATCH_SECONDS) -> AsyncGenerator[Status]:
        """The status now, at each event, and after so many `seconds` without one, until the end.

        Raises `NotRunningError` when the daemon ends.
        """
        async with contextlib.aclosing(self.events()) as events:
            news = asyncio.ensure_future(anext(events, None))
            try:
                while True:
                    yield await self.status()
                    await asyncio.wait({news}, timeout=seconds)
                    if news.done():
                        if news.result() is None:
                            raise NotRunningError
                        news = asyncio.ensure_future(anext(events, None))
            finally:
                news.cancel()
                await asyncio.wait({news})

    async def unlock(
        self, passphrase: str | None = None, *, recovery_words: str | None = None
    ) -> None:
        """Open the keys. `WrongPassphraseError` or `WrongWordsError` change nothing.

        Of a node that is unlocked already it says that its owner is there, for rules that ask.
        """
        await self._post("unlock", passphrase=passphrase, recovery_words=recovery_words)

    async def lock(self) -> None:
        """Forget the keys and end all connections."""
        await self._post("lock")

    async def shut_down(self) -> None:
        """End the daemon."""
        await self._post("shutdown")

    async def identity(self) -> Identity:
        """Who this node is to others."""
        return Identity(**await self._get("id"))

    # People.

    async def open_pairing(self, name: str | None = None) -> AsyncGenerator[PairingCode | Contact]:
        """Show a code: yields it, then the contact who used it, then ends.

        The code ends after two minutes (`PairingOverError`), three wrong tries
        (`PairingSpentError`), or when the iterator is closed. `name` is what to call the contact.
        """
        async for line in self._stream("pair", name=name):
            yield _read(line, PairingCode, Contact)

    async def pair(self, code: str, *, at: str | None = None, name: str | None = None) -> Contact:
        """Use a code like `7-maple-orbit` or a QR code's text.

        `at` is `host:port` where discovery doesn't reach. Raises `WrongCodeError`,
        `NoSuchNodeError`, `InvalidCodeError`.
        """
        async for line in self._stream("pair", code=code, at=at, name=name):
            return _read(line, Contact)
        raise errors.InternalError

    async def contacts(self) -> list[Contact]:
        """Everybody this node paired with, by name."""
        return [Contact(**item) for item in await self._get("contacts")]

    async def contact(self, name: str) -> Contact:
        """One of them; `NoSuchContactError`."""
        return Contact(**await self._get("contacts", _contact(name)))

    async def update_contact(
        self,
        name: str,
        *,
        rename: str | None = None,
        verified: bool | None = None,
        muted: bool | None = None,
        blocked: bool | None = None,
        accept: str | None = None,
        metadata: str | None = None,
    ) -> Contact:
        """Change what is given.

        `accept` is `ask` or `always`; `metadata` is what leaves with photos for them: `original`,
        `no-location` (as for every new contact) or `clean`.
        """
        body = {
            "name": rename, "verified": verified, "muted": muted,
            "blocked": blocked, "accept": accept, "metadata": metadata,
        }  # fmt: skip
        return Contact(**await self._send("PATCH", ("contacts", _contact(name)), body))

    # Photos.

    async def share(
        self,
        paths: Paths,
        to: Sequence[str],
        *,
        metadata: str | None = None,
        max_px: int | None = None,
        until: int | None = None,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """Share files, and the photos in folders, with contacts; returns how each one stands.

        `metadata` says what leaves: `original` (the bytes as they are, with place, time and camera
        if they are in them), `no-location` or `clean`; without it each contact's own policy holds.
        With `max_px` a `clean` copy goes, no side longer than that. `until` (seconds since 1970)
        ends the grant, which demands the form that is given. With `wait` it returns when each photo
        is delivered, refused, waiting for a person, or its contact was not there for ten seconds;
        the node delivers such later. A file that can't be shared is a `failed` item and the others
        go on.
        One path and one name need no list.
        """
        steps = self.share_steps(
            paths, to, metadata=metadata, max_px=max_px, until=until, wait=wait
        )
        return await _last(steps, progress)

    async def share_steps(
        self,
        paths: Paths,
        to: Sequence[str],
        *,
        metadata: str | None = None,
        max_px: int | None = None,
        until: int | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `share`, but yields every step: progress, and each item whenever its state changes."""
        places = [_absolute(path) for path in _several(paths)]
        async for line in self._stream(
            "share", paths=places, to=_several(to), metadata=metadata, max_px=max_px, until=until,
            wait=wait,
        ):  # fmt: skip
            yield _read(line, ShareItem, ShareProgress)

    # Who may see what.

    async def grant(
        self,
        photos: Sequence[str],
        who: Sequence[str] = (),
        *,
        having: Sequence[str] = (),
        by: Sequence[str] = (),
        album: str | None = None,
        operations: Sequence[str] = ("view",),
        metadata: str | None = None,
        max_px: int | None = None,
        until: int | None = None,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """As `share`, for photos that are here, by id or the beginning of it, and of an album.

        `operations` are `view` and, for who may pass it on once, `reshare`. A photo that somebody
        else signed is a `failed` item.

        In place of `who`, `having` names attributes, each `NAME=VALUE`: the photo is for every
        contact of whom all of them are said by one of `by` (contacts, or `me`, which is what none
        means), now and whenever that comes to be said, while the grant holds. It goes without its
        place if `metadata` says nothing else. The result has an item in the state `open` for each
        grant, beside one for each contact who gets it now.
        """
        steps = self.grant_steps(
            photos, who, having=having, by=by, album=album, operations=operations,
            metadata=metadata, max_px=max_px, until=until, wait=wait,
        )  # fmt: skip
        return await _last(steps, progress)

    async def grant_steps(
        self,
        photos: Sequence[str],
        who: Sequence[str] = (),
        *,
        having: Sequence[str] = (),
        by: Sequence[str] = (),
        album: str | None = None,
        operations: Sequence[str] = ("view",),
        metadata: str | None = None,
        max_px: int | None = None,
        until: int | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `grant`, but yields every step."""
        async for line in self._stream(
            "grants", photos=_several(photos), to=_several(who), having=_several(having),
            by=_several(by), album=album,
            operations=list(operations), metadata=metadata, max_px=max_px, until=until, wait=wait,
        ):  # fmt: skip
            yield _read(line, ShareItem, ShareProgress)

    async def delegate(
        self,
        photos: Sequence[str],
        who: Sequence[str],
        *,
        operations: Sequence[str] = ("view",),
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """Pass on photos that others granted with `reshare`, as they came, until `until` or their
        own end, whichever is earlier.

        `device` is the key of the one device of the one contact that gets it. With `max_px` what is
        larger fails: only its author could make it smaller. What may not be passed on is a `failed`
        item: `not-for-passing-on`, `passed-on-enough`, `own-photo`, `passed-back`, or why the grant
        has ended.
        """
        steps = self.delegate_steps(
            photos, who, operations=operations, max_px=max_px, until=until, device=device, wait=wait
        )
        return await _last(steps, progress)

    async def delegate_steps(
        self,
        photos: Sequence[str],
        who: Sequence[str],
        *,
        operations: Sequence[str] = ("view",),
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `delegate`, but yields every step."""
        async for line in self._stream(
            "delegations", photos=_several(photos), to=_several(who), operations=list(operations),
            max_px=max_px, until=until, device=device, wait=wait,
        ):  # fmt: skip
            yield _read(line, ShareItem, ShareProgress)

    async def grants(self, *, who: str | None = None, photo: str | None = None) -> list[Grant]:
        """What was granted since version 0.2.0, the oldest first."""
        found = await self._post("grants", "list", who=who, photo=photo)
        return [Grant(**item) for item in found]

    async def attest(self, who: str, attribute: str, *, until: int | None = None) -> Attribute:
        """Say that a contact has an attribute, `NAME=VALUE`; a role is the attribute `role`.

        It holds for 90 days, or until `until` before that, and can be said again at any time. By
        itself it gives nobody anything: rules and grants ask for it.
        """
        body = await self._post("attributes", who=who, attribute=attribute, until=until)
        return Attribute(**body)

    async def unattest(self, who: str, attribute: str) -> list[Attribute]:
        """Take that back; `NotGrantedError` if it was not said here."""
        found = await self._post("attributes", "off", who=who, attribute=attribute)
        return [Attribute(**item) for item in found]

    async def attributes(self, who: str | None = None) -> list[Attribute]:
        """What is said of a contact, or of everybody."""
        return [Attribute(**item) for item in await self._post("attributes", "list", who=who)]

    async def show_attribute(
        self, attribute: str, to: str, *, by: str | None = None, off: bool = False
    ) -> list[Attribute]:
        """Let a contact know what others say of us, `NAME=VALUE`, so that it can count there.

        That is what its rules and its grants to whoever has an attribute may need. `by` chooses
        one of those who say it; with none, all who say it now. It holds for what they say anew when
        that has ended. `off` ends it; what the contact was told it knows. `NotGrantedError` if
        nobody says it.
        """
        found = await self._post("attributes", "shown", attribute=attribute, to=to, by=by, off=off)
        return [Attribute(**item) for item in found]

    async def policy(self) -> Policy:
        """The owner's rules; an empty text if there are none."""
        return Policy(**await self._get("policy"))

    async def set_policy(self, text: str) -> Policy:
        """Take the rules of a TOML text in place of all others; see docs/policy.md.

        From then on what no rule allows is neither granted nor served. An empty text ends that.
        `BadPolicyError` names the rule and the field, and changes nothing.
        """
        return Policy(**await self._send("PUT", ("policy",), {"text": text}))

    async def explain(
        self, who: str, photo: str, *, operation: str = "view", network: str | None = None
    ) -> Explanation:
        """What would be said to a contact who asks now, and why.

        `network` is `lan` or `internet`; without it, the better of the two.
        """
        body = await self._post(
            "explain", who=who, photo=photo, operation=operation, network=network
        )
        found = [views.JudgedGrant(**item) for item in body.pop("grants")]
        return Explanation(**body, grants=found)

    async def revoke(
        self,
        grant: str | None = None,
        *,
        who: str | None = None,
        photo: str | None = None,
        device: str | None = None,
    ) -> list[Revocation]:
        """Take back a grant by its hash, all grants of `photo` to `who`, or a device of ours.

        A grant to whoever has an attribute is taken back from all, by its hash. It counts here at
        once, and at contacts as soon as they hear of it: those who are connected now, the others
        when they come. What was fetched can't be called back; an honest node shows it no more.
        Raises `NotGrantedError`.
        """
        found = await self._post("revoke", grant=grant, who=who, photo=photo, device=device)
        return [Revocation(**item) for item in found]

    # The library.

    async def import_photos(
        self,
        paths: Paths,
        *,
        album: str | None = None,
        albums: bool = True,
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> list[ImportItem]:
        """Take files, and the photos in folders, into the library without sharing them.

        Every photo goes into `album`; where none is said and `albums` holds, those from folders go
        into albums named like the folder that they lie in. What is here already is not sealed
        again. A file that can't be read is a `failed` item and the others go on. One path needs no
        list. Ends early with `DiskFullError`; another run goes on from there.
        """
        items: list[ImportItem] = []
        async for step in self.import_steps(paths, album=album, albums=albums):
            if isinstance(step, ImportItem):
                items.append(step)
            elif progress is not None:
                progress(step)
        return items

    async def import_steps(
        self, paths: Paths, *, album: str | None = None, albums: bool = True
    ) -> AsyncGenerator[ImportItem | ImportProgress]:
        """As `import_photos`, but yields each item when it is done, and progress in between."""
        places = [_absolute(path) for path in _several(paths)]
        async for line in self._stream(
            "library", "import", paths=places, album=album, albums=albums
        ):
            yield _read(line, ImportItem, ImportProgress)

    async def search(
        self,
        words: str | None = None,
        *,
        start: str | None = None,
        end: str | None = None,
        person: str | None = None,
        album: str | None = None,
        tag: str | None = None,
        camera: str | None = None,
        near: tuple[float, float] | None = None,
        within: float | None = None,
        place: str | None = None,
        verdict: str | None = None,
        limit: int = 100,
    ) -> list[LibraryItem]:
        """Photos of the library, the latest capture first; what is not given fits all.

        `words` must all be in the name. `start` and `end` are a year, a month, a day or a time
        (`2026`, `2026-07-14T09:30`) and belong to the span; a photo without a capture time is found
        by its file's. `tag` is a word of `tag`, and `person` a contact: author, sender or receiver.
        `camera` and `place` are parts of words, `near` is (latitude, longitude) in degrees,
        `within` (5) in kilometres, and `verdict` the C2PA state. Nothing of this leaves the
        machine. Raises `NoSuchContactError`, `NoSuchAlbumError`, `BadDayError`, `BadRequestError`.
        """
        found = await self._post(
            "library", "search", words=words, start=start, end=end, person=person, album=album,
            tag=tag, camera=camera, near=near, within=within, place=place, verdict=verdict,
            limit=limit,
        )  # fmt: skip
        return [LibraryItem(**item) for item in found]

    async def tag(
        self,
        photos: str | Sequence[str],
        *,
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
        sensitivity: str | None = None,
    ) -> list[LibraryItem]:
        """Give photos words, take words away, and say whether they are `low`, `normal` or `high`.

        It is for searches and for the owner's rules, and never sent. Raises `NoSuchPhotoError`,
        `BadRequestError`, and changes nothing then.
        """
        found = await self._post(
            "library", "tag", photos=_several(photos), add=_several(add), remove=_several(remove),
            sensitivity=sensitivity,
        )  # fmt: skip
        return [LibraryItem(**item) for item in found]

    async def remove(self, photo: str, *, force: bool = False) -> RemovedPhoto:
        """Take a photo out of the library, with its clip and the copies made of it.

        What others got stays with them, and so do files that were exported. A photo that somebody
        sent counts as declined from then on. Raises `OpenDeliveryError` while it is on its way to
        somebody, which `force` ends; `NoSuchPhotoError`, `NotHereYetError`.
        """
        return RemovedPhoto(**await self._post("photos", photo, "remove", force=force))

    async def albums(self) -> list[Album]:
        """All albums, by name."""
        return [Album(**item) for item in await self._get("albums")]

    async def folders(self) -> list[Folder]:
        """The folders that this node keeps up, mirrors and watches, and how each is."""
        return [Folder(**item) for item in await self._get("folders")]

    async def mirror(self, source: str, folder: Path | str) -> Folder:
        """Keep `folder` up with every photo of an album, or from a contact, of the name `source`.

        A photo is written once, never over another file; what is renamed or removed there stays
        so. Raises `NoSuchAlbumError`, `FolderTakenError`, `UnwritableFolderError`.
        """
        body = await self._post("folders", "mirror", source=source, folder=_absolute(folder))
        return Folder(**body)

    async def watch(
        self,
        folder: Path | str,
        *,
        album: str | None = None,
        to: Sequence[str] = (),
        metadata: str | None = None,
    ) -> Folder:
        """Import what lies and what appears in `folder`, and share it with the contacts `to`.

        A file is taken when it has not changed for two seconds. `metadata` is the policy for all
        of `to`; the default is each contact's own. Raises `NoSuchContactError`,
        `FolderTakenError`, `BadRequestError`.
        """
        place = _absolute(folder)
        body = await self._post(
            "folders", "watch", folder=place, album=album, to=_several(to), metadata=metadata
        )
        return Folder(**body)

    async def end_mirror(self, folder: Path | str) -> Folder:
        """Write no more to a mirror; its files stay. `NoSuchFolderError`."""
        return Folder(**await self._post("folders", "mirror", "off", folder=_absolute(folder)))

    async def end_watch(self, folder: Path | str) -> Folder:
        """Watch a folder no more; what was imported stays. `NoSuchFolderError`."""
        return Folder(**await self._post("folders", "watch", "off", folder=_absolute(folder)))

    async def inbox(self) -> list[InboxItem]:
        """Every photo that was offered to this node, oldest first."""
        return [InboxItem(**item) for item in await self._get("inbox")]

    async def accept(self, photo: str) -> InboxItem:
        """Fetch a photo that waits; `photo` is its id or the beginning of it."""
        return InboxItem(**await self._post("inbox", _photo(photo), "accept"))

    async def decline(self, photo: str) -> InboxItem:
        """Decline a photo that waits."""
        return InboxItem(**await self._post("inbox", _photo(photo), "decline"))

    async def get(self, photo: str) -> PhotoDetails:
        """All about a photo that is here; `NoSuchPhotoError`, `NotHereYetError`."""
        body = await self._get("photos", _photo(photo))
        deliveries = [views.DeliveryState(**item) for item in body.pop("deliveries")]
        return PhotoDetails(**body, deliveries=deliveries)

    async def export(
        self,
        photo: str,
        folder: Path | str,
        *,
        keep_both: bool = False,
        rendition: str | None = None,
    ) -> ExportedFile:
        """Write a photo into `folder`, byte-exact, with its name (made safe) and its time.

        The clip of a live photo is written beside it. Never touches a file that is there:
        `NameTakenError`, or a number with `keep_both`. With `rendition` (`preview` or `thumbnail`)
        it is that JPEG which is written, under a name that says so.
        """
        place = _absolute(folder)
        body = await self._post(
            "photos",
            _photo(photo),
            "export",
            folder=place,
            keep_both=keep_both,
            rendition=rendition,
        )
        clip = body.pop("clip")
        return ExportedFile(**body, clip=None if clip is None else ExportedFile(**clip))

    async def rendition(self, photo: str, name: str) -> bytes:
        """A JPEG made from a photo that is here, upright, in sRGB; of a clip, its first frame.

        `name` is `preview` (at most 2048 pixels a side) or `thumbnail` (at most 320). Raises
        `BadRequestError` for another one, `PictureRefusedError`, `DecoderDiedError`,
        `DecoderTimeoutError`, `BlobMissingError`.
        """
        return await self._bytes("photos", _photo(photo), name)

    async def doctor(
        self,
        *,
        repair: bool = False,
        deep: bool = False,
        progress: Callable[[DoctorProgress], None] | None = None,
    ) -> list[Finding]:
        """What is missing, damaged, left over or open to others in the home; none if all is well.

        `deep` reads every sealed file and checks each piece of it. `repair` removes leftovers and
        makes whole what can be: from files that were imported, and from the contacts who sent it.
        What they can't bring now comes when they are next here. Nothing else is ever deleted.
        """
        found: list[Finding] = []
        async for line in self._stream("doctor", repair=repair, deep=deep):
            step = _read(line, Finding, DoctorProgress)
            if isinstance(step, Finding):
                found.append(step)
            elif progress is not None:
                progress(step)
        return found

    async def metrics(self) -> str:
        """The node in numbers, as OpenMetrics text; `GET /metrics` gives the same."""
        return (await self._body("/metrics")).decode()

    async def events(self) -> AsyncGenerator[Event]:
        """What happens, from now on. The first event, `listening`, says that none is missed."""
        async for line in self._stream("events", method="GET"):
            yield _read(line, Event)

    # How it is asked.

    async def _get(self, *path: str) -> Any:
        return await self._send("GET", path, None)

    async def _post(self, *path: str, **body: object) -> Any:
        return await self._send("POST", path, body)

    async def _bytes(self, *path: str) -> bytes:
        return await self._body(_url(path))

    async def _body(self, url: str) -> bytes:
        try:
            response = await self._client.get(url)
        except httpx.TransportError:
            raise NotRunningError from None
        if response.is_error:
            _checked(_json(response.content))
            raise errors.InternalError
        return response.content

    async def _send(self, method: str, path: Sequence[str], body: object) -> Any:
        try:
            response = await self._client.request(
                method, _url(path), content=_content(body), headers=_JSON
            )
        except httpx.TransportError:
            raise NotRunningError from None
        answer = _checked(_json(response.content))
        if response.is_error:
            raise errors.InternalError
        return answer

    async def _stream(
        self, *path: str, method: str = "POST", **body: object
    ) -> AsyncGenerator[dict[str, Any]]:
        try:
            async with self._client.stream(
                method,
                _url(path),
                content=_content(body if method == "POST" else None),
                headers=_JSON,
            ) as response:
                async for line in response.aiter_lines():
                    yield _checked(_json(line))
        except httpx.TransportError:
            raise NotRunningError from None


async def _last(
    steps: AsyncGenerator[ShareItem | ShareProgress],
    progress: Callable[[ShareProgress], None] | None,
) -> list[ShareItem]:
    """How each item stood at the end."""
    items: dict[tuple[str, str], ShareItem] = {}
    async for step in steps:
        if isinstance(step, ShareItem):
            items[step.file, step.to] = step
        elif progress is not None:
            progress(step)
    return list(items.values())


def _home(home: Path | str | None) -> Home:
    return Home.locate(Path(home) if home is not None else None)


def _several(given: Path | str | Sequence[_Item]) -> list[Path | str | _Item]:
    """A list of what was given; a text is one path or one name, never a list of its letters."""
    return [given] if isinstance(given, (str, Path)) else list(given)


def _photo(photo: str) -> str:
    return _segment(photo, errors.NoSuchPhotoError)


def _contact(name: str) -> str:
    return _segment(name, errors.NoSuchContactError)


def _segment(text: str, missing: type[KinlightError]) -> str:
    """A part of a URL's path. Nothing, and dots, would lead elsewhere: they name nobody."""
    if text in ("", ".", ".."):
        raise missing(text)
    return text


def _absolute(path: Path | str) -> str:
    """The daemon may stand in another folder."""
    return str(Path(path).absolute())


def _client(address: ApiAddress) -> httpx.AsyncClient:
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    if address.socket is not None:
        transport = httpx.AsyncHTTPTransport(uds=address.socket)
        return httpx.AsyncClient(transport=transport, base_url="http://kinlight", timeout=timeout)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{address.port}",
        headers={"Authorization": f"Bearer {address.token}"},
        timeout=timeout,
        trust_env=False,
    )


def _url(path: Sequence[str]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _content(body: object) -> bytes | None:
    """JSON in ASCII: the path of a file may hold bytes that are no text."""
    return None if body is None else json.dumps(body).encode("ascii")


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise errors.InternalError from None


def _checked(body: Any) -> Any:
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    if "error" in fields:
        raise errors.from_code(fields["error"]["code"], fields["error"]["message"])
    return body  # pyright: ignore[reportUnknownVariableType]


def _read(line: dict[str, Any], *kinds: type[_View]) -> _View:
    name = line.pop("type")
    for kind in kinds:
        if kind.__name__ == name:
            return kind(**line)
    raise errors.InternalError
