"""Contacts, how they are met, and the devices of this person, as the API asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from ..crypto.errors import MalformedError
from ..crypto.identity import fingerprint, parse_fingerprint, safety_number
from ..crypto.recovery import RecoveryWords
from ..protocol.devices import OwnDevice
from ..protocol.joining import DeviceRequest, Gift
from . import joining, library, names, policies, views, views_contacts, views_devices
from .contact_errors import BlockedContactError, OtherFingerprintError
from .doubts import Doubt
from .engine_state import EngineState
from .errors import BadRequestError
from .meeting import OpenCode
from .multiaddrs import parse_any_address
from .unlocked import Unlocked


class EnginePeople(EngineState):
    """Who there is."""

    def identity(self) -> views.Identity:
        """Who this node is to others."""
        device = self._unlocked().device
        return views.Identity(
            device.name,
            fingerprint(device.identity),
            device.identity.hex(),
            device.signing.public.hex(),
        )

    def contacts(self) -> list[views_contacts.Contact]:
        """Everybody this node paired with."""
        opened = self._unlocked()
        return [self._contact(opened, contact) for contact in opened.library.contacts()]

    def contact(self, name: str) -> views_contacts.Contact:
        """One of them."""
        opened = self._unlocked()
        return self._contact(opened, opened.library.contact(name))

    def _contact(self, opened: Unlocked, contact: library.Contact) -> views_contacts.Contact:
        return views_contacts.Contact(
            name=contact.name,
            fingerprint=fingerprint(contact.identity),
            safety_number=safety_number(opened.device.identity, contact.identity),
            verified=contact.verified,
            muted=contact.muted,
            blocked=contact.blocked,
            accept=contact.accept,
            metadata=contact.metadata,
            connected=not contact.blocked and bool(opened.peers.links(contact.identity)),
            added=contact.added,
            holder=opened.mailboxes.standing(contact.identity),
            backup=opened.mailboxes.backup_standing(contact.identity),
            backed_up=opened.backing_up.backups.count(contact.identity),
            **_doubt(opened.doubts.of(contact.identity)),
        )

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
        fingerprint_seen: str | None = None,
    ) -> views_contacts.Contact:
        """Change what is given. Blocking ends the connections at once.

        `LastBackupError`, unless `yes` is given, where that would end the only backup. With
        `verified` a doubt about the key is over; `fingerprint_seen` is what the other side shows,
        and verifies as well if it is the contact's, `OtherFingerprintError`.
        """
        opened = self._unlocked()
        contact = opened.library.contact(name)
        if fingerprint_seen is not None:
            self._compare_fingerprint(opened, contact, fingerprint_seen)
            verified = True
        ends_backup = blocked or holder is False or backup is False
        if ends_backup:  # first what nobody may do, then what wants a word
            opened.space.check_end(contact.identity)
            if not yes:
                opened.readiness.guard(contact.identity)
        given = {
            "name": _optional_name(rename), "verified": verified, "muted": muted,
            "blocked": blocked, "accept": accept, "metadata": metadata,
        }  # fmt: skip
        if accept not in (None, "ask", "always"):
            raise BadRequestError("accept-from is ask or always")
        if metadata is not None:
            policies.check(metadata)
        fields = {field: value for field, value in given.items() if value is not None}
        if fields:
            opened.library.update_contact(contact.identity, **fields)
        if verified:
            opened.doubts.clear(contact.identity)
        if holder and contact.blocked and blocked is not False:
            raise BlockedContactError(contact.name)
        if holder is not None:
            opened.mailboxes.choose(contact.identity, contact.name, chosen=holder, backup=backup)
            opened.tell_mailbox()
        if blocked:
            await opened.peers.drop(contact.identity)
            opened.renew_mailbox()
            await opened.hold.forget(contact.identity)
        elif blocked is False:
            opened.tell_mailbox()
            opened.hold.look_again()
            opened.peers.forget_refusals()
            opened.open_grants.look_again()
        return self.contact(rename or name)

    @staticmethod
    def _compare_fingerprint(opened: Unlocked, contact: library.Contact, text: str) -> None:
        try:
            shown = parse_fingerprint(text)
        except MalformedError as error:
            what = f"{error.detail}; `kinlight id` there shows it"
            raise BadRequestError(what) from None
        if shown == fingerprint(contact.identity):
            return
        doubt = opened.doubts.of(contact.identity)
        if doubt is not None and doubt.kind != "fork" and shown == fingerprint(doubt.seen):
            raise OtherFingerprintError(
                "it is that of the key that was seen; if they have told you so themselves, pair"
                " with it, or rename it where it is a contact already, and block the old one"
            )
        raise OtherFingerprintError

    async def reach(self, name: str, at: str) -> views_contacts.Contact:
        """Connect a contact at an address that a person gives; see `Caller.reach`."""
        opened = self._unlocked()
        contact = opened.library.contact(name)
        if contact.blocked:
            raise BlockedContactError
        address = parse_any_address(at)
        opened.wide.check(address)
        await opened.peers.reach(contact, address)
        return self.contact(name)

    async def open_pairing(
        self, name: str | None
    ) -> AsyncGenerator[views_contacts.PairingCode | views_contacts.Contact]:
        """Show a code, then who used it; see `Meeting.open`."""
        opened = self._unlocked()
        meeting = opened.meeting.open(_optional_name(name))
        async with contextlib.aclosing(meeting):
            async for step in meeting:
                if isinstance(step, OpenCode):
                    yield views_contacts.PairingCode(
                        str(step.code), str(step.invitation), step.expires
                    )
                else:
                    yield self._contact(opened, step)

    async def join_pairing(
        self, text: str, at: str | None, name: str | None
    ) -> views_contacts.Contact:
        """Use a code; see `Meeting.join`."""
        opened = self._unlocked()
        return self._contact(opened, await opened.meeting.join(text, at, _optional_name(name)))

    async def add_device(
        self, name: str | None, words: RecoveryWords | None, *, may_certify: bool
    ) -> AsyncGenerator[views_contacts.PairingCode | views_devices.OwnDevice]:
        """Show a code for a device of ours, then the device that used it; see `OurDevices.add`."""
        opened = self._unlocked()
        ours = opened.our_devices
        certifier = ours.certifier(words)
        if may_certify and words is None:
            raise BadRequestError("only the 24 words let a new device certify others")
        name = _optional_name(name)

        def add(request: DeviceRequest) -> tuple[OwnDevice, Gift]:
            return ours.add(request, certifier, name, may_certify=may_certify)

        async with contextlib.aclosing(opened.meeting.open_for_device(add)) as steps:
            async for step in steps:
                if isinstance(step, OpenCode):
                    yield views_contacts.PairingCode(
                        str(step.code), str(step.invitation), step.expires
                    )
                else:
                    yield ours.view(step.device)

    async def meet_device(self, text: str, at: str | None) -> views_devices.OwnDevice:
        """Link with another device of this identity by its code; see `joining.meet`."""
        opened = self._unlocked()
        joined, address = await joining.meet(text, at, opened.device, self._environment)
        opened.whereabouts.reached(joined.by.device, address, opened.clock())
        opened.met_sibling(joined)
        return opened.our_devices.view(joined.by.device)

    async def allow_device(self, words: RecoveryWords) -> views_devices.OwnDevice:
        """Let this device add and revoke others, by the root key; see `OurDevices.allowed`."""
        device = self._unlocked().device.chain.device
        await self._with_papers(self._unlocked().our_devices.allowed(words), words)
        return self._unlocked().our_devices.view(device)

    async def new_ticket(
        self, *, seconds: int, uses: int, name: str | None, at: list[str]
    ) -> views_contacts.Ticket:
        """Make a ticket; see `Tickets.new`."""
        opened = self._unlocked()
        await opened.wide.settled()  # one that was made earlier would lack its addresses
        port = opened.listener.port
        name = _optional_name(name)
        wide = opened.wide.addresses()
        return opened.tickets.new(
            seconds=seconds, uses=uses, name=name, at=at, port=port, wide=wide
        )


def _optional_name(name: str | None) -> str | None:
    """A name that the user gives somebody; `BadRequestError` if it can't be shown as it is."""
    if name is not None and name != names.contact_name(name):
        raise BadRequestError("a name is one line of at most 40 characters")
    return name


def _doubt(doubt: Doubt | None) -> dict[str, Any]:
    """What a contact's view says of a doubt."""
    if doubt is None:
        return {}
    return {
        "doubt": doubt.kind,
        "doubt_since": doubt.since,
        "doubt_seen": doubt.seen.hex() if doubt.kind == "fork" else fingerprint(doubt.seen),
        "doubt_proof": [each.hex() for each in doubt.proof or ()],
    }
