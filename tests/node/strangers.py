"""A libp2p node that isn't kinlight, with whatever security and muxer a test gives it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest
import trio
from kinlight.node import p2p_build, p2p_host
from kinlight.node.bridge import Bridge
from kinlight.node.multiaddrs import Multiaddr
from kinlight.node.p2p_build import YAMUX
from kinlight.node.p2p_host import PROTOCOL
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.swarm import Swarm
from libp2p.peer.id import (  # pyright: ignore[reportMissingTypeStubs] - its folder is no package
    ID,
)
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import Yamux

_T = TypeVar("_T")


class Stranger:
    """Call its methods by `run`: they live in its trio loop."""

    def __init__(self, bridge: Bridge, host: Any) -> None:
        self._bridge = bridge
        self.host = host
        self.swarm = cast("Swarm", host.get_network())
        self.peer: bytes = host.get_id().to_bytes()
        self.sockets: list[trio.SocketStream] = []

    async def run(self, work: Callable[..., Awaitable[_T]], *arguments: Any) -> _T:
        return await self._bridge.call(work, *arguments)

    async def connect(self, target: Multiaddr) -> SwarmConn:
        """In its trio loop."""
        with trio.fail_after(20):
            stream = await trio.open_tcp_stream(target.endpoint.host, target.endpoint.port)
            self.sockets.append(stream)
            raw = RawConnection(TrioTCPStream(stream), True)
            return await self.swarm.upgrade_outbound_raw_conn(raw, ID(target.peer))

    async def open(self, connection: SwarmConn, protocol: Any = PROTOCOL) -> Any:
        """A stream; in its trio loop."""
        stream = await connection.new_stream()
        communicator = MultiselectCommunicator(stream)
        with trio.fail_after(20):
            await MultiselectClient().select_one_of([protocol], communicator, 10)
        return stream


@pytest.fixture
def slow_dials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that hangs is given up during a test, however slow the machine is."""
    for module in (p2p_build, p2p_host):
        monkeypatch.setattr(module, "DIAL_SECONDS", 600.0)
    monkeypatch.setattr(p2p_build, "UPGRADE_SECONDS", 600.0)
    monkeypatch.setattr(p2p_host, "IDLE_SECONDS", 600.0)


def noise(keys: KeyPair) -> dict[Any, Any]:
    return {NOISE: NoiseTransport(keys, noise_privkey=create_new_x25519_key_pair().private_key)}


@contextlib.asynccontextmanager
async def stranger(
    security: Callable[[KeyPair], dict[Any, Any]] = noise,
    muxer: dict[Any, Any] | None = None,
    listen: str | None = None,
) -> AsyncGenerator[Stranger]:
    bridge = Bridge("stranger")
    await bridge.start()
    keys = create_new_key_pair(secrets.token_bytes(32))
    stop: list[trio.Event] = []

    async def begin() -> Stranger:
        host: Any = new_host(
            key_pair=keys, sec_opt=security(keys), muxer_opt=muxer or {YAMUX: Yamux}
        )
        stop.append(trio.Event())
        addresses: list[Any] = []
        if listen is not None:
            from multiaddr import Multiaddr as Raw

            addresses.append(Raw(listen))

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            async with host.run(addresses):
                task_status.started()
                await stop[0].wait()
                with trio.move_on_after(5, shield=True):
                    await host.close()
                for each in met.sockets:
                    each.socket.close()

        met = Stranger(bridge, host)
        await bridge.nursery.start(serve)
        return met

    try:
        yield await bridge.call(begin)
    finally:
        if stop:
            bridge.post(stop[0].set)
        await bridge.close()
