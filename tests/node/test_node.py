"""`Node`, the public Python API, on real daemons in this process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.crypto.errors import WrongPassphraseError
from kinlight.node import Node, views_contacts, views_library, views_sharing
from kinlight.node.contact_errors import (
    BlockedContactError,
    ContactExistsError,
    NoSuchContactError,
    PairingOpenError,
)
from kinlight.node.daemon import Daemon
from kinlight.node.errors import (
    BadAddressError,
    BadRequestError,
    HomeExistsError,
    LockedError,
    MistypedWordsError,
    NameTakenError,
    NoHomeError,
    NotRunningError,
    PassphraseNeededError,
)
from kinlight.node.home import ApiAddress, Home
from kinlight.node.passphrases import FILE_VARIABLE
from kinlight.node.photo_errors import NoSuchPhotoError, NotHereYetError

from .conftest import Picture
from .nodes import NOW, PASSPHRASE, PATIENCE, make_home

PHRASE = PASSPHRASE.reveal().decode()


@dataclass(frozen=True)
class Pair:
    """Two daemons, through the eyes of scripts."""

    anna: Node
    bob: Node


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncGenerator[Pair]:
    anna, bob = (make_home(tmp_path / name, name)[0] for name in ("Anna", "Bob"))
    async with (
        Daemon.running(anna, PASSPHRASE),
        Daemon.running(bob, PASSPHRASE),
        Node.connect(anna.path) as first,
        Node.connect(bob.path) as second,
    ):
        async with aclosing(first.open_pairing()) as steps:
            code = await anext(steps)
            assert isinstance(code, views_contacts.PairingCode)
            port = (await first.status()).port
            contact = await second.pair(code.code, at=f"127.0.0.1:{port}")
            assert contact.name == "Anna"
            assert isinstance(await anext(steps), views_contacts.Contact)
        yield Pair(first, second)


async def test_one_path_and_one_name_need_no_list(pair: Pair, picture: Picture) -> None:
    meant = picture("meant.jpg", 51)
    picture("secret.jpg", 52)
    with contextlib.chdir(meant.parent):
        for path in ("meant.jpg", meant):
            items = await pair.anna.share(path, to="Bob", wait=False)
            assert [(item.file, item.to) for item in items] == [(str(meant), "Bob")]
        imported = await pair.anna.import_photos("meant.jpg")
    assert [item.file for item in imported] == [str(meant)]
    assert [item.name for item in await pair.anna.search()] == ["meant.jpg"]
    (empty := meant.parent / "empty").mkdir()
    assert (await pair.anna.watch(empty, to="Bob")).to == ["Bob"]


@pytest.mark.parametrize("photo", ["", ".", "..", "no digits"])
async def test_what_is_no_id_is_an_id_of_no_photo(pair: Pair, photo: str, tmp_path: Path) -> None:
    for question in (
        pair.anna.get(photo), pair.anna.export(photo, tmp_path), pair.anna.accept(photo),
        pair.anna.decline(photo), pair.anna.rendition(photo, "preview"),
    ):  # fmt: skip
        with pytest.raises(NoSuchPhotoError):
            await question


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_is_no_name_is_the_name_of_nobody(pair: Pair, name: str) -> None:
    for question in (pair.anna.contact(name), pair.anna.update_contact(name, muted=True)):
        with pytest.raises(NoSuchContactError):
            await question


async def test_a_rendition_that_is_not_made_is_refused_by_name(pair: Pair) -> None:
    with pytest.raises(BadRequestError, match="preview or thumbnail"):
        await pair.anna.rendition("ffff", "huge")


def replace_with(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, by asking again."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - what is tested is the asking
            await asyncio.sleep(0.02)


async def connected(node: Node) -> None:
    async def holds() -> bool:
        return bool((await node.status()).connections)

    await until(holds)


async def in_state(node: Node, photo: str, state: str) -> views_library.InboxItem:
    found: list[views_library.InboxItem] = []

    async def holds() -> bool:
        found[:] = [i for i in await node.inbox() if (i.id, i.state) == (photo, state)]
        return bool(found)

    await until(holds)
    return found[0]


# Getting a node


async def test_a_node_that_does_not_run_lives_in_this_process(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    async with Node.open(tmp_path, passphrase=PHRASE) as node:
        assert (await node.identity()).name == "Anna"
        async with Node.open(tmp_path) as again:  # a client of the same one
            assert await again.identity() == await node.identity()
    assert ApiAddress.load(home) is None


async def test_a_node_that_runs_locked_is_unlocked(tmp_path: Path) -> None:
    home, words = make_home(tmp_path, "Anna")
    async with Daemon.running(home):
        with pytest.raises(PassphraseNeededError):
            async with Node.open(tmp_path):
                pass
        with pytest.raises(WrongPassphraseError):
            async with Node.open(tmp_path, passphrase="open sesame"):
                pass
        async with Node.open(tmp_path, passphrase=PHRASE) as node:
            assert not (await node.status()).locked
            await node.lock()
            with pytest.raises(LockedError):
                await node.identity()
            await node.unlock(recovery_words=words.phrase())
            assert not (await node.status()).locked


async def test_the_pass_phrase_may_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_home(tmp_path / "home", "Anna")
    file = tmp_path / "phrase"
    file.write_text(PHRASE + "\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    async with Node.open(tmp_path / "home") as node:
        assert not (await node.status()).locked


async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    with pytest.raises(NoHomeError):
        async with Node.open(tmp_path / "none", passphrase=PHRASE):
            pass
    with pytest.raises(NoHomeError):
        async with Node.open(tmp_path / "none"):
            pass
    make_home(tmp_path / "home", "Anna")
    with pytest.raises(PassphraseNeededError):
        async with Node.open(tmp_path / "home"):
            pass
    with pytest.raises(NotRunningError):
        async with Node.connect(tmp_path / "home"):
            pass


async def test_a_node_whose_daemon_is_gone_is_not_running(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    async with Daemon.running(home) as daemon, Node.connect(tmp_path) as node:
        await node.shut_down()
        await daemon.wait()
        address = ApiAddress.load(home)
        assert address is not None
    with pytest.raises(NotRunningError):
        async with Node.connect(tmp_path):
            pass
    ApiAddress(address.port, address.token, None, address.pid).save(home)  # it was killed
    with pytest.raises(NotRunningError):
        async with Node.connect(tmp_path):
            pass


async def test_where_there_are_no_unix_sockets_the_port_and_the_token_do(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    async with Daemon.running(home, PASSPHRASE):
        address = ApiAddress.load(home)
        assert address is not None
        ApiAddress(address.port, address.token, None, address.pid).save(home)
        async with Node.connect(tmp_path) as node:
            assert (await node.identity()).name == "Anna"


def test_a_node_is_made_once_with_words_that_are_shown_once(tmp_path: Path) -> None:
    words = Node.create(tmp_path, passphrase=PHRASE, name="Anna")
    assert len(words.split()) == 24
    assert Home(tmp_path).exists
    with pytest.raises(HomeExistsError):
        Node.create(tmp_path, passphrase=PHRASE, name="Anna")


async def test_with_words_a_node_is_one_more_device_and_asks_for_what_is_kept(
    tmp_path: Path,
) -> None:
    words = Node.create(tmp_path / "first", passphrase=PHRASE, name="Anna")
    with pytest.raises(MistypedWordsError, match="23 words were given"):
        Node.create(
            tmp_path / "anew", passphrase=PHRASE, name="Anna",
            recovery_words=words.rpartition(" ")[0],
        )  # fmt: skip
    assert not Home(tmp_path / "anew").exists
    Node.create(tmp_path / "anew", passphrase=PHRASE, name="Anna", recovery_words=words)
    async with (
        Node.open(tmp_path / "first", passphrase=PHRASE) as first,
        Node.open(tmp_path / "anew", passphrase=PHRASE) as anew,
    ):
        one, other = await first.identity(), await anew.identity()
        assert one.fingerprint == other.fingerprint
        assert (await anew.recovery()).state == "off"
        assert (await anew.recover(words)).state == "waiting"
        assert (await anew.recovery()).state == "waiting"
        assert (await anew.stop_recovering()).state == "stopped"
        with pytest.raises(MistypedWordsError, match="word 2 is not in the list"):
            await anew.recover(words.replace(words.split()[1], "kinlight", 1))


# People


async def test_contacts_are_shown_and_changed(pair: Pair) -> None:
    (contact,) = await pair.anna.contacts()
    assert await pair.anna.contact("bob") == contact
    assert contact.fingerprint == (await pair.bob.identity()).fingerprint
    changed = await pair.anna.update_contact(
        "Bob", rename="Bob & Ü? 50%2F", verified=True, accept="always"
    )
    assert (changed.name, changed.verified, changed.accept) == ("Bob & Ü? 50%2F", True, "always")
    assert (await pair.anna.contact("Bob & Ü? 50%2F")).verified
    with pytest.raises(NoSuchContactError, match="Bob"):
        await pair.anna.contact("Bob")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%2F", "?x", "#x", "ü", "Bob%", ""])
async def test_any_text_can_be_asked_for_as_a_name(pair: Pair, name: str) -> None:
    with pytest.raises(Exception) as refusal:  # noqa: PT011
        await pair.anna.contact(name)
    assert type(refusal.value).__module__.startswith("kinlight.")


async def test_errors_of_the_daemon_are_the_same_here(pair: Pair, picture: Picture) -> None:
    with pytest.raises(BadAddressError):
        await pair.anna.pair("7-maple-orbit", at="nowhere")
    with pytest.raises(NoSuchPhotoError):
        await pair.anna.get("ffff")
    with pytest.raises(BadRequestError):
        await pair.anna.share([picture()], ["Bob"], metadata="everything")
    await pair.anna.update_contact("Bob", blocked=True)
    with pytest.raises(BlockedContactError):
        await pair.anna.share([picture()], ["Bob"], metadata="original")


async def test_one_code_at_a_time_and_closed_with_its_iterator(pair: Pair) -> None:
    async with aclosing(pair.anna.open_pairing()) as steps:
        await anext(steps)
        with pytest.raises(PairingOpenError):
            await anext(pair.anna.open_pairing())

    async def opens() -> bool:
        async with aclosing(pair.anna.open_pairing()) as steps:
            with contextlib.suppress(PairingOpenError):
                return bool(await anext(steps))
        return False

    await until(opens)  # the daemon sees a moment later that nobody listens


async def test_two_contacts_never_have_one_name(pair: Pair) -> None:
    with pytest.raises((ContactExistsError, NoSuchContactError)):
        await pair.anna.update_contact("Carol", rename="Bob")


# Photos


async def test_a_photo_is_shared_shown_and_exported(
    pair: Pair, picture: Picture, tmp_path: Path
) -> None:
    await connected(pair.anna)
    await pair.bob.update_contact("Anna", accept="always")
    original = picture("beach.jpg", 600_000)
    digest = hashlib.sha256(original.read_bytes()).hexdigest()
    seen: list[views_sharing.ShareProgress] = []
    (item,) = await pair.anna.share(
        [original], ["Bob"], metadata="original", until=NOW + 10**6, progress=seen.append
    )
    assert (item.state, item.sha256, item.bytes) == ("delivered", digest, 600_000)
    assert seen
    assert item.photo_id is not None
    details = await pair.bob.get(item.photo_id)
    assert (details.name, details.sha256, details.expires) == ("beach.jpg", digest, NOW + 10**6)
    mine = await pair.anna.get(item.photo_id[:8])
    assert [(delivery.to, delivery.state) for delivery in mine.deliveries] == [("Bob", "delivered")]
    folder = tmp_path / "received"
    exported = await pair.bob.export(item.photo_id, folder)
    assert (exported.sha256, exported.already) == (digest, False)
    assert (await pair.bob.export(item.photo_id, folder)).already
    replace_with(exported.path, b"mine")
    with pytest.raises(NameTakenError):
        await pair.bob.export(item.photo_id, folder)
    assert (await pair.bob.export(item.photo_id, folder, keep_both=True)).path.endswith(" (2).jpg")


async def test_an_offer_waits_and_is_accepted_or_declined(pair: Pair, picture: Picture) -> None:
    await connected(pair.anna)
    items = await pair.anna.share([picture(), picture()], ["Bob"], metadata="original")
    assert [item.state for item in items] == ["waiting", "waiting"]
    one, two = (item.photo_id or "" for item in items)
    with pytest.raises(NotHereYetError):
        await pair.bob.get(one)
    assert (await pair.bob.accept(one)).state == "accepted"
    assert (await pair.bob.decline(two)).state == "declined"
    assert (await in_state(pair.bob, one, "stored")).name == "1.jpg"

    async def told() -> bool:
        return (await pair.anna.get(two)).deliveries[0].code == "declined"

    await until(told)


async def test_paths_are_those_of_the_script_and_not_of_the_daemon(
    pair: Pair, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connected(pair.anna)
    original = picture("here.jpg")
    monkeypatch.chdir(original.parent)
    (item,) = await pair.anna.share(["here.jpg"], ["Bob"], metadata="original")
    assert item.state == "waiting"


async def test_what_happens_is_told_and_nothing_is_missed(pair: Pair, picture: Picture) -> None:
    await connected(pair.anna)
    async with aclosing(pair.bob.events()) as events:
        assert (await anext(events)).name == "listening"
        (item,) = await pair.anna.share([picture()], ["Bob"], metadata="original")
        async with asyncio.timeout(PATIENCE):
            event = await anext(events)
            while event.name != "offer":
                event = await anext(events)
    assert event.data == {"id": item.photo_id, "sender": "Anna", "state": "waiting"}


async def test_many_photos_are_followed_to_their_end(pair: Pair, tmp_path: Path) -> None:
    """More news than a listener's backlog holds."""
    await connected(pair.anna)
    await pair.bob.update_contact("Anna", accept="always")
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.jpg").write_bytes(f"photo {number}".encode())
    items = await pair.anna.share([folder], ["Bob"], metadata="original")
    assert len(items) == 150
    assert {item.state for item in items} == {"delivered"}
