"""Becoming a device of somebody who has one: the new machine's side, before there is a node.

    join(home, code) -> a device of theirs is found and dialled -> papers -> keys, what it shared

What it shared lies sealed beside the keys until the node is opened for the first time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from ..crypto import encoding
from ..crypto.channel import ChannelSettings
from ..crypto.encoding import Reader
from ..crypto.errors import KinlightError, MalformedError, PeerError, SealBrokenError
from ..crypto.identity import DeviceChain, fingerprint
from ..crypto.keystore import Argon2Cost
from ..crypto.pairing import Code, Invitation
from ..crypto.secret import Secret
from ..crypto.wrap import unwrap, wrap
from ..protocol import limits
from ..protocol.devices import OwnDevice, OwnSecret
from ..protocol.joining import Joined, Joining, NewDevice
from ..protocol.opening import LocalDevice
from ..protocol.session import Session
from ..protocol.ticket import Ticket
from . import keys, names, views_devices
from .addresses import Address, parse_address
from .contact_errors import NoSuchNodeError, NotADeviceCodeError, PairingOverError
from .discovery import Discovery, Sighting
from .environment import Environment
from .errors import UnreachableError
from .home import Home, write_file
from .link import Link
from .meeting import ASK_SECONDS, SEARCH_SECONDS
from .pipes import Pipe
from .roster import Roster
from .surroundings import Surroundings
from .whereabouts import Whereabouts

_CONTEXT: Final = b"kinlight/joined1\x00"
_FILE_BYTES: Final = 64 * 1024

_log = logging.getLogger(__name__)


async def join(
    home: Home,
    text: str,
    passphrase: Secret,
    name: str,
    *,
    at: str | None = None,
    environment: Environment | None = None,
    cost: Argon2Cost | None = None,
) -> views_devices.JoinedDevice:
    """Make a node in `home` that is a device of whoever shows this code or QR text.

    Raises `HomeExistsError` before anybody is asked, `NotADeviceCodeError`, `NoSuchNodeError`,
    `UnreachableError`, `PairingOverError`, or the reason of the refusal.
    """
    environment = environment or Environment()
    keys.check_free(home)
    secret = _read(text)
    new = keys.new_device(name, environment.entropy)
    joining = Joining(secret, new.device)
    joined, address = await _find(joining, at, environment)

    def keep(made: keys.UnlockedKeys) -> None:
        write_file(home.joined, _sealed(made, joined, address))

    await asyncio.to_thread(
        keys.adopt, home, new, joined.chain, passphrase, joined.name,
        entropy=environment.entropy, cost=cost, before=keep,
    )  # fmt: skip
    return views_devices.JoinedDevice(
        joined.name,
        fingerprint(joined.chain.identity),
        joined.chain.device.hex(),
        names.contact_name(joined.by_name),
    )


async def meet(
    text: str, at: str | None, device: LocalDevice, environment: Environment
) -> tuple[Joined, Address]:
    """As a node that is there already: meet another device of the same identity, by its code.

    Both were made from the words, say. Our papers stay what they are. Raises what `join` raises,
    `WrongPeerError` also for somebody else's code, before anything of ours is signed.
    """
    new = NewDevice(device.signing, device.kem, device.name)
    return await _find(Joining(_read(text), new, device.identity), at, environment)


def _read(text: str) -> Code | Invitation:
    if Ticket.matches(text):
        raise NotADeviceCodeError
    if not Invitation.matches(text):
        return Code.parse(text)
    invitation = Invitation.parse(text)
    if invitation.purpose != "device":
        raise NotADeviceCodeError
    return invitation


async def _find(
    joining: Joining, at: str | None, environment: Environment
) -> tuple[Joined, Address]:
    if at is not None:
        return await _join_at([parse_address(at)], joining, environment)
    match joining.secret:
        case Invitation() as invitation:
            if invitation.expires < environment.now():
                raise PairingOverError
            places = [parse_address(text) for text in invitation.addresses]
            return await _join_at(places, joining, environment)
        case Code() as code:
            return await _join_announced(code, joining, environment)


async def _join_announced(
    code: Code, joining: Joining, environment: Environment
) -> tuple[Joined, Address]:
    """Of the nodes that announce the slot, three at most: more would be guessing."""
    tried: set[str] = set()
    reason: KinlightError = NoSuchNodeError(f"slot {code.slot}")
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(SEARCH_SECONDS),
            contextlib.aclosing(_announcing(code.slot, environment)) as announcing,
        ):
            async for sighting in announcing:
                if sighting.instance in tried or len(tried) == limits.PAIRING_RUNS:
                    continue
                tried.add(sighting.instance)
                try:
                    return await _join_at(sighting.addresses, joining, environment)
                except (PeerError, UnreachableError) as error:
                    reason = error
                    if isinstance(error, PeerError):
                        break
    raise reason


async def _announcing(slot: int, environment: Environment) -> AsyncGenerator[Sighting]:
    """The nodes in the local network that announce a slot. This one has nothing to say to them."""
    listener = environment.listen(_turn_away)
    surroundings = Surroundings()
    await listener.start(0)
    discovery = Discovery(listener.port, surroundings=surroundings)
    await discovery.start()
    surroundings.start()
    asking = asyncio.create_task(_keep_asking(discovery))
    try:
        async for _ in discovery.events():
            for sighting in discovery.sightings():
                if sighting.slot == slot:
                    yield sighting
    finally:
        asking.cancel()
        await discovery.close()
        await surroundings.close()
        await listener.close()


async def _turn_away(pipe: Pipe) -> None:
    await pipe.close()


async def _keep_asking(discovery: Discovery) -> None:
    while True:
        discovery.ask()
        await asyncio.sleep(ASK_SECONDS)


async def _join_at(
    addresses: Sequence[Address], joining: Joining, environment: Environment
) -> tuple[Joined, Address]:
    """At the first of a node's addresses that answers."""
    reason: KinlightError = UnreachableError(", ".join(map(str, addresses)))
    for address in addresses:
        try:
            pipe = await environment.dial(address)
        except (OSError, TimeoutError):
            continue
        session = Session(
            ChannelSettings(), None, joining, environment.entropy, transport=pipe.transport
        )
        link = Link(pipe, session)
        try:
            outcome = await link.open()
        except PeerError as error:
            reason = error
            if isinstance(joining.secret, Code):
                raise
            continue
        finally:
            await pipe.close()
        if isinstance(outcome, Joined):
            return outcome, address
    raise reason


# What lies beside the keys until the node is opened.


def _sealed(made: keys.UnlockedKeys, joined: Joined, address: Address) -> bytes:
    body = encoding.encode(
        [
            1,
            "joined",
            joined.by.encoded,
            joined.by_name,
            joined.secret.to_value(),
            str(address),
        ]
    )
    return wrap(made.store_key.derive(b"joined"), _CONTEXT, body)


def take_over(
    home: Home, made: keys.UnlockedKeys, roster: Roster, whereabouts: Whereabouts, now: int
) -> None:
    """Put what another device shared into the library, once."""
    try:
        sealed = home.joined.read_bytes()[:_FILE_BYTES]
    except OSError:
        return
    try:
        body = unwrap(made.store_key.derive(b"joined"), _CONTEXT, sealed)
        reader = Reader(encoding.decode(body, _FILE_BYTES), "joined")
        reader.literal(1, "joined")
        by = DeviceChain.decode(reader.octets("by", maximum=limits.CHAIN_BYTES))
        by_name = reader.text("name", limits.NAME_BYTES)
        secret = OwnSecret.read(reader.array("secret", 2))
        address = parse_address(reader.text("address", limits.NAME_BYTES))
        reader.end()
    except (SealBrokenError, MalformedError):
        _log.warning("what another device shared is of other keys, and is let be")
        return
    roster.take_secret(secret)
    roster.put([OwnDevice(by, names.contact_name(by_name), 0)])
    whereabouts.reached(by.device, address, now)
    with contextlib.suppress(OSError):
        home.joined.unlink()
