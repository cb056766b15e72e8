"""How a libp2p host is built here: Noise and Yamux only, and nothing by itself.

A default host takes plaintext too, where whoever knows somebody's public key is believed to be
them; it dials whoever it hears of, and keeps for ever what each peer says of itself.
"""

from __future__ import annotations

import logging
from typing import Any, Final, cast

from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import ParseError
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify_push.identify_push import ID_PUSH
from libp2p.io.abc import Reader
from libp2p.network.config import ConnectionConfig
from libp2p.network.swarm import Swarm
from libp2p.peer.id import (  # pyright: ignore[reportMissingTypeStubs] - its folder is no package
    ID,
)
from libp2p.protocol_muxer import multiselect_communicator
from libp2p.rcmgr.manager import ResourceLimits, ResourceManager
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.utils.varint import read_varint_prefixed_bytes_limited

from .p2p_muxer import STREAMS_PER_CONNECTION, BoundedYamux

YAMUX: Final = TProtocol("/yamux/1.0.0")
CONNECTIONS: Final = 128
CONNECTIONS_PER_SOURCE: Final = 16
UPGRADE_SECONDS: Final = 3.0
DIAL_SECONDS: Final = 5.0
PROTOCOL_NAME_BYTES: Final = 1024

_log = logging.getLogger(__name__)
# It names peers and addresses, and calls every ended connection an error.
logging.getLogger("libp2p").addHandler(logging.NullHandler())
logging.getLogger("libp2p").propagate = False


async def _protocol_name(reader: Reader) -> bytes:
    name = await read_varint_prefixed_bytes_limited(reader, PROTOCOL_NAME_BYTES)
    if not name.endswith(b"\n"):
        raise ParseError("the name of a protocol ends with a line break")
    return name[:-1]


# Libp2p's own takes in as much as it is told to, of whoever connects.
multiselect_communicator.read_delim = _protocol_name  # pyright: ignore[reportPrivateImportUsage]


def build(seed: bytes) -> BasicHost:
    """One with the transport key of `seed` (32 bytes)."""
    keys = create_new_key_pair(seed)
    host = new_host(
        key_pair=keys,
        sec_opt={
            NOISE: NoiseTransport(keys, noise_privkey=create_new_x25519_key_pair().private_key)
        },
        muxer_opt={YAMUX: BoundedYamux},
        negotiate_timeout=int(DIAL_SECONDS),
        connection_config=ConnectionConfig(
            max_connections=2 * CONNECTIONS,
            max_connections_per_peer=CONNECTIONS_PER_SOURCE,
            min_connections=0,
            low_watermark=0,
            high_watermark=2 * CONNECTIONS,
            auto_connect_interval=1e9,
            dial_timeout=DIAL_SECONDS,
            inbound_upgrade_timeout=UPGRADE_SECONDS,
            outbound_upgrade_timeout=DIAL_SECONDS,
        ),
        resource_manager=ResourceManager(
            limits=ResourceLimits(
                max_connections=4 * CONNECTIONS,
                max_streams=2 * CONNECTIONS * STREAMS_PER_CONNECTION,
                max_memory_mb=256,
            ),
            # All that counts is counted above; these would refuse contacts on a busy machine.
            enable_metrics=False,
            enable_connection_tracking=False,
            enable_memory_limits=False,
            enable_circuit_breaker=False,
            enable_graceful_degradation=False,
            enable_rate_limiting=False,
        ),
    )
    swarm = cast("Swarm", host.get_network())
    negotiate = swarm.upgrader.muxer_multistream.new_conn

    async def bounded(connection: Any, peer: Any) -> Any:
        await negotiate(connection, peer)  # it makes its own kind, whatever `muxer_opt` says
        return BoundedYamux(connection, peer, connection.is_initiator)

    swarm.upgrader.muxer_multistream.new_conn = bounded  # type: ignore[method-assign]

    async def nobody() -> None:
        """A host would dial whoever it merely knows of, and so tell them that it is here."""

    swarm.auto_connector.maybe_connect = nobody  # type: ignore[method-assign]

    def nothing(peer_id: ID, *, reason: str) -> None:
        """What peers say of themselves would be kept for ever, of whoever connects."""
        _log.debug("%s is not asked who it is (%s)", peer_id, reason)

    made = cast("BasicHost", host)
    made._schedule_identify = nothing  # pyright: ignore[reportPrivateUsage]
    made.multiselect.remove_handler(ID_PUSH)
    return made
