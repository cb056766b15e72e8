"""What goes to others and what becomes of it, as it is shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ShareItem:
    """One file on its way to one contact; or, in the state `open`, granted to whoever has what `to`
    says.

    `state` is `queued` (the contact has not taken it yet), `offered` (it is being fetched), `held`
    (by somebody else until the contact comes), `waiting` (for a person at the other side),
    `delivered` (whole, verified and on disk there), `refused` or `failed`; `code` and `message` say
    why for the last two, or what delays it. `policy` is what was kept to; `leaves` says in words
    what the photo tells beside what it shows (`place`, `time`, `camera`, as far as that is known),
    `left_out` what a changed copy lacks. `name`, `sha256` and `bytes` are of what goes: the copy,
    where there is one; `max_px` is the longest side that it may have, and `watermarked` says that
    it bears a mark that names who gets it. `file` is the photo's id where it was granted out of the
    library.
    `grant` is the hash of the grant, by which it can be taken back. `held_by` names those who hold
    what is `held`. `verdict` is the word of `Verdict` where the photo was to be checked first.
    """

    file: str
    name: str
    to: str
    state: str
    photo_id: str | None = None
    sha256: str | None = None
    bytes: int = 0
    policy: str | None = None
    leaves: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])
    code: str | None = None
    message: str | None = None
    max_px: int | None = None
    watermarked: bool = False
    grant: str | None = None
    held_by: list[str] = field(default_factory=list[str])
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class ShareProgress:
    """How far the sealing of a file, or its sending to a contact, has come."""

    file: str
    to: str | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What became of a photo at one device of a contact; `policy` is what went: the original, or a
    copy. `receipt` is since when the device has it, by its own clock and signed; None: no receipt.
    `held_by` are those who hold it for the device, by name.
    """

    to: str
    state: str
    code: str | None
    expires: int | None
    updated: int
    policy: str
    device: str = ""
    receipt: int | None = None
    held_by: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Receipt:
    """A device's signed word that it has a photo, stored and verified: not that anybody saw it.

    `device` is its key, `sender` the identity that the photo came from and `content_id` what was
    sealed; it has that since `time`, by its own clock. `encoded` is the receipt itself, in hex. Of
    one that was kept here `photo` is the id of what went, `name` that photo's (empty where it is
    not to be seen any more), `to` the contact with the device and `fingerprint` theirs, and it came
    when `received` says. `clock_differs` says that `time` is more than five minutes before what was
    sent, or after what was received.
    """

    device: str
    sender: str
    sender_fingerprint: str
    content_id: str
    time: int
    commitment: str
    encoded: str
    photo: str | None = None
    name: str | None = None
    to: str | None = None
    fingerprint: str | None = None
    received: int | None = None
    clock_differs: bool = False
