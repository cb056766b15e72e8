"""Contacts, and how they are met, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody this node paired with.

    `accept` is `ask` or `always`. `metadata` is the policy for what is sent to them: `original`,
    `no-location` or `clean`. `holder` is `offered` if they would hold for this node what comes
    while it is away, `chosen` if they are let, else `no`; `backup` is the same for a backup of this
    node, of which they have `backed_up` photos.

    Where two keys were seen for one, `doubt` is `secret` (another key had the secret that you two
    share), `name` (somebody new has that name) or `fork` (a device of theirs was copied, or lies),
    since `doubt_since`; `doubt_seen` is the fingerprint of the other key, or the device. Of a fork
    `doubt_proof` has two signed heads and the certificates, in hex. Nothing goes either way then.
    """

    name: str
    fingerprint: str
    safety_number: str
    verified: bool
    muted: bool
    blocked: bool
    accept: str
    metadata: str
    connected: bool
    added: int
    holder: str = "no"
    backup: str = "no"
    backed_up: int = 0
    doubt: str | None = None
    doubt_since: int | None = None
    doubt_seen: str | None = None
    doubt_proof: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A code to read out and the text of its QR twin; both end at `expires`."""

    code: str
    invitation: str
    expires: int

    def __repr__(self) -> str:
        return f"PairingCode(expires={self.expires})"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that this node made. `text` is what to pass on; only who made it just now sees it.

    `state` is `open`, `used-up`, `expired` or `revoked`. `used` of `uses` are over; `by` names the
    contacts who used it, `name` is what to call who does. `addresses` are where it says that this
    node may be reached, `relays` where it may be asked for.
    """

    id: str
    state: str
    issued: int
    expires: int
    uses: int
    used: int
    by: list[str]
    name: str | None
    addresses: list[str]
    relays: list[str]
    text: str | None = None

    def __repr__(self) -> str:
        return f"Ticket(id={self.id}, state={self.state})"


@dataclass(frozen=True, slots=True)
class TicketDetails:
    """What a ticket says, whoever made it. Its signature was checked.

    `state` is `valid`, `expired` or `not-yet`, by this machine's clock; whether it was revoked or
    used up its maker knows alone. `fingerprint` is of its maker's `identity`, `device` signed it.
    """

    id: str
    state: str
    fingerprint: str
    identity: str
    device: str
    issued: int
    expires: int
    uses: int
    addresses: list[str]
    relays: list[str]
