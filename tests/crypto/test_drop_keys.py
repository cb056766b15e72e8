"""The keys of drop links: what proves an offer, what seals the frames, and the vectors of both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto import drop_keys, link_keys
from kinlight.crypto.drop_keys import Frames
from kinlight.crypto.errors import SealBrokenError
from kinlight.crypto.secret import Secret

VECTORS = Path(__file__).parents[1] / "vectors" / "drop"
KEY, TOKEN, OFFER = Secret(bytes(range(32))), bytes(range(16)), b"an offer"


def cases() -> list[Any]:
    found = json.loads((VECTORS / "vectors.json").read_text())["cases"]
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", cases())
def test_the_vectors_come_out(case: dict[str, Any]) -> None:
    auth = drop_keys.auth_key(Secret(bytes.fromhex(case["key"])))
    drop = drop_keys.drop_id(bytes.fromhex(case["token"]))
    assert (drop.hex(), auth.reveal().hex()) == (case["drop_id"], case["auth_key"])
    signals, visit = drop_keys.signals(auth, drop), bytes.fromhex(case["visit"])
    offer = case["offer"].encode()
    assert signals.offer_tag(visit, offer).hex() == case["offer_tag"]
    answer = case["answer"].encode()
    assert signals.answer_tag(visit, offer, answer).hex() == case["answer_tag"]

    bound = auth, drop, offer, bytes.fromhex(case["challenge"])
    for side, sender, reader in (
        ("page", Frames.of_page(*bound), Frames.of_node(*bound)),
        ("node", Frames.of_node(*bound), Frames.of_page(*bound)),
    ):
        frames = [bytes.fromhex(frame) for frame in case[side]]
        sealed = [bytes.fromhex(frame) for frame in case[f"{side}_sealed"]]
        fails = case["fails"][1] if case["fails"] and case["fails"][0] == side else None
        if fails is None:
            assert [sender.seal(frame) for frame in frames] == sealed
        for number, frame in enumerate(sealed):
            if number == fails:
                with pytest.raises(SealBrokenError):
                    reader.open(frame)
                break
            assert reader.open(frame) == frames[number]


def test_the_generator_writes_the_same_vectors_again(tmp_path: Path) -> None:
    generator = [sys.executable, str(VECTORS.parent / "generate_drops.py"), str(tmp_path)]
    subprocess.run(generator, check=True, timeout=60)
    written = (tmp_path / "drop" / "vectors.json").read_bytes()
    assert written == (VECTORS / "vectors.json").read_bytes()


def test_what_proves_a_link_to_photos_proves_no_drop_link() -> None:
    drop, visit = drop_keys.drop_id(TOKEN), bytes(link_keys.VISIT_BYTES)
    ours = drop_keys.signals(drop_keys.auth_key(KEY), drop)
    theirs = link_keys.Signals.of(KEY, link_keys.link_id(TOKEN))
    assert not ours.is_proved(visit, OFFER, theirs.offer_tag(visit, OFFER))
    same_key = link_keys.Signals(drop_keys.auth_key(KEY), drop)
    assert not ours.is_proved(visit, OFFER, same_key.offer_tag(visit, OFFER))


def test_a_challenge_has_its_length_and_what_is_shorter_than_a_seal_opens_nothing() -> None:
    auth, drop = drop_keys.auth_key(KEY), drop_keys.drop_id(TOKEN)
    with pytest.raises(ValueError, match="32 bytes"):
        Frames.of_node(auth, drop, OFFER, bytes(31))
    frames = Frames.of_node(auth, drop, OFFER, bytes(32))
    for short in (b"", b"x" * (drop_keys.SEAL_BYTES - 1)):
        with pytest.raises(SealBrokenError):
            frames.open(short)
