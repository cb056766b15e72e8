"""What the commands about devices of one's own print; see `printing`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views_contacts import PairingCode
    from .views_devices import JoinedDevice, OwnDevice

_KEY_DIGITS: Final = 8


def code(out: Output, shown: PairingCode, *, qr: bool) -> None:
    """A code for a new device, and its QR twin."""
    if out.as_json:
        out.value({"code": shown.code, "invitation": shown.invitation, "expires": shown.expires})
        return
    out.say("On the new machine, within two minutes:")
    out.say(f"\n    kinlight device join {shown.code}\n", style="bold")
    out.say("Who uses this code becomes you. Show it to nobody.\n", style="yellow")
    if qr:
        import segno

        out.say("or pass on this text with `kinlight device join 'kinlight:…'`:\n")
        segno.make(shown.invitation, error="m").terminal(compact=True)
        out.say(shown.invitation)


def added(out: Output, device: OwnDevice) -> None:
    """A device used the code."""
    if out.as_json:
        out.value(device)
        return
    name = names.shown(device.name)
    out.say(f"{name} ({device.device[:_KEY_DIGITS]}) is a device of yours now.", style="green")
    out.say(
        "The other screen shows the same name and digits. If it doesn't,"
        f" `kinlight device revoke {shlex.quote(name)}` takes it back."
    )


def joined(out: Output, device: JoinedDevice) -> None:
    """What this machine became."""
    if out.as_json:
        out.value(device)
        return
    out.say(
        f"This is {names.shown(device.name)} ({device.device[:_KEY_DIGITS]}) now,"
        f" added by {names.shown(device.added_by)}, a device of",
        style="green",
    )
    out.say(device.fingerprint)


def listed(out: Output, devices: Sequence[OwnDevice]) -> None:
    """Devices, and how they stand."""
    if out.as_json:
        for device in devices:
            out.value(device)
        return
    rows = [
        (
            names.shown(device.name),
            device.device[:_KEY_DIGITS],
            times.shown(device.added),
            "the words" if device.added_by is None else names.shown(device.added_by),
            _seen(device),
            "yes" if device.may_certify else "no",
        )
        for device in devices
    ]
    out.table(("name", "key", "added", "by", "last seen", "may add others"), rows)


def revoked(out: Output, devices: Sequence[OwnDevice]) -> None:
    """What was taken back."""
    if out.as_json:
        for device in devices:
            out.value(device)
        return
    out.say(f"Revoked: {', '.join(names.shown(device.name) for device in devices)}.")
    out.say(
        "Contacts and your other devices refuse it from when they hear of it: now, or as soon as"
        " they connect. What it has it keeps."
    )


def _seen(device: OwnDevice) -> str:
    if device.revoked:
        return "revoked"
    if device.this:
        return "this one"
    if device.connected:
        return "now"
    return "never" if device.last_seen is None else times.shown(device.last_seen)
