from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import kinlight.crypto
import kinlight.protocol
import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import (
    ChannelError,
    KinlightError,
    LocalError,
    PeerError,
)
from kinlight.crypto.signing import Signed
from kinlight.protocol import errors, messages, weblink_errors
from kinlight.protocol.attributes import Attestation, decode_shown
from kinlight.protocol.capability import Capability
from kinlight.protocol.errors import (
    WIRE_CODES,
    EarlyTicketError,
    ForgedTicketError,
    OtherTicketError,
    PeerFailedError,
    WrongPeerError,
    from_wire,
    wire_code,
    wire_number,
)
from kinlight.protocol.photo import Metadata, PhotoRecord
from kinlight.protocol.revocation import RevocationList

for _room in (kinlight.crypto, kinlight.protocol):
    for _found in pkgutil.iter_modules(_room.__path__):
        importlib.import_module(f"{_room.__name__}.{_found.name}")

WEB_LINKS = tuple(
    kind
    for kind in vars(weblink_errors).values()
    if isinstance(kind, type) and kind.__module__ == weblink_errors.__name__
)
TELL_NOTHING = (
    ChannelError, WrongPeerError, EarlyTicketError, ForgedTicketError, OtherTicketError, *WEB_LINKS,
)  # fmt: skip
"""They go out as "it failed": a broken channel carries nothing, an impostor learns nothing. What is
wrong with the text of a ticket is found before anybody is called, and what is wrong with a link for
browsers is told to a page.
"""


def tree(root: type[KinlightError]) -> Iterator[type[KinlightError]]:
    for kind in root.__subclasses__():
        if kind.__module__.startswith(("kinlight.crypto", "kinlight.protocol")):
            yield kind
            yield from tree(kind)


PEER_ERRORS = list(tree(PeerError))
ALL_ERRORS = [kind for kind in tree(KinlightError) if kind not in (LocalError, PeerError)]


@pytest.mark.parametrize("number", WIRE_CODES)
def test_a_wire_code_is_read_as_the_error_that_was_sent(number: int) -> None:
    error = WIRE_CODES[number]()
    assert wire_code(error) == number
    assert type(from_wire(number)) is type(error)
    assert messages.decode(messages.Bye(number).encode()) == messages.Bye(number)


@pytest.mark.parametrize("number", [0, 18, 60, 255, 2**64 - 1])
def test_an_unknown_wire_code_is_an_unspecific_failure(number: int) -> None:
    assert number not in WIRE_CODES
    assert type(from_wire(number)) is PeerFailedError


@pytest.mark.parametrize("number", WIRE_CODES)
def test_the_number_of_an_error_is_found_by_its_code(number: int) -> None:
    assert wire_number(WIRE_CODES[number].code) == number


@pytest.mark.parametrize("code", ["cut", "not-in-this-version", "no-such-code", ""])
def test_a_code_that_has_no_number_goes_out_as_an_unspecific_failure(code: str) -> None:
    assert wire_number(code) == 1


@pytest.mark.parametrize("kind", ALL_ERRORS, ids=lambda kind: kind.__name__)
def test_the_sentence_of_an_error_is_found_by_its_code(kind: type[KinlightError]) -> None:
    assert errors.sentence(kind.code) == str(kind())


def test_a_code_that_nobody_has_is_its_own_sentence() -> None:
    assert errors.sentence("no-such-code") == "no-such-code"


@pytest.mark.parametrize("kind", PEER_ERRORS, ids=lambda kind: kind.__name__)
def test_every_fault_of_a_peer_has_a_number_or_tells_nothing(kind: type[PeerError]) -> None:
    numbered = any(ancestor in WIRE_CODES.values() for ancestor in kind.__mro__)
    assert numbered != issubclass(kind, TELL_NOTHING)
    assert wire_code(kind()) in WIRE_CODES
    assert numbered or wire_code(kind()) == 1


def test_a_fault_of_our_own_goes_out_without_a_reason() -> None:
    assert wire_code(errors.UnsupportedGrantError()) == 1
    assert wire_code(OSError("/home/alice/photos is full")) == 1


@pytest.mark.parametrize("kind", ALL_ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_is_a_sentence_for_the_user(kind: type[KinlightError]) -> None:
    sentence = str(kind())
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    happened, _, advice = sentence.rstrip(".").partition(". ")
    told = f"{happened}: detail. {advice}." if advice else f"{happened}: detail"
    assert str(kind("detail")) == told


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in ALL_ERRORS]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", [KinlightError, LocalError, PeerError])
def test_the_roots_of_the_tree_are_abstract(kind: type[KinlightError]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_the_two_branches_never_mix() -> None:
    for kind in ALL_ERRORS:
        assert issubclass(kind, PeerError) != issubclass(kind, LocalError)


EVIL = "evil\x1b[31m text"
"""Looked for in every error's text; long and odd enough that no sentence has it by chance."""


@pytest.mark.parametrize(
    "value",
    [
        [EVIL],
        [1, EVIL, EVIL],
        [1, "photo", EVIL],
        [1, "meta", EVIL * 40],
        [1, "meta", EVIL, EVIL, 0, 0, bytes(32), EVIL],
        [1, "meta", "a.jpg", "image/jpeg", 0, 0, bytes(32), EVIL[:16]],
        [[[EVIL]], EVIL],
        [[encoding.encode([1, "cap", EVIL]), bytes(64)]],
        [
            [
                encoding.encode(
                    [
                        1, "cap", b"", bytes(32), bytes(32), [EVIL, bytes(32)], [], bytes(16),
                    ]
                ),
                bytes(64),
            ]
        ],
        [encoding.encode([1, "attest", bytes(32), bytes(32), bytes(32), EVIL, EVIL]), bytes(64)],
        [encoding.encode([1, "revs", bytes(32), bytes(32), EVIL]), bytes(64)],
        [4, EVIL],
        [1, [], EVIL * 3, EVIL, b""],
        [1, [1], EVIL * 3, EVIL, b""],
        [1, [1, 2], EVIL * 3, EVIL, b"", EVIL],
    ],
)  # fmt: skip
def test_no_text_of_a_peer_gets_into_an_error(value: encoding.Value) -> None:
    data = encoding.encode(value)
    readers = (
        messages.decode, Metadata.decode, Capability.decode, _record,
        Attestation.decode, decode_shown, RevocationList.decode,
    )  # fmt: skip
    for read in readers:
        with pytest.raises(PeerError) as caught:
            read(data)
        error = caught.value
        assert "evil" not in f"{error} {error.detail} {error.args} {error!r}"
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__


def _record(data: bytes) -> PhotoRecord:
    return PhotoRecord.read(Signed(data, bytes(64)))
