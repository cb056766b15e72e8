"""The keys of links: what opens the list, what proves an offer, and the vectors of the format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto import link_keys
from kinlight.crypto.errors import SealBrokenError
from kinlight.crypto.link_keys import Signals
from kinlight.crypto.secret import Secret

VECTORS = Path(__file__).parents[1] / "vectors" / "link"
KEY, TOKEN, VISIT = Secret(bytes(range(32))), bytes(range(16)), bytes(range(16, 32))
LINK = link_keys.link_id(TOKEN)


def cases() -> list[Any]:
    found = json.loads((VECTORS / "vectors.json").read_text())["cases"]
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", cases())
def test_the_vectors_come_out(case: dict[str, str]) -> None:
    key, token = Secret(bytes.fromhex(case["key"])), bytes.fromhex(case["token"])
    visit, offer = bytes.fromhex(case["visit"]), case["offer"].encode()
    link = link_keys.link_id(token)
    sealed = bytes.fromhex(case["sealed"])
    signals = Signals.of(key, link)
    assert link.hex() == case["link_id"]
    if case["fails"] == "list":
        with pytest.raises(SealBrokenError):
            link_keys.open_list(key, link, sealed)
    else:
        assert link_keys.open_list(key, link, sealed) == case["list"].encode()
        assert link_keys.seal_list(key, link, case["list"].encode()) == sealed
    right = case["fails"] != "offer"
    assert signals.is_proved(visit, offer, bytes.fromhex(case["offer_tag"])) is right
    answer_tag = signals.answer_tag(visit, offer, case["answer"].encode())
    assert (answer_tag.hex() == case["answer_tag"]) is (case["fails"] != "answer")


def test_the_generator_writes_the_same_vectors_again(tmp_path: Path) -> None:
    generator = [sys.executable, str(VECTORS.parent / "generate_links.py"), str(tmp_path)]
    subprocess.run(generator, check=True, timeout=60)
    written = (tmp_path / "link" / "vectors.json").read_bytes()
    assert written == (VECTORS / "vectors.json").read_bytes()


def test_a_list_opens_with_its_own_key_and_for_its_own_link_alone() -> None:
    sealed = link_keys.seal_list(KEY, LINK, b"photos")
    assert link_keys.open_list(KEY, LINK, sealed) == b"photos"
    for key, link in ((Secret(bytes(32)), LINK), (KEY, link_keys.link_id(bytes(16)))):
        with pytest.raises(SealBrokenError):
            link_keys.open_list(key, link, sealed)


def test_a_tag_is_of_one_visit_one_offer_and_one_direction() -> None:
    signals = Signals.of(KEY, LINK)
    tag = signals.offer_tag(VISIT, b"offer")
    assert signals.is_proved(VISIT, b"offer", tag)
    assert not signals.is_proved(bytes(16), b"offer", tag)
    assert not signals.is_proved(VISIT, b"other", tag)
    assert not signals.is_proved(VISIT, b"offer", tag[:-1])
    assert not Signals.of(KEY, bytes(32)).is_proved(VISIT, b"offer", tag)
    assert signals.answer_tag(VISIT, b"offer", b"") != tag
    assert signals.answer_tag(VISIT, b"a", b"x") != signals.answer_tag(VISIT, b"b", b"x")


def test_bytes_of_the_visit_never_pass_for_bytes_of_the_offer() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Signals.of(KEY, LINK).offer_tag(VISIT + b"o", b"ffer")


def test_what_checks_offers_opens_no_list() -> None:
    signals = Signals.of(KEY, LINK)
    sealed = link_keys.seal_list(KEY, LINK, b"photos")
    with pytest.raises(SealBrokenError):
        link_keys.open_list(signals.auth, LINK, sealed)
    assert KEY.reveal().hex() not in repr(signals)
