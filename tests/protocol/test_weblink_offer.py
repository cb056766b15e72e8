"""What is left of an offer before a WebRTC library reads it."""

from __future__ import annotations

import pytest
from kinlight.protocol import limits
from kinlight.protocol.weblink_errors import LinkOfferError
from kinlight.protocol.weblink_offer import harmless

SOURCE = "192.0.2.20"
FINGERPRINT = ":".join(["AB"] * 32)
CHROMIUM = f"""v=0
o=- 4215775240449105457 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 50372 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.20
a=candidate:1 1 udp 2113937151 7c8d9b1e-3b1a-4b8e-8e51-7d0a4f6c2c11.local 50372 typ host generation 0
a=candidate:2 1 udp 2113939711 2001:db8::5 35052 typ host generation 0 network-id 2
a=candidate:3 1 tcp 1518280447 192.0.2.20 9 typ host tcptype active
a=candidate:4 1 udp 1677729535 203.0.113.9 50372 typ srflx raddr 0.0.0.0 rport 0
a=ice-ufrag:aBcD
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
"""  # noqa: E501 - as browsers write it

NO_PORT = CHROMIUM.replace("50372 typ host", "{0} typ host").replace("35052 typ", "{0} typ")


def candidates(offer: str, source: str = SOURCE) -> list[str]:
    return [line for line in harmless(offer, source).split("\r\n") if "candidate:" in line]


def test_a_candidate_is_one_at_the_address_that_asked_whatever_it_says() -> None:
    assert candidates(CHROMIUM) == [
        f"a=candidate:{number} 1 udp 2113937151 {SOURCE} {port} typ host"
        for number, port in enumerate((50372, 35052))
    ]


def test_what_a_data_channel_needs_stays_and_nothing_else() -> None:
    kept = harmless(CHROMIUM, SOURCE)
    for line in ("a=ice-ufrag:aBcD", f"a=fingerprint:sha-256 {FINGERPRINT}", "a=sctp-port:5000"):
        assert line in kept
    for word in ("trickle", "extmap", "msid", ".local", "203.0.113.9", "2001:db8"):
        assert word not in kept


@pytest.mark.parametrize(
    "other",
    ["203.0.113.9", "127.0.0.1", "169.254.169.254", "10.0.0.1", "victim.example", "[::1]", "::1"],
)
def test_nobody_can_have_packets_sent_to_somebody_else(other: str) -> None:
    line = f"a=candidate:9 1 udp 1 {other} 53 typ host\n"
    kept = harmless(CHROMIUM + line, SOURCE)
    assert f" {other} " not in kept
    assert all(f" {SOURCE} " in line for line in kept.split("\r\n") if "candidate:" in line)


def test_many_candidates_are_cut_to_a_few() -> None:
    lines = "".join(
        f"a=candidate:{port} 1 udp 1 {SOURCE} {port} typ host\n" for port in range(1000, 1200)
    )
    assert len(candidates(CHROMIUM + lines)) == limits.LINK_CANDIDATES


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "v=0",
        CHROMIUM + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n",
        CHROMIUM + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n",
        CHROMIUM.replace("a=ice-pwd", "a=ice-no"),
        CHROMIUM.replace("a=setup:actpass", "a=setup:passive"),
        CHROMIUM.replace("sha-256", "sha-1"),
        CHROMIUM + "a=ice-ufrag:EfGh\n",
        NO_PORT.format("0"),
        NO_PORT.format("99999"),
        CHROMIUM.replace("a=mid:0", "a=mid:0\x00"),
        CHROMIUM + "ü",
        CHROMIUM + "a=x\n" * limits.LINK_OFFER_BYTES,
        "v=0\n" * 3000,
    ],
)
def test_what_is_no_offer_of_a_data_channel_is_refused(bad: str) -> None:
    with pytest.raises(LinkOfferError):
        harmless(bad, SOURCE)


def test_no_line_can_hide_another() -> None:
    for end in ("\r", "\x0b", "\x0c", "\x1c", "\x1e"):
        hidden = CHROMIUM.replace(
            "a=mid:0", f"a=mid:0{end}a=candidate:9 1 udp 1 10.0.0.1 5 typ host"
        )
        try:
            assert "10.0.0.1" not in harmless(hidden, SOURCE)
        except LinkOfferError:
            continue
