"""Whole nodes in temporary homes, with a cheap pass phrase and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

from kinlight.crypto.keystore import Argon2Cost
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node import keys
from kinlight.node.engine import Engine
from kinlight.node.environment import Environment
from kinlight.node.home import Home
from kinlight.node.mallory import Mallory
from kinlight.node.unlocked import Unlocked
from kinlight.node.views import Event
from kinlight.node.views_contacts import Contact, PairingCode
from kinlight.node.views_sharing import ShareItem

NOW = 1_800_000_000
PASSPHRASE = Secret(b"correct horse battery staple")
PATIENCE = 30.0
"""Seconds that a test waits for what has to come; a busy machine needs some."""
CHEAP = Argon2Cost(8192, 1, 1)


def random_bytes(label: str, length: int) -> bytes:
    """Bytes that don't repeat, other ones for each label."""
    return hashlib.shake_256(label.encode()).digest(length)


class Clock:
    """Seconds since 1970, by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> int:
        return self.time


def make_home(
    path: Path, name: str, words: RecoveryWords | None = None
) -> tuple[Home, RecoveryWords]:
    """A home with keys, that looks for nobody in the local network and for no edits; `words` give
    its identity.
    """
    home = Home(path)
    shown: list[RecoveryWords] = []
    if words is None:
        keys.create(
            home, PASSPHRASE, name,
            entropy=secrets.token_bytes, now=NOW, cost=CHEAP, show=shown.append,
        )  # fmt: skip
    else:
        keys.recreate(
            home, words, PASSPHRASE, name, entropy=secrets.token_bytes, now=NOW, cost=CHEAP
        )
        shown.append(words)
    home.config.write_text("[network]\ndiscovery = false\n[check]\nreceived = false\n")
    return home, shown[0]


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells about."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


class TestedNode:
    """An engine in a home of its own."""

    __test__ = False

    def __init__(
        self,
        path: Path,
        name: str,
        environment: Environment,
        words: RecoveryWords | None = None,
    ) -> None:
        self.name = name
        self.environment = environment
        self.home, self.words = make_home(path, name, words)
        self.identity = SigningKey(self.words.root_seed()).public
        self.engine = Engine(self.home, environment)

    @classmethod
    def of_home(
        cls, home: Home, name: str, environment: Environment, words: RecoveryWords
    ) -> TestedNode:
        """A home that was made by other means."""
        node = cls.__new__(cls)
        node.name, node.environment = name, environment
        node.home, node.words = home, words
        node.identity = SigningKey(words.root_seed()).public
        node.engine = Engine(home, environment)
        return node

    async def start(self) -> None:
        await self.engine.unlock(PASSPHRASE)

    async def stop(self) -> None:
        await self.engine.lock()

    async def restart(self, **changes: object) -> None:
        """As when the daemon ends and starts again; `changes` are to its environment."""
        await self.stop()
        self.environment = replace(self.environment, **changes)  # type: ignore[arg-type]
        self.engine = Engine(self.home, self.environment)
        await self.start()

    @property
    def parts(self) -> Unlocked:
        """What the engine is made of while it is unlocked."""
        return self.engine._unlocked()  # pyright: ignore[reportPrivateUsage]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.parts.listener.port}"

    def connected_to(self, other: TestedNode) -> bool:
        return bool(self.parts.peers.links(other.identity))

    def blob_files(self) -> list[Path]:
        """Every file below the blob folder, whole or not."""
        return [path for path in self.home.blobs.rglob("*") if path.is_file()]

    async def until(
        self, holds: Callable[[], bool], *, news: asyncio.Queue[Event] | None = None
    ) -> None:
        """Wait until `holds`, looking again at each event."""
        with contextlib.ExitStack() as stack:
            queue = news or stack.enter_context(self.engine.events.listen())
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.2):
                            await queue.get()

    async def share(
        self,
        *paths: Path,
        to: str,
        until: int | None = None,
        wait: bool = True,
        metadata: str | None = "original",
        rehash: bool = False,
    ) -> list[ShareItem]:
        """The last state of each file."""
        last: dict[str, ShareItem] = {}
        sharing = self.engine.share(
            list(paths), [to], metadata=metadata, until=until, wait=wait, rehash=rehash
        )
        async with contextlib.aclosing(sharing):
            async for step in sharing:
                if isinstance(step, ShareItem):
                    last[step.file] = step
        return list(last.values())

    async def share_one(
        self, path: Path, to: str, *, until: int | None = None, wait: bool = True
    ) -> ShareItem:
        (item,) = await self.share(path, to=to, until=until, wait=wait)
        return item

    def inbox_state(self, photo: str) -> str | None:
        """State of the latest offer of a photo."""
        states = [item.state for item in self.engine.inbox() if item.id == photo]
        return states[-1] if states else None

    def delivery_state(self, photo: str) -> str:
        (delivery,) = self.engine.photo(photo).deliveries
        return delivery.state

    @contextlib.asynccontextmanager
    async def pairing(
        self, name: str | None = None
    ) -> AsyncGenerator[tuple[PairingCode, AsyncGenerator[PairingCode | Contact]]]:
        """An open code, and the steps that follow it."""
        async with contextlib.aclosing(self.engine.open_pairing(name)) as steps:
            code = await anext(steps)
            assert isinstance(code, PairingCode)
            yield code, steps

    async def pair_with(self, other: TestedNode) -> None:
        """`other` types the code that is shown here; both connect."""
        async with self.pairing() as (code, steps):
            joined = await other.engine.join_pairing(code.code, self.address, None)
            shown = await anext(steps)
        assert isinstance(shown, Contact)
        assert joined.safety_number == shown.safety_number
        await other.until(lambda: other.connected_to(self))
        await self.until(lambda: self.connected_to(other))

    async def befriend(self, mallory: Mallory, *, accept: str = "always") -> None:
        """Mallory becomes a contact, as anybody can who is given a code."""
        async with self.pairing() as (code, steps):
            await mallory.pair(code.code)
            await anext(steps)
        await self.engine.update_contact("Mallory", accept=accept)
