"""Desktop notifications: that photos came or wait, or an album, told seldom, and without saying
whose or which.

A locked screen shows them to whoever stands before it, so nothing is named, and a contact only
where `config.toml` says `details = true`. They are shown by the desktop's own small program, run
with arguments and never by a shell: the daemon then needs no code that speaks D-Bus, and no text
of a peer is ever part of a script.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..protocol.errors import RevokedDeviceError
from . import names
from .contact_errors import NoSuchContactError
from .events import Events
from .library import Library
from .pace import Pace
from .views import Event

QUIET_SECONDS: Final = 3.0
"""A burst is over when nothing has come for so long."""
BURST_SECONDS: Final = 60.0
"""One that does not end is told after so long."""
PAUSE_SECONDS: Final = 60.0
"""From one notification to the next; what comes meanwhile is told together."""
SHOW_SECONDS: Final = 10.0
"""The program that shows it is ended after so long."""
NAMES: Final = 3
"""Contacts that one notification names."""
_NAME_LETTERS: Final = 40

_TITLE: Final = "kinlight"
_NEWS: Final = ("offer", "album", "caller-refused")
_SCRIPT: Final = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desktop:
    """The program that shows notifications here. `program` is the path of one of two."""

    program: str | None
    kind: str

    @classmethod
    def found(cls) -> Desktop:
        """`osascript` on macOS, `notify-send` on other desktops."""
        kind = "osascript" if sys.platform == "darwin" else "notify-send"
        return cls(shutil.which(kind), kind)

    def argv(self, text: str) -> list[str]:
        """Its arguments. `text` is plain: what freedesktop would take for markup is escaped."""
        program = self.program or self.kind
        if self.kind == "osascript":
            script = [word for line in _SCRIPT for word in ("-e", line)]
            return [program, *script, _TITLE, text]
        return [program, f"--app-name={_TITLE}", "--", _TITLE, html.escape(text, quote=False)]


@dataclass(slots=True)
class _Burst:
    """What came since the last notification: the senders of photos by their ids."""

    arrived: dict[str, str] = field(default_factory=dict[str, str])
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    albums: dict[str, str] = field(default_factory=dict[str, str])
    """Who let this node into albums that nobody here has joined yet, by their ids."""
    lost_device: bool = False
    began: float = 0.0
    latest: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.arrived or self.waiting or self.albums or self.lost_device)

    def text(self, *, details: bool) -> str:
        """One sentence for each kind of news."""
        told: list[str] = []
        for photos, verb in ((self.arrived, "arrived"), (self.waiting, "wait")):
            if photos:
                told.append(_sentence(len(photos), verb, photos.values() if details else ()))
        if self.albums:
            told.append(_invitations(len(self.albums), self.albums.values() if details else ()))
        if self.lost_device:
            told.append("A device that its owner has revoked tried to connect.")
        return " ".join(told)


def _sentence(count: int, verb: str, senders: Iterable[str]) -> str:
    by = _from(senders)
    photos = "A photo" if count == 1 else f"{count} photos"
    if verb == "arrived":
        return f"{photos}{by} {'has' if count == 1 else 'have'} arrived."
    return f"{photos}{by} {'waits' if count == 1 else 'wait'} for your decision."


def _invitations(count: int, inviters: Iterable[str]) -> str:
    albums = "An album" if count == 1 else f"{count} albums"
    return f"{albums}{_from(inviters)} {'waits' if count == 1 else 'wait'} for you to join."


def _from(people: Iterable[str]) -> str:
    known = list(dict.fromkeys(people))
    named = [names.shown(name)[:_NAME_LETTERS] for name in known[:NAMES]]
    if len(known) > NAMES:
        named.append("others")
    return f" from {_joined(named)}" if named else ""


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


class Notifier:
    """Tells the desktop of news, while `run` runs. Whatever fails there is logged once."""

    def __init__(
        self,
        *,
        events: Events,
        library: Library,
        pace: Pace,
        details: bool,
        desktop: Desktop | None = None,
    ) -> None:
        self._events = events
        self._library = library
        self._pace = pace
        self._details = details
        self._desktop = desktop or Desktop.found()
        self._failed = False

    async def run(self) -> None:
        """Listen, gather what comes close together, and show it; returns if nothing can show it."""
        if self._desktop.program is None:
            _log.warning("no desktop notifications: %s is not installed", self._desktop.kind)
            return
        burst, not_before = _Burst(), self._pace.clock()
        with self._events.listen(_NEWS) as queue:
            while True:
                wait = None
                if burst:
                    quiet = min(burst.latest + QUIET_SECONDS, burst.began + BURST_SECONDS)
                    wait = max(quiet, not_before) - self._pace.clock()
                    if wait <= 0:
                        await self._show(burst.text(details=self._details))
                        burst, not_before = _Burst(), self._pace.clock() + PAUSE_SECONDS
                        continue
                for event in await self._pace.news(queue, wait):
                    self._add(burst, event)

    def _add(self, burst: _Burst, event: Event) -> None:
        first = not burst
        if event.name == "caller-refused":
            # Only a device that proved itself gets this code; strangers make no noise here.
            if event.data.get("code") != RevokedDeviceError.code:
                return
            burst.lost_device = True
        elif event.name == "album":
            album, inviter = str(event.data.get("id")), self._inviter(event)
            if event.data.get("what") in ("joined", "left", "removed"):
                burst.albums.pop(album, None)
            if inviter is None or self._muted(inviter):
                return
            burst.albums[album] = inviter
        else:
            photo, sender = str(event.data.get("id")), str(event.data.get("sender"))
            state = event.data.get("state")
            if state not in ("stored", "waiting") or "code" in event.data or self._muted(sender):
                return
            if state == "stored":
                burst.waiting.pop(photo, None)
                burst.arrived[photo] = sender
            else:
                burst.waiting[photo] = sender
        burst.latest = self._pace.clock()
        if first:
            burst.began = burst.latest

    def _inviter(self, event: Event) -> str | None:
        """The name of who let this node into an album; None if that is not the news, or a stranger:
        who is muted must not be heard by another way.
        """
        by = event.data.get("by")
        contact = self._library.contact_of(bytes.fromhex(by)) if isinstance(by, str) else None
        return None if contact is None else contact.name

    def _muted(self, sender: str) -> bool:
        """Whether there is to be no news of that contact: who was renamed or removed has some."""
        try:
            return self._library.contact(sender).muted
        except NoSuchContactError:
            return False

    async def _show(self, text: str) -> None:
        """Run the program to its end, or its time."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._desktop.argv(text),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            self._say_once(type(error).__name__)
            return
        ended = asyncio.ensure_future(process.wait())
        time_is_up = asyncio.ensure_future(self._pace.sleep(SHOW_SECONDS))
        try:
            await asyncio.wait((ended, time_is_up), return_when=asyncio.FIRST_COMPLETED)
        finally:
            time_is_up.cancel()
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.wait((ended,))
        if process.returncode != 0:
            self._say_once("the desktop may not answer")

    def _say_once(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            _log.warning("a desktop notification was not shown: %s", reason)
