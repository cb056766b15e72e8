"""A libp2p stream through Noise and yamux (py-libp2p) between two processes, memory to memory.

python -m benchmarks.peers.noise_stream              prints where it listens, takes one stream
python -m benchmarks.peers.noise_stream PORT ID SIZE   sends so many bytes, prints the seconds
"""

from __future__ import annotations

import secrets
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from benchmarks.networks import Network
from benchmarks.running import MODULE, finished, line_of, running
from benchmarks.workloads import Cargo

STEP = 256 * 1024
LENGTH_BYTES = 8
PROTOCOL = "/kinlight/benchmark/1"
NAME = "benchmarks.peers.noise_stream"


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:  # noqa: ARG001 - no files
    """Seconds until the other process says that it has everything."""
    async with running(*MODULE, NAME, out=PIPE) as receiver:
        port, identity = (await line_of(receiver.stdout)).split()
        async with network.way_to(int(port)) as way:
            return float(await finished(*MODULE, NAME, str(way), identity, str(cargo.size)))


def main(*words: str) -> None:
    """One of the two ends."""
    import trio
    from libp2p import new_host
    from libp2p.abc import INetStream
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.crypto.x25519 import X25519PrivateKey
    from libp2p.custom_types import TProtocol
    from libp2p.peer.id import ID  # pyright: ignore[reportMissingTypeStubs]
    from libp2p.peer.peerinfo import PeerInfo  # pyright: ignore[reportMissingTypeStubs]
    from libp2p.security.noise.transport import PROTOCOL_ID, Transport
    from libp2p.stream_muxer.yamux.yamux import Yamux
    from multiaddr import Multiaddr  # pyright: ignore[reportMissingTypeStubs]

    key = create_new_key_pair(secrets.token_bytes(32))
    host = new_host(
        key_pair=key,
        sec_opt={PROTOCOL_ID: Transport(key, noise_privkey=X25519PrivateKey.new())},
        muxer_opt={TProtocol("/yamux/1.0.0"): Yamux},
    )
    protocol = TProtocol(PROTOCOL)

    async def take(stream: INetStream) -> None:
        head = b""
        while len(head) < LENGTH_BYTES:
            head += await stream.read(LENGTH_BYTES - len(head))
        left = int.from_bytes(head, "big")
        while left:
            left -= len(await stream.read(min(left, STEP)))
        await stream.write(b"!")

    async def serve() -> None:
        host.set_stream_handler(protocol, take)
        async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
            port = host.get_addrs()[0].value_for_protocol("tcp")
            print(port, host.get_id(), flush=True)
            await trio.sleep_forever()

    async def send(port: str, identity: str, size: str) -> None:
        async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
            peer = ID.from_string(identity)
            await host.connect(PeerInfo(peer, [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")]))
            stream = await host.new_stream(peer, [protocol])
            begun = time.perf_counter()
            left = int(size)
            await stream.write(left.to_bytes(LENGTH_BYTES, "big"))
            while left:
                piece = bytes(min(left, STEP))
                await stream.write(piece)
                left -= len(piece)
            if await stream.read(1) != b"!":
                raise RuntimeError("the receiver failed")
            print(time.perf_counter() - begun, flush=True)
            await host.close()

    # trio leaves *args open.
    if words:
        trio.run(send, *words)  # pyright: ignore[reportUnknownMemberType]
    else:
        trio.run(serve)  # pyright: ignore[reportUnknownMemberType]


if __name__ == "__main__":
    main(*sys.argv[1:])
