"""Writes the vectors of shares: `python tests/vectors/generate_guardians.py [FOLDER]`.

It imports nothing of kinlight. Shares are by SLIP-39's reference code, whose random numbers are
fixed here.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shamir_mnemonic
from shamir_mnemonic import shamir

HERE = Path(__file__).parent
ENTROPY = bytes(range(32))


def fixed(label: str) -> Callable[[int], bytes]:
    """Bytes that stand for random ones."""
    count = 0

    def give(length: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"kinlight {label} {count}".encode()).digest(length)

    return give


def split(label: str, need: int, count: int, secret: bytes = ENTROPY) -> list[str]:
    shamir.RANDOM_BYTES = fixed(label)
    (shares,) = shamir_mnemonic.generate_mnemonics(1, [(need, count)], secret)
    return shares


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "guardians").mkdir(parents=True, exist_ok=True)
    set_a, set_b = split("a", 3, 5), split("b", 3, 5)
    others = split("c", 3, 5, bytes(32))
    short = split("d", 2, 3, bytes(16))
    words = set_a[0].split()
    swapped = " ".join([words[0], words[1], words[2], words[3], words[5], words[4], *words[6:]])
    found: list[dict[str, Any]] = []

    def add(name: str, expect: str, *shares: str) -> None:
        found.append({"case": name, "expect": expect, "shares": list(shares)})

    add("three of five", "success", *set_a[:3])
    add("three others", "success", set_a[4], set_a[0], set_a[3])
    add("all five", "success", *set_a)
    add("one of them twice, and enough", "success", *set_a[:3], set_a[0])
    add("capital letters and line ends", "success", *(each.upper().replace(" ", "\n")
                                                       for each in set_a[:3]))  # fmt: skip
    add("two of three", "shares-few", *set_a[:2])
    add("none", "shares-few")
    add("one twice", "share-twice", set_a[0], set_a[0], set_a[1])
    add("of two splits", "shares-mixed", *set_a[:2], set_b[2])
    add("of two people", "shares-mixed", *set_a[:2], others[2])
    add("a word less", "share-bad", " ".join(words[:-1]))
    add("two words swapped", "share-bad", swapped)
    add("a word that is none", "share-bad", " ".join([*words[:9], "kinlight", *words[10:]]))
    add("of 128 bits", "share-bad", *short[:2])
    body = {
        "format": "kinlight guardians, version 1: shares (docs/spec/guardians.md)",
        "entropy": ENTROPY.hex(),
        "cases": found,
    }
    (folder / "guardians" / "vectors.json").write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
