"""How the node is, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import names, times

if TYPE_CHECKING:
    from .views import Absent, Bootstrap, Clock, Connection, Status
    from .views_recovery import Readiness
    from .views_siblings import DeviceStanding

MAX_ABSENT: Final = 10
"""Contacts who are not connected, as `status` shows them to people; JSON holds all."""
_OUTCOMES: Final = {
    "no-answer": "no answer at {}",
    "refused": "nobody listens at {}",
    "no-way": "this machine's network does not lead to {}",
    "unknown-name": "there is no machine by the name of {}",
    "somebody-else": "somebody else answers at {}",
    "broken-off": "the connection to {} was broken off",
}
_DECODERS: Final = ("pillow", "libjpeg-turbo", "libheif", "avif", "ffmpeg")


def status_lines(status: Status) -> list[tuple[str, str]]:
    """How the node is, for people: lines, each with its style."""
    lines = [(f"kinlight {status.version}, process {status.pid}, {status.home}", "")]
    if status.locked:
        return [*lines, ("Locked. `kinlight unlock` opens it.", "yellow")]
    name = names.shown(status.name or "")
    lines.append((f"Unlocked as {name}, listening on port {status.port}.", ""))
    lines.append(_discovery_line(status))
    lines += _wide_lines(status)
    if status.sandbox not in (None, "off"):
        found = status.libraries
        by = ", ".join(f"{name} {found[name]}" for name in _DECODERS if name in found)
        lines.append((f"Pictures are opened in a sandbox ({status.sandbox}), by {by}.", ""))
    if status.clock is not None and status.clock.witnessed is not None:
        lines.append(clock_line(status.clock))
    if status.readiness is not None:
        lines += readiness_lines(status.readiness)
    if status.invitations:
        what = "An album waits" if status.invitations == 1 else f"{status.invitations} albums wait"
        lines.append((f"{what} for you to join: `kinlight album list`.", "green"))
    now = status.clock.now if status.clock is not None else 0
    width = max((len(names.shown(each.contact)) for each in status.connections), default=0)
    lines += [(f"  {connection_line(each, now, width)}", "green") for each in status.connections]
    lines += [standing_line(each) for each in status.devices]
    if not status.connections:
        lines.append(("  Nobody is connected at the moment.", ""))
    lines += [(f"  {absent_line(each)}", "dim") for each in status.absent[:MAX_ABSENT]]
    if (more := len(status.absent) - MAX_ABSENT) > 0:
        lines.append((f"  And {more} more are not. `kinlight contacts list` shows all.", "dim"))
    return lines


def readiness_lines(found: Readiness) -> list[tuple[str, str]]:
    """What there is to get everything back with: one line, and one more if something misses."""
    words = "the words were never checked"
    if found.words_checked is not None:
        words = f"words checked {times.shown(found.words_checked)}"
    file = "no backup file" if found.file is None else f"file of {times.shown(found.file)}"
    count = len(found.holders)
    kept = f"{count} keep a backup" if count != 1 else "1 keeps a backup"
    whole = max((each.whole or 0 for each in found.holders), default=0)
    kept += f", whole {times.shown(whole)}" if whole else ""
    lines = [(f"To get everything back: {words}; {kept}; {file}.", "")]
    if found.photos and not found.holders and found.file is None:
        text = (
            "If this machine is lost, so are its photos. `kinlight backup FILE` writes a copy;"
            " `kinlight contacts let-hold NAME --backup` lets a contact keep one."
        )
        lines.append((text, "yellow"))
    if found.words_checked is None:
        text = "Whether the words on paper are right `kinlight recover --check-words` says."
        lines.append((text, "yellow" if found.photos else ""))
    return lines


def _discovery_line(status: Status) -> tuple[str, str]:
    if status.discovery != "mdns":
        reason = status.discovery_reason or "It is switched off in config.toml."
        return f"No discovery. {reason}", "yellow"
    if status.nodes_seen:
        others = "1 other node" if status.nodes_seen == 1 else f"{status.nodes_seen} other nodes"
        return f"Discovery on this network works: {others} in sight.", ""
    if any(each.path == "lan" for each in status.connections):
        text = (
            "No other node is in sight although contacts are connected: this network seems to block"
            " multicast. Where they were before they are found again, elsewhere by"
            " `kinlight contacts reach NAME ADDRESS`."
        )
        return text, "yellow"
    if status.looking:
        return "Looking for other nodes on this network.", ""
    return "No other node is in sight: nobody is there, or this network blocks multicast.", ""


def bootstrap_lines(bootstraps: list[Bootstrap]) -> list[str]:
    """Those who can't be asked, and why."""
    return [
        f"{each.address} can't be asked: {each.reason}. It is tried again."
        for each in bootstraps
        if each.reason is not None
    ]


def _wide_lines(status: Status) -> list[tuple[str, str]]:
    match status.wide:
        case "on":
            addresses = [(f"  {address}", "") for address in status.wide_addresses]
            unasked = [(line, "yellow") for line in bootstrap_lines(status.wide_bootstraps)]
            return [("The wide area is on. Contacts reach this node at", ""), *addresses, *unasked]
        case "starting":
            return [("The wide area is about to start.", "")]
        case "failed":
            return [(f"The wide area does not work: {status.wide_reason}.", "yellow")]
        case _:
            return []


def clock_line(clock: Clock) -> tuple[str, str]:
    """The time by which the node judges, and whether it looks wrong."""
    if clock.witnessed is None:
        return f"The time is {times.shown(clock.now)}.", ""
    text = (
        f"The clock looks wrong: it says {times.shown(clock.system)}, and this node saw"
        f" {times.shown(clock.witnessed)} before. Grants that ended in between count again. Set it"
        " right, or say `kinlight clock --right` if it is."
    )
    return text, "yellow"


def connection_line(connection: Connection, now: int, width: int = 0) -> str:
    """A contact who is connected, by which way, and for how long."""
    via = f" via {connection.interface}" if connection.interface else ""
    return (
        f"{names.shown(connection.contact):<{width}}  {connection.path}"
        f"  {connection.address}{via}  {times.lasted(now - connection.since)}"
    )


def absent_line(absent: Absent) -> str:
    """A contact who is not connected: when they were last here, and how the last try went."""
    seen = f"last here {times.shown(absent.last_seen)}" if absent.last_seen else "never here yet"
    tried = ""
    if absent.outcome in _OUTCOMES:
        tried = f"; {_OUTCOMES[absent.outcome].format(names.shown(absent.address or ''))}"
    return f"{names.shown(absent.contact)}  not connected, {seen}{tried}"


def standing_line(each: DeviceStanding) -> tuple[str, str]:
    """How far another device is, for `status`."""
    name = names.shown(each.name)
    if each.heard is None:
        return f"  {name}, a device of yours: nothing was heard of it yet", "dim"
    rest: list[str] = []
    if each.behind:
        rest.append(f"lacks {each.behind} of what was said here")
    if each.lacks:
        rest.append(f"waits for {each.lacks} photos")
    where = "connected" if each.connected else f"last heard {times.shown(each.heard)}"
    text = f"  {name}, a device of yours: {where}, {' and '.join(rest) or 'has all that is here'}"
    return text, "green" if each.connected and not rest else ""
