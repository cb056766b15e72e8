"""Heads: a chain for each device, proofs of a fork, and lines that only those in the know read."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import KinlightError, MalformedError
from kinlight.crypto.signing import Signed
from kinlight.protocol import heads, limits
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import BrokenHeadError
from kinlight.protocol.heads import HEAD_DOMAIN, LINE_BYTES, Fork, Head, Seen

from .people import Person

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "vectors" / "heads" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
NOW = 1_800_000_000
ALICE, BOB = Person.named("Alice"), Person.named("Bob")
PHONE, LAPTOP = ALICE.signing_key("phone"), ALICE.signing_key("laptop")
SPEAKS = {PHONE.public: ALICE.identity, LAPTOP.public: ALICE.identity}
X, OTHER_X = bytes(32), b"x" * 32


def head(before: Head | None = None, *more: bytes, revoked: bytes = b"", time: int = NOW) -> Head:
    return Head.sign(
        PHONE, ALICE.identity, before, time=time, devices=[PHONE.public, *more], revoked=revoked
    )


FIRST = head()
SECOND = head(FIRST, LAPTOP.public)
THIRD = head(SECOND, LAPTOP.public, revoked=b"r" * 32)
TWIN = head(FIRST, BOB.identity)
AFTER_TWIN = head(TWIN, LAPTOP.public)


def test_a_chain_reads_back_and_verifies() -> None:
    for number, each in enumerate((FIRST, SECOND, THIRD)):
        read = Head.decode(each.encode())
        assert read == each
        read.verify(SPEAKS)
        assert read.seq == number
    assert THIRD.previous == SECOND.digest
    assert THIRD.says([LAPTOP.public, PHONE.public], b"r" * 32)
    assert not THIRD.says([PHONE.public], b"r" * 32)


def test_heads_of_one_chain_are_no_fork_in_any_order() -> None:
    chain = (FIRST, SECOND, THIRD)
    assert all(Fork.of(one, other) is None for one in chain for other in chain)


@pytest.mark.parametrize(
    ("one", "other"), [(SECOND, TWIN), (SECOND, AFTER_TWIN), (TWIN, THIRD)], ids=str
)
def test_two_heads_that_no_chain_has_both_of_are_a_proof_the_same_for_whoever_finds_it(
    one: Head, other: Head
) -> None:
    fork = Fork.of(one, other)
    assert fork is not None
    assert fork == Fork.of(other, one)
    fork.verify(SPEAKS)
    assert heads.find_fork([FIRST, one], other) == fork


def test_what_lies_further_apart_proves_nothing_yet() -> None:
    assert Fork.of(FIRST, AFTER_TWIN) is None
    assert heads.find_fork([FIRST, SECOND], AFTER_TWIN) is not None


def test_nobody_else_can_be_made_a_liar() -> None:
    """A proof needs two signatures by the same device: none can be made up, moved or borrowed."""
    laptops = Head.sign(
        LAPTOP, ALICE.identity, FIRST, time=NOW, devices=[LAPTOP.public], revoked=b""
    )
    assert Fork.of(SECOND, laptops) is None
    bobs = Head.sign(
        BOB.signing_key("phone"), ALICE.identity, FIRST, time=NOW, devices=[], revoked=b""
    )
    with pytest.raises(BrokenHeadError):
        bobs.verify(SPEAKS)
    forged = Head.read(Signed(TWIN.signed.body, SECOND.signed.signature))
    with pytest.raises(BrokenHeadError):
        Fork(SECOND, forged).verify(SPEAKS)
    with pytest.raises(BrokenHeadError):
        SECOND.verify({PHONE.public: BOB.identity})
    with pytest.raises(BrokenHeadError):
        Fork(FIRST, SECOND).verify(SPEAKS)


def test_another_signature_under_the_same_words_is_the_same_head() -> None:
    again = Head.read(Signed(SECOND.signed.body, bytes(64)))
    assert again.digest == SECOND.digest
    assert Fork.of(SECOND, again) is None


def written(change: Callable[[list[Value]], None], domain: bytes = HEAD_DOMAIN) -> bytes:
    body: list[Value] = [
        1, "head", ALICE.identity, PHONE.public, 1, FIRST.digest, NOW, [PHONE.public], b"",
    ]  # fmt: skip
    change(body)
    return PHONE.sign_value(domain, body).encode()


def test_what_is_written_by_hand_as_the_page_says_is_a_head() -> None:
    Head.decode(written(lambda _: None)).verify(SPEAKS)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2), (1, "dev"), (2, bytes(32)), (3, b"short"), (4, 2**63), (4, 0), (5, b""),
        (6, 2**63), (7, [b"short"]), (7, [PHONE.public, PHONE.public]),
        (7, [b"b" * 32, b"a" * 32]), (7, [bytes([each]) * 32 for each in range(65)]),
        (8, b"short"), (8, bytes(33)),
    ],
    ids=str,
)  # fmt: skip
def test_another_form_is_refused(place: int, value: Value) -> None:
    def change(body: list[Value]) -> None:
        body[place] = value

    with pytest.raises(MalformedError):
        Head.decode(written(change))


def test_a_further_item_and_another_domain_are_refused() -> None:
    with pytest.raises(MalformedError):
        Head.decode(written(lambda body: body.append(0)))
    with pytest.raises(BrokenHeadError):
        Head.decode(written(lambda _: None, b"kinlight/device1")).verify(SPEAKS)


def test_as_many_devices_as_there_may_be_fit_and_one_more_does_not() -> None:
    devices = [bytes([number]) * 32 for number in range(limits.HEAD_DEVICES)]
    many = Head.sign(PHONE, ALICE.identity, None, time=NOW, devices=devices, revoked=bytes(32))
    assert Head.decode(many.encode()) == many
    assert len(many.encode()) <= limits.HEAD_BYTES


# Lines.


def said(*shown: Head, exporter: bytes = X, speaker: bytes = b"bob") -> dict[bytes, bytes]:
    lines = [heads.line(each, exporter, speaker) for each in shown]
    return heads.read_lines(heads.join_lines(lines, secrets.token_bytes))


def test_who_knows_an_identity_reads_what_is_said_of_its_devices() -> None:
    found = heads.look_up(said(SECOND), ALICE.identity, PHONE.public, X, b"bob")
    assert found == Seen(1, SECOND.digest)


def test_of_whom_nothing_is_said_nothing_is_found_and_lines_look_like_filling() -> None:
    lines = said(SECOND)
    assert len(lines) == limits.HEAD_STEP
    assert heads.look_up(lines, BOB.identity, PHONE.public, X, b"bob") is None
    assert heads.look_up(lines, ALICE.identity, LAPTOP.public, X, b"bob") is None
    shown = b"".join([*lines, *lines.values()])
    for secret in (ALICE.identity, PHONE.public, SECOND.digest, encoding.encode([1])[1:] * 8):
        assert secret not in shown


def test_a_line_means_nothing_on_another_channel_or_by_somebody_else() -> None:
    lines = said(SECOND)
    assert heads.look_up(lines, ALICE.identity, PHONE.public, OTHER_X, b"bob") is None
    assert heads.look_up(lines, ALICE.identity, PHONE.public, X, b"carol") is None
    assert not said(SECOND).keys() & said(SECOND, exporter=OTHER_X).keys()


@given(st.integers(0, 200))
def test_the_number_of_lines_tells_few_sizes(count: int) -> None:
    lines = [secrets.token_bytes(LINE_BYTES) for _ in range(count)]
    joined = heads.join_lines(lines, secrets.token_bytes)
    if count:
        assert set(heads.read_lines(joined).items()) >= {(each[:16], each[16:]) for each in lines}
        assert len(joined) // LINE_BYTES == -(-count // limits.HEAD_STEP) * limits.HEAD_STEP


def test_no_more_lines_are_told_than_fit_and_an_odd_number_is_refused() -> None:
    lines = [secrets.token_bytes(LINE_BYTES) for _ in range(limits.HEAD_LINES + 1)]
    assert len(heads.join_lines(lines, secrets.token_bytes)) == limits.HEAD_LINES * LINE_BYTES
    for data in (b"", bytes(LINE_BYTES), bytes(limits.HEAD_STEP * LINE_BYTES - 1)):
        with pytest.raises(MalformedError):
            heads.read_lines(data)


def test_a_head_says_when_something_is_new() -> None:
    again = dataclasses.replace(SECOND)
    assert again.says([PHONE.public, LAPTOP.public], b"")


# The vectors.


def judged(case: dict[str, Any]) -> str:
    """What our code makes of a case."""
    try:
        devices = Certificates.decode(bytes.fromhex(case["certificates"])).devices
        found = [Head.decode(bytes.fromhex(each)) for each in case["heads"]]
        for each in found:
            each.verify(devices)
    except KinlightError as error:
        return error.code
    forks = [Fork.of(one, other) for one, other in combinations(found, 2)]
    return "fork" if any(forks) else "success"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["case"])
def test_every_vector_is_judged_as_it_says(case: dict[str, Any]) -> None:
    assert judged(case) == case["expect"]


def test_the_vector_of_a_line_is_what_we_say_and_read() -> None:
    told = {name: bytes.fromhex(text) for name, text in VECTORS["line"].items() if name != "seq"}
    first = Head.decode(bytes.fromhex(VECTORS["cases"][0]["heads"][0]))
    assert first.digest == told["digest"]
    assert heads.line(first, told["exporter"], told["speaker"]) == told["line"]
    lines = {told["line"][:16]: told["line"][16:]}
    found = heads.look_up(
        lines, told["identity"], told["signer"], told["exporter"], told["speaker"]
    )
    assert found == Seen(0, told["digest"])


def test_the_generator_makes_the_vectors_that_are_here(tmp_path: Path) -> None:
    generator = FILE.parents[1] / "generate_heads.py"
    subprocess.run([sys.executable, str(generator), str(tmp_path)], check=True)
    assert (tmp_path / "heads" / "vectors.json").read_bytes() == FILE.read_bytes()


def test_the_example_on_the_page_is_the_first_vector() -> None:
    page = (ROOT / "docs" / "spec" / "heads.md").read_text()
    (block,) = re.findall(r"```example\n(.*?)```", page, re.DOTALL)
    shown = dict(each.split(" = ") for each in block.splitlines())
    first = Head.decode(bytes.fromhex(VECTORS["cases"][0]["heads"][0]))
    told = VECTORS["line"]
    assert [value for name, value in shown.items() if not name.startswith("X,")] == [
        first.identity.hex(), first.signer.hex(), first.signed.body.hex(),
        first.signed.signature.hex(), first.digest.hex(), told["key"], told["line"],
    ]  # fmt: skip
