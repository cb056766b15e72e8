"""The public Python API: a node, scripted.

    async with Node.open() as node:
        await node.share(["beach.jpg"], to=["anna"], metadata="original")

`Node` is a client of the local API. It talks to the running daemon of the home or, where none
runs, to one that lives in this process as long as the block does; a script need not know which.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

import httpx

from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import errors, keys, passphrases, views, views_recovery
from .asking_words import parsed
from .client import Paths, absolute, contact_segment, last, read_step, several
from .errors import AlreadyRunningError, NotRunningError, PassphraseNeededError
from .home import ApiAddress, Home
from .node_access import NodeAccess
from .node_albums import NodeAlbums
from .node_archive import NodeArchive
from .node_devices import NodeDevices
from .node_drops import NodeDrops
from .node_guardians import NodeGuardians
from .node_holding import NodeHolding
from .node_library import NodeLibrary
from .node_marks import NodeMarks
from .node_recovery import NodeRecovery
from .node_space import NodeSpace
from .node_tickets import NodeTickets
from .node_weblinks import NodeWebLinks
from .node_wide import NodeWide
from .version import VERSION
from .views import Clock, DoctorProgress, Event, Finding, Identity, Status
from .views_contacts import Contact, PairingCode
from .views_devices import JoinedDevice
from .views_sharing import ShareItem, ShareProgress
from .views_siblings import DeviceStanding

_CONNECT_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 1.0
"""How often `watch_status` looks where nothing is told: nodes in sight come and go without."""


class Node(
    NodeAccess,
    NodeAlbums,
    NodeArchive,
    NodeDevices,
    NodeDrops,
    NodeGuardians,
    NodeHolding,
    NodeLibrary,
    NodeMarks,
    NodeRecovery,
    NodeSpace,
    NodeTickets,
    NodeWebLinks,
    NodeWide,
):
    """A kinlight node. Get one from `open` (or `connect`, which never starts one).

    Every method raises a `KinlightError` whose text is a sentence for the user; the classes are
    in `kinlight.node.errors`, the modules `kinlight.node.*_errors`, `kinlight.protocol.errors` and
    `kinlight.crypto.errors`.
    """

    version = VERSION
    """That of the daemon, which may be another than ours until it is started anew."""

    def check_version(self) -> None:
        """`AlreadyRunningError` if the daemon was started by another version: its answers may be
        other ones.
        """
        if self.version != VERSION:
            raise AlreadyRunningError(f"version {self.version}, and this is {VERSION}")

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
                node.check_version()
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
            # No more than that is the same in all versions.
            node.version = str((await node._get("status"))["version"])
            yield node

    @staticmethod
    async def join_device(
        code: str,
        home: Path | str | None = None,
        *,
        passphrase: str,
        name: str,
        at: str | None = None,
    ) -> JoinedDevice:
        """Make a node in `home` that is a further device of whoever shows `code`, the code or QR
        text of `add_device`. `at` is an address to try, `name` what it calls itself.

        Raises `HomeExistsError`, `NotADeviceCodeError`, `NoSuchNodeError`, `UnreachableError`,
        `WrongCodeError` and the like.
        """
        from .joining import join  # brings the whole session

        return await join(_home(home), code, Secret(passphrase.encode()), name, at=at)

    @staticmethod
    def create(
        home: Path | str | None = None,
        *,
        passphrase: str,
        name: str,
        recovery_words: str | None = None,
    ) -> str:
        """Make a new node in `home` and return its 24 recovery words, which are kept nowhere.

        With `recovery_words` it is a new device of the identity that they make; `recover` then
        brings back what contacts keep. Takes about a second. `name` is what others see when
        pairing. Raises `HomeExistsError`, `MistypedWordsError`.
        """
        if recovery_words is not None:
            words = parsed(recovery_words)
            keys.recreate(
                _home(home),
                words,
                Secret(passphrase.encode()),
                name,
                entropy=secrets.token_bytes,
                now=int(time.time()),
            )
            return words.phrase()
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
        bootstraps = [views.Bootstrap(**item) for item in body.pop("wide_bootstraps", [])]
        connections = [views.Connection(**item) for item in body.pop("connections")]
        absent = [views.Absent(**item) for item in body.pop("absent")]
        devices = [DeviceStanding(**item) for item in body.pop("devices", [])]
        clock, readiness = body.pop("clock"), body.pop("readiness", None)
        return Status(
            **body,
            connections=connections,
            absent=absent,
            wide_bootstraps=bootstraps,
            devices=devices,
            clock=None if clock is None else Clock(**clock),
            readiness=None if readiness is None else views_recovery.readiness(readiness),
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
            yield read_step(line, PairingCode, Contact)

    async def pair(self, code: str, *, at: str | None = None, name: str | None = None) -> Contact:
        """Use a code like `7-maple-orbit`, a QR code's text or a ticket.

        `at` is `host:port` where discovery doesn't reach. Raises `WrongCodeError`,
        `NoSuchNodeError`, `InvalidCodeError`; for a ticket `InvalidTicketError`,
        `ForgedTicketError`, `ExpiredTicketError`, `RevokedTicketError`, `UsedUpTicketError`,
        `UnknownTicketError`.
        """
        async for line in self._stream("pair", code=code, at=at, name=name):
            return read_step(line, Contact)
        raise errors.InternalError

    async def contacts(self) -> list[Contact]:
        """Everybody this node paired with, by name."""
        return [Contact(**item) for item in await self._get("contacts")]

    async def contact(self, name: str) -> Contact:
        """One of them; `NoSuchContactError`."""
        return Contact(**await self._get("contacts", contact_segment(name)))

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
        holder: bool | None = None,
        backup: bool | None = None,
        yes: bool = False,
        fingerprint: str | None = None,
    ) -> Contact:
        """Change what is given. `LastBackupError`, unless `yes`, where that ends the only backup.

        `accept` is `ask` or `always`; `metadata` is what leaves with photos for them: `original`,
        `no-location` (as for every new contact) or `clean`. `holder` lets them hold for you what
        comes while you are away, if they offer to (`NoHolderError`), and with `backup` all that is
        yours as well (`NoBackupError`); `backup` alone changes nothing.
        `verified`, or the `fingerprint` that they show if it is theirs, ends a doubt about the key
        (`OtherFingerprintError` if not).
        """
        body = {
            "name": rename, "verified": verified, "muted": muted, "blocked": blocked,
            "accept": accept, "metadata": metadata, "holder": holder, "backup": backup,
            "yes": yes, "fingerprint": fingerprint,
        }  # fmt: skip
        return Contact(**await self._send("PATCH", ("contacts", contact_segment(name)), body))

    async def reach(self, name: str, at: str) -> Contact:
        """Connect a contact at `host:port`, where they are not found by themselves.

        The address is remembered. Raises `NoSuchContactError`, `BlockedContactError`,
        `BadAddressError`, `UnreachableError` if nobody answers there, or `UnknownPeerError` if who
        does is somebody else.
        """
        return Contact(**await self._post("contacts", contact_segment(name), "reach", at=at))

    # Photos.

    async def share(
        self,
        paths: Paths,
        to: Sequence[str],
        *,
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        rehash: bool = False,
        check: bool = False,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """Share files, and the photos in folders, with contacts; returns how each one stands.

        `metadata` says what leaves: `original` (the bytes as they are, with place, time and camera
        if they are in them), `no-location` or `clean`; without it each contact's own policy holds.
        With `max_px` a `clean` copy goes, no side longer than that; with `watermark` each contact
        gets a `clean` copy with an invisible mark of its own, by which `trace` knows it. `until`
        (seconds since 1970) ends the grant, which demands the form that is given. With `wait` it
        returns when each photo is delivered, refused, waiting for a person, or its contact was not
        there for ten seconds;
        the node delivers such later. A file that can't be shared is a `failed` item and the others
        go on. A file that was taken before and has its size, time and inode still is not read
        again, unless `rehash` says so. With `check` each photo is looked at for signs of editing
        before it goes, and its item tells the verdict; it goes whatever that is.
        One path and one name need no list.
        """
        steps = self.share_steps(
            paths,
            to,
            metadata=metadata,
            max_px=max_px,
            watermark=watermark,
            until=until,
            rehash=rehash,
            check=check,
            wait=wait,
        )
        return await last(steps, progress)

    async def share_steps(
        self,
        paths: Paths,
        to: Sequence[str],
        *,
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        rehash: bool = False,
        check: bool = False,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `share`, but yields every step: progress, and each item whenever its state changes."""
        places = [absolute(path) for path in several(paths)]
        async for line in self._stream(
            "share", paths=places, to=several(to), metadata=metadata, max_px=max_px,
            watermark=watermark, until=until, rehash=rehash, check=check, wait=wait,
        ):  # fmt: skip
            yield read_step(line, ShareItem, ShareProgress)

    # Its health.

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
            step = read_step(line, Finding, DoctorProgress)
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
            yield read_step(line, Event)


def _home(home: Path | str | None) -> Home:
    return Home.locate(Path(home) if home is not None else None)


def _client(address: ApiAddress) -> httpx.AsyncClient:
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    # Nothing here is TLS: whom it would trust need not be read.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if address.socket is not None:
        transport = httpx.AsyncHTTPTransport(verify=nobody, uds=address.socket)
        return httpx.AsyncClient(transport=transport, base_url="http://kinlight", timeout=timeout)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{address.port}",
        headers={"Authorization": f"Bearer {address.token}"},
        verify=nobody,
        timeout=timeout,
        trust_env=False,
    )
