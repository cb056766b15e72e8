"""The node without its API: locked and unlocked, and what becomes of a home that was hurt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kinlight.crypto.errors import (
    KeyFileError,
    KinlightError,
    WrongPassphraseError,
    WrongWordsError,
)
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node.engine import Engine
from kinlight.node.environment import Environment
from kinlight.node.errors import (
    BadConfigError,
    HomeUnusableError,
    LibraryDamagedError,
    LockedError,
    NoHomeError,
)
from kinlight.node.home import Home

from .conftest import Picture, Start, Two
from .network import Network
from .nodes import PASSPHRASE, TestedNode


async def test_a_locked_node_tells_its_version_and_nothing_else(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    status = anna.engine.status()
    assert status.locked
    assert (status.name, status.port, status.connections) == (None, None, [])
    for ask in (anna.engine.identity, anna.engine.contacts, anna.engine.inbox):
        with pytest.raises(LockedError):
            ask()


async def test_without_a_node_in_the_home_that_is_said(tmp_path: Path) -> None:
    engine = Engine(Home(tmp_path))
    assert engine.status().locked
    with pytest.raises(NoHomeError):
        engine.identity()
    with pytest.raises(NoHomeError):
        await engine.unlock(PASSPHRASE)


async def test_an_unlocked_node_tells_where_it_is_reached(start: Start) -> None:
    anna = await start("Anna")
    status = anna.engine.status()
    assert not status.locked
    assert (status.name, status.discovery) == ("Anna", "off")
    assert status.port == anna.parts.listener.port
    assert anna.engine.identity().identity == anna.identity.hex()


async def test_a_wrong_pass_phrase_leaves_it_locked(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    with pytest.raises(WrongPassphraseError):
        await anna.engine.unlock(Secret(b"open sesame"))
    with pytest.raises(WrongWordsError):
        await anna.engine.unlock(RecoveryWords(Secret(bytes(32))))
    assert anna.engine.status().locked
    await anna.start()
    assert not anna.engine.status().locked


async def test_the_recovery_words_unlock_the_same_node(joined: Two) -> None:
    await joined.bob.stop()
    await joined.bob.engine.unlock(joined.bob.words)
    assert [contact.name for contact in joined.bob.engine.contacts()] == ["Anna"]


async def test_unlocking_twice_and_locking_twice_are_once(start: Start) -> None:
    anna = await start("Anna")
    with anna.engine.events.listen() as news:
        await asyncio.gather(anna.start(), anna.start())
        await asyncio.gather(anna.stop(), anna.stop())
        await asyncio.gather(anna.start(), anna.start())
        assert [news.get_nowait().name for _ in range(news.qsize())] == ["locked", "unlocked"]
    assert not anna.engine.status().locked


async def test_locking_in_the_middle_of_a_share_is_told_and_harms_nothing(
    joined: Two, picture: Picture
) -> None:
    originals = [picture(length=400_000) for _ in range(3)]
    sharing = joined.anna.engine.share(
        originals, ["Bob"], metadata="original", until=None, wait=True
    )
    await anext(sharing)
    await joined.anna.stop()
    outcome: list[object] = []
    try:
        outcome += [step async for step in sharing]
    except KinlightError as error:
        outcome.append(error)
    assert outcome
    await joined.anna.start()
    items = await joined.anna.share(*originals, to="Bob")
    assert {item.state for item in items} == {"waiting"}


async def test_locking_in_the_middle_of_a_fetch_keeps_the_offer(
    joined: Two, network: Network, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    with joined.bob.engine.events.listen() as news:
        item = await joined.anna.share_one(picture(length=3_000_000), "Bob", wait=False)
        await joined.bob.until(
            lambda: any((entry.pieces or 0) > 1 for entry in joined.bob.engine.inbox()), news=news
        )
    await joined.bob.stop()
    await joined.bob.start()
    await joined.bob.until(lambda: joined.bob.inbox_state(item.photo_id or "") == "stored")
    assert network.pipes


# A home that was hurt


async def stored(two: Two, picture: Picture) -> str:
    await two.bob.engine.update_contact("Anna", accept="always")
    item = await two.anna.share_one(picture(), "Bob")
    assert item.state == "delivered"
    return item.photo_id or ""


def library_files(node: TestedNode) -> list[Path]:
    return list(node.home.path.glob("library.db*"))


@pytest.mark.parametrize("kept", [None, 0, 1])
async def test_a_library_that_is_missing_or_empty_costs_no_blob(
    joined: Two, picture: Picture, kept: int | None, tmp_path: Path
) -> None:
    """It may be restored from a copy; what lies beside it has to be there then."""
    photo = await stored(joined, picture)
    await joined.bob.stop()
    copy = joined.bob.home.library.read_bytes()
    for path in library_files(joined.bob):
        path.unlink()
    if kept is not None:
        joined.bob.home.library.write_bytes(copy[:kept])
    blobs = joined.bob.blob_files()
    with pytest.raises(LibraryDamagedError):
        await joined.bob.start()
    assert joined.bob.blob_files() == blobs
    for path in library_files(joined.bob):
        path.unlink()
    joined.bob.home.library.write_bytes(copy)
    await joined.bob.start()
    exported = await joined.bob.engine.export(photo, tmp_path / "out", keep_both=False)
    assert exported.bytes == 3000


async def test_a_damaged_library_stays_locked_and_costs_no_blob(
    joined: Two, picture: Picture
) -> None:
    await stored(joined, picture)
    await joined.bob.stop()
    blobs = joined.bob.blob_files()
    joined.bob.home.library.write_bytes(b"damaged" * 5000)
    with pytest.raises(LibraryDamagedError):
        await joined.bob.start()
    assert joined.bob.engine.status().locked
    assert joined.bob.blob_files() == blobs


async def test_a_damaged_key_file_stays_locked(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    anna.home.keys.write_bytes(b"damaged")
    with pytest.raises(KeyFileError):
        await anna.start()
    assert anna.engine.status().locked


async def test_settings_that_can_not_be_used_are_named_and_can_be_mended(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    good = anna.home.config.read_text()
    anna.home.config.write_text("[network]\nspeed = 1\n")
    with pytest.raises(BadConfigError):
        await anna.start()
    anna.home.config.write_text(good)
    await anna.start()


async def test_a_port_of_the_settings_that_is_taken_is_named(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    port = bob.parts.listener.port
    await anna.stop()
    anna.home.config.write_text(f"[network]\ndiscovery = false\nport = {port}\n")
    with pytest.raises(HomeUnusableError, match=str(port)):
        await anna.start()
    assert anna.engine.status().locked
    await bob.stop()
    await anna.start()
    assert anna.parts.listener.port == port


async def test_an_engine_needs_no_environment_of_a_test(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    engine = Engine(anna.home)
    await engine.unlock(PASSPHRASE)
    assert engine.identity().name == "Anna"
    await engine.lock()
    assert Environment().now() > 1_700_000_000
