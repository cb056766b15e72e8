"""From the 24 words and what contacts keep: everything comes back, and nothing that is not ours."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node.errors import OtherWordsError
from kinlight.node.unlocked import Environment
from kinlight.node.views import Recovery
from kinlight.protocol import backup
from kinlight.protocol.backup import ContactsBackup, KeptContact

from .conftest import Picture, Start, Ways
from .network import Network
from .nodes import Clock, TestedNode
from .test_held_delivery import introduced, knows_mailbox
from .three import imported

Anew = Callable[[RecoveryWords], Awaitable[TestedNode]]


@dataclass(frozen=True, slots=True)
class Lost:
    """Anna backs up at Bob and knows Carol; her machine may be gone at any moment."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode
    pictures: dict[str, Path]

    async def is_lost(self) -> None:
        await self.anna.stop()
        await self.bob.until(lambda: not self.bob.connected_to(self.anna))

    def held(self) -> int:
        count: int = self.bob.parts.database.value("SELECT count(*) FROM held_items")
        return count


async def backed_up(anna: TestedNode, holder: TestedNode, count: int) -> None:
    """Anna lets somebody keep a backup, and all of it is there."""
    holder.engine.hold.turn_on([], backup=["Anna"])
    await anna.until(lambda: anna.engine.contact(holder.name).backup == "offered")
    await anna.engine.update_contact(holder.name, holder=True, backup=True)
    await holder.until(lambda: knows_mailbox(holder, anna))
    anna.parts.backing_up.tell()
    await anna.until(lambda: anna.engine.contact(holder.name).backed_up == count)
    sql = "SELECT count(*) FROM held_items WHERE position IS NOT NULL"
    await holder.until(lambda: holder.parts.database.value(sql) == count + 1)


@pytest.fixture
async def lost(network: Network, start: Start, picture: Picture) -> Lost:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await introduced(anna, bob, carol)
    pictures = {
        await imported(anna, path): path
        for path in (picture(), picture(length=700_000), picture(length=3_000))
    }
    await backed_up(anna, bob, 3)
    return Lost(anna, bob, carol, pictures)


@pytest.fixture
def anew(start: Start, tmp_path: Path, clock: Clock, ways: Ways) -> Anew:
    """Anna's new machine: nothing but the words."""
    del start  # it ends after these

    async def one(words: RecoveryWords) -> TestedNode:
        environment = Environment(clock, ways.dial, ways.listen)
        node = TestedNode(tmp_path / "homes" / "anew", "Anna", environment, words)
        await node.start()
        return node

    return one


async def over(node: TestedNode, state: str = "done") -> Recovery:
    await node.until(lambda: node.engine.recovery.view().state == state)
    return node.engine.recovery.view()


def sha256(node: TestedNode, photo: str) -> str:
    return node.engine.photo(photo).sha256


async def exported(node: TestedNode, photo: str, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    done = await node.engine.export(photo, folder, keep_both=True)
    return Path(done.path).read_bytes()


async def test_with_words_and_one_holder_photos_and_contacts_are_back_byte_for_byte(
    lost: Lost, anew: Anew, tmp_path: Path
) -> None:
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    assert anna.engine.recovery.begin(lost.anna.words).state == "waiting"
    await lost.bob.pair_with(anna)
    result = await over(anna)
    assert (result.photos, result.contacts) == (3, 2)
    for photo, path in lost.pictures.items():
        assert await exported(anna, photo, tmp_path / "out") == path.read_bytes()
        assert anna.engine.photo(photo).name == path.name
        assert anna.engine.photo(photo).own
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    assert lost.held() == 4  # what was read stays
    await anna.stop()
