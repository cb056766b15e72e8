from __future__ import annotations

import secrets

import pytest
from kinlight.node.addresses import Address
from kinlight.node.errors import BadAddressError
from kinlight.node.multiaddrs import (
    PEER_ID_PREFIX,
    Multiaddr,
    leads_from_afar,
    multiaddr,
    parse_any_address,
    peer_id_bytes,
    peer_id_text,
    stored_address,
)

ANNA = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
BOB = peer_id_text(PEER_ID_PREFIX + bytes(32))
DIRECT = f"/ip4/192.0.2.7/tcp/4711/p2p/{ANNA}"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (DIRECT, Address("192.0.2.7", 4711)),
        (f"/ip6/2001:db8::7/tcp/1/p2p/{ANNA}", Address("2001:db8::7", 1)),
        (f"/dns/home.example/tcp/65535/p2p/{ANNA}", Address("home.example", 65535)),
        (f"{DIRECT}/p2p-circuit/p2p/{BOB}", Address("192.0.2.7", 4711)),
    ],
)
def test_an_address_is_read_and_written_in_one_form(text: str, endpoint: Address) -> None:
    address = Multiaddr.parse(f" {text}\n")
    assert str(address) == text
    assert address.endpoint == endpoint
    assert parse_any_address(text) == address
    assert stored_address(address.host, address.port) == address


def test_forms_of_an_ip_address_are_made_one() -> None:
    long = f"/ip6/2001:DB8:0:0:0:0:0:7/tcp/04711/p2p/{ANNA}"
    assert str(Multiaddr.parse(long)) == f"/ip6/2001:db8::7/tcp/4711/p2p/{ANNA}"


def test_the_peer_is_the_one_at_the_end_of_the_way() -> None:
    direct = Multiaddr.parse(DIRECT)
    relayed = Multiaddr.parse(f"{DIRECT}/p2p-circuit/p2p/{BOB}")
    assert direct.peer == peer_id_bytes(ANNA)
    assert direct.via is None
    assert relayed.peer == peer_id_bytes(BOB)
    assert relayed.via == direct


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/ip4/192.0.2.7/tcp/4711",
        "/ip4/192.0.2.7/tcp/4711/p2p",
        f"/ip4/192.0.2.7/udp/4711/p2p/{ANNA}",
        f"/ip4/192.0.2.7/tcp/0/p2p/{ANNA}",
        f"/ip4/192.0.2.7/tcp/65536/p2p/{ANNA}",
        f"/ip4/192.0.2.7/tcp/²/p2p/{ANNA}",
        f"/ip4/2001:db8::7/tcp/4711/p2p/{ANNA}",
        f"/ip6/fe80::1%eth0/tcp/4711/p2p/{ANNA}",
        f"/ip4/300.0.2.7/tcp/4711/p2p/{ANNA}",
        f"/dns/-/tcp/4711/p2p/{ANNA}",
        f"/unix/x/tcp/4711/p2p/{ANNA}",
        f"{DIRECT}/p2p/{BOB}/p2p/{BOB}",
        f"{DIRECT}/p2p-circuit/p2p/{BOB}/p2p-circuit/p2p/{BOB}",
        f"{DIRECT[:-1]}0",
        f"{DIRECT}1",
        "/ip4/192.0.2.7/tcp/4711/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        f"{DIRECT}{'1' * 600}",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadAddressError):
        Multiaddr.parse(text)
    with pytest.raises(BadAddressError):
        parse_any_address(text)


def test_peer_ids_are_the_same_as_bytes_and_as_text() -> None:
    for _ in range(50):
        peer = PEER_ID_PREFIX + secrets.token_bytes(32)
        assert peer_id_bytes(peer_id_text(peer)) == peer
        assert multiaddr("::1", 7, peer).peer == peer


@pytest.mark.parametrize(
    ("text", "far"),
    [
        ("192.168.1.7:4711", False),
        ("[fe80::1%eth0]:4711", False),
        ("[fd00::2]:4711", False),
        ("127.0.0.1:4711", False),
        ("8.8.8.8:4711", True),
        ("[2a00::1]:4711", True),
        ("anna.example:4711", True),
    ],
)
def test_an_address_that_only_the_local_network_knows_is_told_from_others(
    text: str, far: bool
) -> None:
    assert leads_from_afar(parse_any_address(text)) is far


@pytest.mark.parametrize(("host", "far"), [("10.0.0.1", False), ("8.8.8.8", True)])
def test_through_a_relay_it_is_the_relay_s_address_that_counts(host: str, far: bool) -> None:
    relay = multiaddr(host, 4711, PEER_ID_PREFIX + bytes(32))
    assert leads_from_afar(relay) is far
    assert leads_from_afar(relay.onward_to(PEER_ID_PREFIX + bytes(32))) is far
