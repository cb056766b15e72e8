"""What the command line prints: for people with Rich, for scripts as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from ..crypto.errors import KinlightError
from . import leaving, names, times
from .facts import A_CLIP
from .printing_status import clock_line, status_lines
from .verdicts import WORDS, short_verdict, verdict_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

    from .views import Clock, Identity, Status
    from .views_contacts import Contact, PairingCode
    from .views_library import ExportedFile, InboxItem, PhotoDetails
    from .views_sharing import DeliveryState, ShareItem, ShareProgress


_UNFOLDED: Final = 100_000
"""Columns of what is no terminal."""
_POLICIES: Final = {
    "original": "the file is as it was at the author's",
    "no-location": "a copy of the author's file that tells no place",
    "clean": "the picture and its date, out of the author's file",
}


class Output:
    """Where results go. With `as_json` stdout holds JSON only and people read stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    # The two ways.

    def value(self, value: Any) -> None:
        """One result, for scripts."""
        # A terminal may take some letters of a name for commands.
        text = json.dumps(_plain(value), ensure_ascii=sys.stdout.isatty())
        try:
            text.encode()
        except UnicodeEncodeError:  # the path of a file may hold bytes that are no text
            text = json.dumps(_plain(value))
        print(text, flush=True)

    def say(self, text: str, *, style: str = "") -> None:
        """A line for people; text from peers must have gone through `names.shown`."""
        self._console(err=self.as_json).print(text, style=style, markup=False, highlight=False)

    def error(self, error: KinlightError) -> None:
        """An error: its code and its sentence."""
        if self.as_json:
            self.value({"error": {"code": error.code, "message": str(error)}})
        else:
            text = names.shown(str(error))
            self._console(err=True).print(text, style="red", markup=False, highlight=False)

    @staticmethod
    def _console(*, err: bool) -> Console:
        from rich.console import Console

        return Console(stderr=err, soft_wrap=True)

    def result(self, value: object, text: str) -> None:
        """A result that reads the same to both."""
        if self.as_json:
            self.value(value)
        else:
            self.say(text)

    def done(self, text: str) -> None:
        """Something was done that has no result."""
        if self.as_json:
            self.value({"ok": True})
        else:
            self.say(text)

    # Each kind of result.

    def status(self, status: Status) -> None:
        """How the node is."""
        if self.as_json:
            self.value(status)
            return
        for text, style in status_lines(status):
            self.say(text, style=style)

    def clock(self, clock: Clock) -> None:
        """The time, and whether it looks wrong."""
        if self.as_json:
            self.value(clock)
        else:
            text, style = clock_line(clock)
            self.say(text, style=style)

    def identity(self, identity: Identity) -> None:
        """Who the node is."""
        if self.as_json:
            self.value(identity)
            return
        self.say(names.shown(identity.name), style="bold")
        self.say(identity.fingerprint)

    def contacts(self, contacts: list[Contact]) -> None:
        """A list of contacts."""
        if self.as_json:
            for contact in contacts:
                self.value(contact)
            return
        if not contacts:
            self.say("No contacts yet. `kinlight pair` meets somebody.")
            return
        self._contacts(contacts)
        for contact in contacts:
            if contact.holder == "offered" and not contact.blocked:
                name = names.shown(contact.name)
                self.say(
                    f"{name} would hold what others send you while you are away:"
                    f" `kinlight contacts let-hold {shlex.quote(name)}` lets them."
                )

    def contact(self, contact: Contact) -> None:
        """One contact."""
        if self.as_json:
            self.value(contact)
        else:
            self._contacts([contact])

    def _contacts(self, contacts: list[Contact]) -> None:
        rows = [
            (
                names.shown(contact.name),
                "connected" if contact.connected else "",
                "verified" if contact.verified else "not verified",
                f"accept: {contact.accept}",
                f"metadata: {contact.metadata}",
                " ".join(
                    word
                    for word, holds in (
                        ("muted", contact.muted),
                        ("blocked", contact.blocked),
                        ("holds for you", contact.holder == "chosen" and not contact.blocked),
                        ("would hold for you", contact.holder == "offered" and not contact.blocked),
                        (f"has {contact.backed_up:,} backed up", contact.backup == "chosen"),
                    )
                    if holds
                ),
            )
            for contact in contacts
        ]
        self.table(("name", "", "", "", "", ""), rows)

    def safety_number(self, contact: Contact) -> None:
        """The number to compare, four lines as it is read out."""
        groups = contact.safety_number.split()
        self.say(f"Safety number with {names.shown(contact.name)}:")
        for start in range(0, len(groups), 4):
            self.say("    " + " ".join(groups[start : start + 4]), style="bold")

    def pairing_code(self, code: PairingCode, *, qr: bool) -> None:
        """A code to read out, and its QR twin."""
        if self.as_json:
            self.value({"code": code.code, "invitation": code.invitation, "expires": code.expires})
            return
        self.say("On the other machine, within two minutes:")
        self.say(f"\n    kinlight pair {code.code}\n", style="bold")
        if qr:
            import segno

            self.say("or scan, or pass on its text with `kinlight pair 'kinlight:…'`:\n")
            segno.make(code.invitation, error="m").terminal(compact=True)
            self.say(code.invitation)

    def paired(self, contact: Contact) -> None:
        """A new contact, and the number that shows that nobody sits in between."""
        if self.as_json:
            self.value({"contact": _plain(contact)})
            return
        self.say(f"Paired with {names.shown(contact.name)}.", style="green")
        self.safety_number(contact)
        name = shlex.quote(names.shown(contact.name))
        self.say(
            "Both sides see the same number. Compare it once,"
            f" then `kinlight contacts verify {name}`."
        )

    def recovery_words(self, phrase: str) -> None:
        """The words of a new node, once."""
        words = phrase.split()
        self.say("These 24 words are the only way back to your identity. They are shown once:\n")
        for row in range(6):
            cells = (f"{4 * row + col + 1:2}. {words[4 * row + col]:<10}" for col in range(4))
            self.say("   " + " ".join(cells), style="bold")
        self.say("\nWrite them on paper and keep it where your photos are not.\n")

    def leaves(self, items: list[ShareItem]) -> None:
        """What leaves with a share, on one line."""
        line = leaving.line(items)
        if line is not None:
            self.say(line)

    def share_item(self, item: ShareItem) -> None:
        """How a share stands."""
        if self.as_json:
            self.value(item)
            return
        what = f"{names.shown(item.name)} for {names.shown(item.to)}"
        if item.verdict is not None:
            what += f" ({WORDS[item.verdict]})"
        reason = names.shown(item.message or item.code or "")
        match item.state:
            case "delivered":
                self.say(f"✓ {what}: delivered, whole and verified", style="green")
            case "open":
                self.say(f"✓ {names.shown(item.name)} for whoever has {names.shown(item.to)}")
            case "waiting":
                self.say(f"… {what}: waits there to be accepted")
            case "held":
                holders = " and ".join(map(names.shown, item.held_by)) or "a contact of both"
                self.say(f"… {what}: held by {holders} until they come for it")
            case "queued" | "offered" if reason:
                self.say(f"✗ {what}: not yet. {reason}", style="red")
            case "queued":
                self.say(f"… {what}: waits here, and goes whenever they can be reached")
            case "offered":
                self.say(f"… {what}: is on its way, and goes on whenever they can be reached")
            case _:
                self.say(f"✗ {what}: {reason}", style="red")

    @contextlib.contextmanager
    def bars(self) -> Generator[Bars]:
        """Room for progress bars on stderr, where that is a terminal."""
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console(err=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        with bars:
            yield bars

    @contextlib.contextmanager
    def progress(self) -> Generator[Progress]:
        """Progress bars of a share while the block runs."""
        with self.bars() as bars:
            yield Progress(bars)

    def inbox(self, items: list[InboxItem]) -> None:
        """A list of offers."""
        if self.as_json:
            for item in items:
                self.value(item)
            return
        if not items:
            self.say("Nothing has come yet.")
            return
        rows = [
            (
                item.id[:8],
                self._from(item),
                names.shown(item.name or "a photo"),
                size(item.bytes),
                self._inbox_state(item),
                short_verdict(item.verdict),
                times.shown(item.received),
            )
            for item in items
        ]
        self.table(("id", "from", "name", "size", "state", "check", "received"), rows)
        if any(item.state == "waiting" for item in items):
            self.say("`kinlight inbox accept ID` fetches a waiting photo.")

    def inbox_item(self, item: InboxItem) -> None:
        """One offer."""
        if self.as_json:
            self.value(item)
        else:
            self.inbox([item])

    @staticmethod
    def _from(item: InboxItem) -> str:
        """Who sent it, and whose it is if that is another."""
        if item.by_link:
            return f"{names.shown(item.sender)} (by a link)"
        if item.author == item.sender:
            return names.shown(item.sender)
        author = item.author or f"a stranger, {item.author_fingerprint[:15]}…"
        return f"{names.shown(item.sender)} (by {names.shown(author)})"

    @staticmethod
    def _inbox_state(item: InboxItem) -> str:
        if item.state == "accepted" and item.pieces is not None and item.pieces_total:
            return f"{100 * item.pieces // item.pieces_total} %"
        if item.message and item.state != "stored":
            return f"{item.state}: {item.message}"
        return item.state

    def photo(self, photo: PhotoDetails) -> None:
        """All about a photo."""
        if self.as_json:
            self.value(photo)
            return
        author = "you" if photo.own else names.shown(photo.author or "somebody you don't know")
        checked = [f"not done; `kinlight check --photo {photo.id[:8]}` does it"]
        if photo.verdict is not None:
            checked = verdict_lines(photo.verdict)
        passing = [sender for sender in photo.senders if sender != photo.author]
        self.say(names.shown(photo.name), style="bold")
        rows = [
            ("id", photo.id),
            ("type and size", f"{names.shown(photo.media_type)}, {size(photo.bytes)}"),
            ("modified", times.shown(photo.modified)),
            ("SHA-256", photo.sha256),
            ("metadata", f"{photo.policy}: {_POLICIES.get(photo.policy, '')}"),
            ("signed by", f"{author} ({photo.author_fingerprint})"),
            *([("passed on by", ", ".join(map(names.shown, passing)))] if passing else []),
            (
                "signature",
                photo.signature + ("" if photo.own else "; every byte checked when it came"),
            ),
            *(
                ("content check" if number == 0 else "", names.shown(line))
                for number, line in enumerate(checked)
            ),
        ]
        if photo.away:
            where = f"let go here; `kinlight space fetch {photo.id[:8]}` brings it back"
            rows.append(("original", where))
        if photo.captured is not None:
            rows.append(("captured", f"{photo.captured} ({photo.captured_source})"))
        if photo.camera is not None:
            rows.append(("camera", names.shown(photo.camera)))
        if photo.place is not None:
            rows.append(("place", names.shown(photo.place)))
        if photo.position is not None:
            latitude, longitude = photo.position
            rows.append(("position", f"{latitude:.5f}, {longitude:.5f}"))
        if photo.width is not None:
            rows.append(("pixels", f"{photo.width} x {photo.height}"))
        if photo.refused not in (None, A_CLIP):
            rows.append(("can't be shown", names.shown(photo.refused)))
        if photo.c2pa is not None:
            rows.append(("C2PA", photo.c2pa))
        if photo.clip is not None:
            rows.append(("clip", photo.clip))
        if photo.albums:
            rows.append(("albums", ", ".join(names.shown(album) for album in photo.albums)))
        if photo.tags:
            rows.append(("tags", ", ".join(names.shown(tag) for tag in photo.tags)))
        if photo.sensitivity != "normal":
            rows.append(("sensitivity", photo.sensitivity))
        if photo.expires is not None:
            rows.append(("granted until", times.shown(photo.expires)))
        rows += [
            (f"to {names.shown(delivery.to)}", _delivery(delivery)) for delivery in photo.deliveries
        ]
        self.table(("", ""), rows)

    def exported(self, file: ExportedFile) -> None:
        """Where a photo was written."""
        if self.as_json:
            self.value(file)
            return
        how = "was there already" if file.already else "written"
        self.say(f"{names.shown(file.path)}: {how}, {size(file.bytes)}, SHA-256 {file.sha256}")
        if file.clip is not None:
            self.exported(file.clip)

    def table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Rows for people; the cells must have gone through `names.shown`."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=any(header), pad_edge=False, header_style="dim")
        for title in header:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console = self._console(err=self.as_json)
        if not console.is_terminal:
            console.width = _UNFOLDED  # a program reads lines: one for each row
        console.print(table)


class Progress:
    """One bar for all, and bars by file: sealing, then sending to each contact."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._all = bars.add_task("looking for photos", total=None)
        self._items: set[tuple[str, str]] = set()
        self._delivered: set[tuple[str, str]] = set()
        self._names: dict[str, str] = {}
        self._unreached: dict[str, bool] = {}
        self._tasks: dict[tuple[str, str | None], Any] = {}

    def stands(self, item: ShareItem) -> None:
        """Count those that were delivered."""
        key = item.file, item.to
        self._items.add(key)
        if item.state == "delivered":
            self._delivered.add(key)
        self._names[item.file] = item.name
        # Who takes nothing is perhaps not there: that is what is waited for in the end.
        self._unreached[item.to] = self._unreached.get(item.to, True) and item.state == "queued"
        what = f"{len(self._delivered)} of {len(self._items)} delivered"
        absent = [names.shown(to) for to, unreached in self._unreached.items() if unreached]
        if absent:
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            what += f", looking for {absent[0]}{more}"
        self._bars.update(self._all, description=what)

    def show(self, step: ShareProgress) -> None:
        """Move a bar; one that is full goes away, as there may be ten thousand."""
        key = step.file, step.to
        if step.done >= step.total:
            if key in self._tasks:
                self._bars.remove_task(self._tasks.pop(key))
            return
        if key not in self._tasks:
            # What is in the library goes by its id, which says nothing to people.
            name = names.shown(self._names.get(step.file) or step.file.rsplit("/", 1)[-1])
            what = f"sealing {name}" if step.to is None else f"{name} to {names.shown(step.to)}"
            self._tasks[key] = self._bars.add_task(what, total=step.total)
        self._bars.update(self._tasks[key], completed=step.done, total=step.total)


def _delivery(delivery: DeliveryState) -> str:
    """How a delivery stands, and what its device signed."""
    text = f"{delivery.state} ({delivery.policy}), device {delivery.device[:8]}"
    if delivery.held_by:
        return f"{text}; held by {', '.join(map(names.shown, delivery.held_by))}"
    if delivery.receipt is not None:
        return f"{text}; receipt of {times.shown(delivery.receipt)}: stored and verified, not read"
    return f"{text}; no receipt" if delivery.state == "delivered" else text


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def size(count: int) -> str:
    """Bytes for people."""
    left = float(count)
    for unit in ("B", "kB", "MB"):
        if left < 1000:
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:.1f} GB"
