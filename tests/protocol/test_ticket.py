"""Tickets as texts: what is one, what is none, and what anybody may do to one on its way."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.errors import (
    EarlyTicketError,
    ExpiredTicketError,
    ForgedTicketError,
    InvalidTicketError,
    OtherTicketError,
    UsedUpTicketError,
)
from kinlight.protocol.ticket import PREFIX, TICKET_DOMAIN, IssuedTicket, Ticket

from .people import NOW, Person, fixed, issued_of, ticket_of

ALICE, MALLORY = Person.named("Alice"), Person.named("Mallory")
PHONE = ALICE.signing_key("phone")
TICKET = ticket_of(ALICE)
TEXT = str(TICKET)
DATA = TICKET.encode()
REFUSALS = (InvalidTicketError, ForgedTicketError, OtherTicketError)


def text_of(data: bytes) -> str:
    """`data` as the text of a ticket, with the checksum that belongs to it."""
    check = hashlib.sha256(b"kinlight/ticket-check1\x00" + data).digest()[:4]
    return PREFIX + base64.b32encode(data + check).decode().rstrip("=").lower()


def papers(*certificates: DeviceCertificate) -> Value:
    return [each.signed.to_value() for each in certificates]


def body(**changes: Value) -> list[Value]:
    """What a ticket of Alice's phone says, changed."""
    fields: dict[str, Value] = {
        "version": 1, "type": "ticket", "certificates": papers(ALICE.certificate(PHONE.public)),
        "secret": fixed("ticket", 16), "issued": NOW, "expires": NOW + 3600, "uses": 1,
        "addresses": ["192.0.2.7:4430"], "relays": [],
    }  # fmt: skip
    return list({**fields, **changes}.values())


def signed_text(value: Value, domain: bytes = TICKET_DOMAIN) -> str:
    return text_of(PHONE.sign_value(domain, value).encode())


def test_a_ticket_says_who_made_it_and_where_until_when_and_how_often() -> None:
    made = ticket_of(ALICE, uses=5, addresses=["192.0.2.7:1", "/ip4/192.0.2.7/tcp/1/p2p/12D3"],
                     relays=["relay.example:2"])  # fmt: skip
    read = Ticket.parse(str(made))
    assert read == made
    assert (read.identity, read.device) == (ALICE.identity, PHONE.public)
    assert (read.issued, read.expires, read.uses) == (NOW, NOW + 3600, 5)
    assert read.addresses == ("192.0.2.7:1", "/ip4/192.0.2.7/tcp/1/p2p/12D3")
    assert read.relays == ("relay.example:2",)
    assert read.secret == Secret(fixed("ticket", 16))


def test_it_fits_a_chat_message_and_shows_no_secret() -> None:
    assert len(TEXT) < 600
    assert set(TEXT.removeprefix(PREFIX)) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert fixed("ticket", 16).hex() not in repr(TICKET)
    assert str(fixed("ticket", 16)) not in repr(TICKET)


def test_the_id_and_the_rendezvous_secret_are_other_ones_for_each_ticket() -> None:
    other = ticket_of(ALICE, "another")
    assert TICKET.ticket_id != other.ticket_id
    assert len(TICKET.ticket_id) == 8
    assert TICKET.rendezvous_secret != other.rendezvous_secret
    assert TICKET.rendezvous_secret != TICKET.secret


@pytest.mark.parametrize(
    "mangled",
    [
        f"  {TEXT}\n",
        TEXT.upper(),
        "\r\n> ".join([TEXT]).strip(),
        "\n".join(TEXT[start : start + 64] for start in range(0, len(TEXT), 64)),
        "\r\n\t ".join(TEXT[start : start + 70] for start in range(0, len(TEXT), 70)),
        "\u00a0".join([TEXT[:20], TEXT[20:]]),
        "\u200b".join([TEXT[:200], TEXT[200:]]),
        "\ufeff" + TEXT,
        "\u00ad".join([TEXT[:300], TEXT[300:]]),
        " ".join(TEXT),
    ],
)
def test_white_space_line_breaks_and_case_do_no_harm(mangled: str) -> None:
    assert Ticket.matches(mangled)
    assert Ticket.parse(mangled) == TICKET


@given(st.data())
def test_white_space_anywhere_does_no_harm(data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(TEXT)), max_size=20)), reverse=True)
    text = TEXT
    for place in places:
        text = text[:place] + data.draw(st.sampled_from(" \n\r\t\u2003\u200b")) + text[place:]
    assert Ticket.parse(text) == TICKET


@pytest.mark.parametrize("text", ["", "7-maple-orbit", "kinlight:", "kinlight:lgGmaW52aXRl"])
def test_a_code_and_an_invitation_are_no_tickets(text: str) -> None:
    assert not Ticket.matches(text)
    with pytest.raises(InvalidTicketError):
        Ticket.parse(text)


# What was altered.


def test_every_changed_bit_is_noticed_as_a_slip() -> None:
    raw = DATA + base64.b32decode(_padded(TEXT))[-4:]
    for place in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        text = PREFIX + base64.b32encode(bytes(changed)).decode().rstrip("=").lower()
        with pytest.raises(InvalidTicketError):
            Ticket.parse(text)


def test_every_changed_bit_is_noticed_by_whoever_makes_the_checksum_anew() -> None:
    for place in range(8 * len(DATA)):
        changed = bytearray(DATA)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(REFUSALS):
            Ticket.parse(text_of(bytes(changed)))


def _padded(text: str) -> str:
    digits = text.removeprefix(PREFIX).upper()
    return digits + "=" * (-len(digits) % 8)


@pytest.mark.parametrize("length", [0, 1, 5, 16, 17, 100, len(TEXT) - 1])
def test_a_cut_ticket_is_refused(length: int) -> None:
    with pytest.raises(InvalidTicketError):
        Ticket.parse(TEXT[:length])


@pytest.mark.parametrize(
    "text",
    [TEXT + "a", TEXT + "aa", TEXT + "=", TEXT + TEXT, TEXT[:-1], TEXT[1:], PREFIX, PREFIX + "a",
     PREFIX + "aa", PREFIX + "1", PREFIX + "é", PREFIX + "ß" * 8, PREFIX + "\U0001d7d8" * 8,
     TEXT.replace("a", "\u0430")],
)  # fmt: skip
def test_what_else_is_no_ticket_is_refused(text: str) -> None:
    with pytest.raises(InvalidTicketError):
        Ticket.parse(text)


def test_the_spare_bits_of_the_last_digit_are_zero() -> None:
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    spare = 5 * len(TEXT.removeprefix(PREFIX)) % 8
    assert spare
    others = [TEXT[:-1] + digit for digit in digits if digit != TEXT[-1]]
    for text in others:
        with pytest.raises(InvalidTicketError):
            Ticket.parse(text)


@given(st.binary(max_size=400))
def test_random_bytes_are_no_ticket(data: bytes) -> None:
    for text in (text_of(data), PREFIX + base64.b32encode(data).decode().lower()):
        with pytest.raises(REFUSALS):
            Ticket.parse(text)


@given(st.text(max_size=200))
def test_random_text_is_no_ticket(text: str) -> None:
    for tried in (text, PREFIX + text):
        with pytest.raises(InvalidTicketError):
            Ticket.parse(tried)


VALUES = st.recursive(
    st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=70), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)


@given(st.integers(0, 8), VALUES)
def test_any_value_in_the_place_of_any_field_is_refused_or_is_what_is_read(
    field: int, value: Value
) -> None:
    changed = body()
    changed[field] = value
    try:
        ticket = Ticket.parse(signed_text(changed))
    except KinlightError as error:
        assert isinstance(error, REFUSALS)  # noqa: PT017 - it may be a ticket as well
    else:
        assert ticket.signed.unverified() == changed


# What a signer may do who keeps no rule.


def test_the_fields_are_read_as_they_were_made() -> None:
    assert Ticket.parse(signed_text(body())) == TICKET


BROKEN: list[dict[str, Value]] = [
    {"type": "invite"},
    {"secret": bytes(15)},
    {"secret": bytes(17)},
    {"secret": "text"},
    {"issued": NOW + 3600},
    {"issued": NOW + 3601},
    {"expires": NOW + limits.TICKET_SECONDS + 1},
    {"uses": 0},
    {"uses": limits.TICKET_USES + 1},
    {"addresses": ["a:1"] * (limits.TICKET_ADDRESSES + 1)},
    {"addresses": ["a"] * 1000},
    {"addresses": ["a" * (limits.TICKET_ADDRESS_BYTES + 1)]},
    {"addresses": [b"192.0.2.7:1"]},
    {"addresses": "192.0.2.7:1"},
    {"addresses": [["192.0.2.7:1"]]},
    {"relays": ["a:1"] * (limits.TICKET_RELAYS + 1)},
    {"certificates": [[b"", bytes(64)]]},
    {"certificates": [[]]},
    {"certificates": papers(*[ALICE.certificate(PHONE.public)] * 3)},
    {"more": 1},
]


@pytest.mark.parametrize("changed", BROKEN, ids=lambda changed: next(iter(changed)))
def test_what_no_reader_may_take_is_refused_although_it_is_signed(
    changed: dict[str, Value],
) -> None:
    with pytest.raises(InvalidTicketError):
        Ticket.parse(signed_text(body(**changed)))


def test_ten_thousand_addresses_are_refused_before_they_are_read() -> None:
    many = body(addresses=[f"10.0.{number // 256}.{number % 256}:1" for number in range(4000)])
    with pytest.raises(InvalidTicketError, match="too long"):
        Ticket.parse(signed_text(many))
    with pytest.raises(InvalidTicketError, match="too long"):
        Ticket.parse(PREFIX + "a" * 200_000)
    with pytest.raises(InvalidTicketError, match="too long"):
        Ticket.parse(PREFIX + " " * 10_000_000)


def test_the_bounds_themselves_are_allowed() -> None:
    most = body(
        expires=NOW + limits.TICKET_SECONDS,
        uses=limits.TICKET_USES,
        addresses=["a"] * limits.TICKET_ADDRESSES,
        relays=["b" * limits.TICKET_ADDRESS_BYTES] * limits.TICKET_RELAYS,
    )
    assert Ticket.parse(signed_text(most)).uses == limits.TICKET_USES


def test_a_ticket_of_the_last_length_is_read_and_one_longer_is_not() -> None:
    def of(length: int) -> str:
        room = body(addresses=["a" * 255] * 6 + ["a"])
        missing = length - 4 - len(PHONE.sign_value(TICKET_DOMAIN, room).encode())
        return signed_text(body(addresses=["a" * 255] * 6 + ["a" * (1 + missing - 1)]))

    longest = of(limits.TICKET_BYTES)
    assert len(base64.b32decode(_padded(longest))) == limits.TICKET_BYTES
    Ticket.parse(longest)
    with pytest.raises(InvalidTicketError, match="too long"):
        Ticket.parse(of(limits.TICKET_BYTES + 1))


def test_a_later_version_is_told_from_nonsense() -> None:
    for later in ([2, "ticket"], body(version=2), [2**64 - 1]):
        with pytest.raises(OtherTicketError):
            Ticket.parse(signed_text(later))
    with pytest.raises(OtherTicketError):
        Ticket.parse(signed_text(body(version=0)))


def test_a_ticket_is_not_made_for_what_no_reader_takes() -> None:
    with pytest.raises(InvalidTicketError):
        ticket_of(ALICE, uses=0)
    with pytest.raises(InvalidTicketError):
        ticket_of(ALICE, addresses=["a" * 256])


# Forgeries.


def test_a_signature_by_another_device_is_a_forgery() -> None:
    mallory = MALLORY.signing_key("phone")
    with pytest.raises(ForgedTicketError):
        Ticket.parse(text_of(mallory.sign_value(TICKET_DOMAIN, body()).encode()))


def test_a_signature_for_another_purpose_is_a_forgery() -> None:
    for domain in (b"kinlight/receipt1", b"kinlight/ticket", b"kinlight/hello1"):
        with pytest.raises(ForgedTicketError):
            Ticket.parse(signed_text(body(), domain))


def test_certificates_that_lead_nowhere_are_a_forgery() -> None:
    tablet, laptop = ALICE.signing_key("tablet"), ALICE.signing_key("laptop")
    for chain in (
        (),
        (MALLORY.certificate(PHONE.public, PHONE),),
        (ALICE.certificate(PHONE.public, PHONE),),
        (ALICE.certificate(PHONE.public, MALLORY.root),),
        (ALICE.certificate(tablet.public), ALICE.certificate(PHONE.public, tablet)),
        (ALICE.certificate(tablet.public, may_certify=True), ALICE.certificate(PHONE.public)),
        (ALICE.certificate(laptop.public, may_certify=True),
         ALICE.certificate(PHONE.public, tablet)),
        (MALLORY.certificate(tablet.public, may_certify=True),
         ALICE.certificate(PHONE.public, tablet)),
    ):  # fmt: skip
        with pytest.raises(ForgedTicketError):
            Ticket.parse(signed_text(body(certificates=papers(*chain))))


def test_a_device_that_another_one_certified_makes_tickets() -> None:
    tablet = ALICE.signing_key("tablet")
    chain = (
        ALICE.certificate(tablet.public, may_certify=True),
        ALICE.certificate(PHONE.public, tablet),
    )
    read = Ticket.parse(signed_text(body(certificates=papers(*chain))))
    assert (read.identity, read.device) == (ALICE.identity, PHONE.public)


def test_certificates_of_somebody_else_can_not_be_put_into_a_ticket() -> None:
    """Mallory certifies the key of Alice's phone, which nobody asks, and calls the ticket hers."""
    stolen = encoding.encode(body(certificates=papers(MALLORY.certificate(PHONE.public))))
    with pytest.raises(ForgedTicketError):
        Ticket.parse(text_of(Signed(stolen, TICKET.signed.signature).encode()))


# Time and use.


def test_a_ticket_is_valid_from_its_day_to_its_end() -> None:
    for now in (NOW - limits.CLOCK_SECONDS, NOW, NOW + 3599):
        TICKET.check(now)
    with pytest.raises(EarlyTicketError):
        TICKET.check(NOW - limits.CLOCK_SECONDS - 1)
    for now in (NOW + 3600, 2**62):
        with pytest.raises(ExpiredTicketError):
            TICKET.check(now)


def test_of_a_ticket_that_is_used_up_who_used_it_may_come_again() -> None:
    open_one = issued_of(TICKET)
    open_one.begin()
    open_one.admit(MALLORY.identity)
    used = IssuedTicket(TICKET.ticket_id, TICKET.secret, None, frozenset([ALICE.identity]))
    used.begin()
    used.admit(ALICE.identity)
    with pytest.raises(UsedUpTicketError):
        used.admit(MALLORY.identity)
    over = IssuedTicket(TICKET.ticket_id, TICKET.secret, ExpiredTicketError)
    with pytest.raises(ExpiredTicketError):
        over.begin()
