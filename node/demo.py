"""The story that `kinlight demo` tells: two nodes meet, share, and refuse three attacks.

Both nodes are real daemons in processes and homes of their own, driven through the local API as a
script would. The attacker is `mallory`, who speaks the protocol and keeps to none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..crypto.errors import KinlightError, PeerError
from ..crypto.secret import Secret
from ..protocol.errors import from_wire
from ..protocol.messages import Fetch, FetchRefused, Offer, OfferRefused
from ..protocol.photo import Envelope
from . import launch, leaving
from .contact_errors import NoSuchNodeError
from .errors import UnreachableError, UnreadableFileError
from .exits import from_code
from .home import Home
from .mallory import Mallory, flip_byte
from .node import Node
from .printing import Output
from .sources import files_in, open_file
from .views_contacts import Contact, PairingCode

SAMPLES: Final = Path(__file__).resolve().parent.parent / "examples" / "photos"
"""In a checkout. An installed wheel has none: `--photos` names a folder."""
_SIGHT_SECONDS: Final = 5.0
_GRANT_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class SharedPhoto:
    """One photo of the demo, before and after."""

    name: str
    sha256: str
    received_sha256: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack and what became of it."""

    name: str
    refused: bool
    reason: str


@dataclass(slots=True)
class Result:
    """What `--json` prints at the end."""

    ok: bool = False
    discovery: str = ""
    photos: list[SharedPhoto] = field(default_factory=list[SharedPhoto])
    attacks: list[Attack] = field(default_factory=list[Attack])
    seconds: float = 0.0


class _Story:
    """Prints each step with the time since the beginning."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._begun, 2)

    def tell(self, text: str, *, style: str = "") -> None:
        self._out.say(f"{self.seconds:6.2f} s  {text}", style=style)


async def run(photos: Path | None, out: Output) -> Result:
    """Tell the story; the result says whether all of it went as it should."""
    files = sorted(files_in([photos or SAMPLES]))[:3]
    if not files:
        raise UnreadableFileError("there is no photo there; `--photos DIR` names another folder")
    for file in files:
        open_file(file)[0].close()
    story = _Story(out)
    result = Result()
    with tempfile.TemporaryDirectory(prefix="kinlight-demo-") as folder:
        place = Path(folder)
        async with _daemon(place / "anna", "Anna") as anna, _daemon(place / "bob", "Bob") as bob:
            story.tell("Two nodes run, each with its own identity and encrypted library.")
            await _meet(story, result, anna, bob)
            await _share(story, result, anna, bob, files, place / "received")
            await _attack(story, result, anna, bob, files[0])
    result.seconds = story.seconds
    result.ok = (
        len(result.photos) == len(files)
        and all(photo.sha256 == photo.received_sha256 for photo in result.photos)
        and len(result.attacks) == 3
        and all(attack.refused for attack in result.attacks)
    )
    story.tell("All went as it should." if result.ok else "Something went wrong.", style="bold")
    if out.as_json:
        out.value(result)
    return result


@contextlib.asynccontextmanager
async def _daemon(path: Path, name: str) -> AsyncGenerator[Node]:
    """A new node and its daemon, until the block ends."""
    home = Home(path)
    passphrase = secrets.token_urlsafe(16)
    await asyncio.to_thread(
        launch.make_node, home, Secret(passphrase.encode()), name, lambda _words: None
    )
    home.config.write_text("[check]\nreceived = false\n")  # nobody stays for the verdicts
    await launch.ensure_daemon(home)
    try:
        async with Node.connect(path) as node:
            await node.unlock(passphrase)
            yield node
    finally:
        await launch.stop_daemon(home)


async def _meet(story: _Story, result: Result, anna: Node, bob: Node) -> None:
    seen = await _in_sight(anna, bob)
    result.discovery = "mdns" if seen else "loopback"
    story.tell(
        "They found each other by multicast DNS."
        if seen
        else "Multicast is blocked on this machine, so Bob is given Anna's loopback address."
    )
    steps = anna.open_pairing()
    code = await anext(steps)
    if not isinstance(code, PairingCode):
        raise TypeError("a pairing begins with a code")
    story.tell(f"Anna reads out a pairing code: {code.code}")
    at = None if seen else f"127.0.0.1:{(await anna.status()).port}"
    try:
        known = await bob.pair(code.code, at=at)
    except NoSuchNodeError:
        result.discovery = "loopback"
        known = await bob.pair(code.code, at=f"127.0.0.1:{(await anna.status()).port}")
    contact = await anext(steps)
    await steps.aclose()
    if not isinstance(contact, Contact) or contact.safety_number != known.safety_number:
        raise TypeError("both sides must see one safety number")
    story.tell(f"Bob typed it. Both see the safety number {known.safety_number[:23]} …")
    await bob.update_contact(known.name, accept="always")


async def _in_sight(*nodes: Node) -> bool:
    deadline = time.monotonic() + _SIGHT_SECONDS
    while time.monotonic() < deadline:
        if all([(await node.status()).nodes_seen for node in nodes]):
            return True
        await asyncio.sleep(0.1)
    return False


async def _share(
    story: _Story, result: Result, anna: Node, bob: Node, files: list[Path], received: Path
) -> None:
    until = int(time.time()) + 30 * 86_400
    items = await anna.share(files, ["Bob"], metadata="original", until=until)
    story.tell(f"Anna shares {len(items)} photos with Bob, end to end encrypted, for 30 days.")
    story.tell(f"  {leaving.line(items)}")
    for item in items:
        if item.state != "delivered" or item.photo_id is None:
            why = item.message or item.state
            raise from_code(item.code, why) if item.code else UnreachableError(why)
        details = await bob.get(item.photo_id)
        exported = await bob.export(item.photo_id, received)
        digest = hashlib.sha256(await asyncio.to_thread(Path(exported.path).read_bytes))
        result.photos.append(SharedPhoto(item.name, item.sha256 or "", digest.hexdigest()))
        same = "the same bytes" if digest.hexdigest() == item.sha256 else "OTHER BYTES"
        story.tell(
            f"  {item.name}: signed by {details.author}, verified, decrypted, {same}",
            style="green",
        )


async def _attack(story: _Story, result: Result, anna: Node, bob: Node, photo: Path) -> None:
    story.tell("Now Mallory tries three things.")
    at_anna = Mallory(await _port(anna))
    at_bob = Mallory(await _port(bob))
    for name, attempt in (
        ("unknown device", _unknown_device(at_anna)),
        ("flipped byte", _flipped_byte(at_bob, bob, photo)),
        ("expired grant", _expired_grant(at_anna, anna, photo)),
    ):
        reason = await attempt
        refused = reason is not None
        result.attacks.append(Attack(name, refused, reason or "it was let through"))
        story.tell(
            f"  {name}: {'refused' if refused else 'LET THROUGH'}. {reason or ''}",
            style="green" if refused else "red",
        )


async def _port(node: Node) -> int:
    return (await node.status()).port or 0


async def _unknown_device(mallory: Mallory) -> str | None:
    """A device that never paired calls."""
    try:
        await mallory.knock()
    except PeerError as error:
        return str(error)
    return None


async def _flipped_byte(mallory: Mallory, bob: Node, photo: Path) -> str | None:
    """A contact sends a photo of which one byte was changed on the way."""
    await _befriend(mallory, bob)
    await bob.update_contact("Mallory", accept="always")
    content = await asyncio.to_thread(photo.read_bytes)
    hostile = mallory.photo(content)
    async with mallory.connected() as conversation:
        conversation.react = hostile.serve(flip_byte)
        await conversation.say(hostile.offer)
        answer = await conversation.wait_for(OfferRefused)
    try:
        await bob.get(hostile.record.photo_id.hex())
    except KinlightError:
        return str(from_wire(answer.code))
    return None


async def _expired_grant(mallory: Mallory, anna: Node, photo: Path) -> str | None:
    """A contact keeps a grant until it has ended, and fetches then."""
    await _befriend(mallory, anna)
    async with mallory.connected() as conversation:
        until = int(time.time()) + _GRANT_SECONDS
        await anna.share([photo], ["Mallory"], metadata="original", until=until, wait=False)
        offer = await conversation.wait_for(Offer)
        sender = conversation.link.peer.device
        envelope = Envelope.open(offer.envelope, mallory.device, sender)
        await asyncio.sleep(max(0.0, until - time.time()) + 0.1)
        record = envelope.record
        await conversation.say(
            Fetch(
                1,
                record.photo_id,
                record.content_id,
                envelope.capability.encoded,
                manifest=True,
                ranges=((0, 1),),
                credit=1,
            )
        )
        try:
            answer = await conversation.wait_for(FetchRefused)
        except TimeoutError:
            return None
    return str(from_wire(answer.code))


async def _befriend(mallory: Mallory, node: Node) -> None:
    """Being a contact is not being trusted: Mallory gets a code like anybody."""
    steps = node.open_pairing()
    code = await anext(steps)
    if isinstance(code, PairingCode):
        await mallory.pair(code.code)
    async for _ in steps:
        pass
