"""Writes the vectors of backup files: `python tests/vectors/generate_archive.py [FOLDER]`.

Like `generate`, it follows docs/spec/archive.md alone and imports nothing of kinlight.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import generate

HERE = Path(__file__).parent
STORE_KEY, SALT = b"k" * 32, b"s" * 24
HEAD: list[Any] = [1, "archive", b"i" * 16, 1_800_000_000, b"l" * 32, 4096, b"[network]\n"]


def sealed(value: object, key: bytes = STORE_KEY, context: bytes = b"kinlight/archive1") -> bytes:
    plain = value if isinstance(value, bytes) else generate.encode(value)  # type: ignore[arg-type]
    return generate.cobblestone(generate.hkdf(key, b"archive"), context, SALT, plain)


def changed(place: int, value: object) -> list[Any]:
    return [*HEAD[:place], value, *HEAD[place + 1 :]]


def cases() -> list[dict[str, Any]]:
    good = sealed(HEAD)
    bad = {
        "another version": (sealed(changed(0, 2)), "malformed"),
        "another type": (sealed(changed(1, "bak")), "malformed"),
        "a short id": (sealed(changed(2, b"i" * 15)), "malformed"),
        "a time of 2^63": (sealed(changed(3, 2**63)), "malformed"),
        "a short library key": (sealed(changed(4, b"l" * 31)), "malformed"),
        "a library above 15 GiB": (sealed(changed(5, 15 * 2**30 + 1)), "malformed"),
        "settings above 64 KiB": (sealed(changed(6, bytes(65_537))), "malformed"),
        "a further item": (sealed([*HEAD, 0]), "malformed"),
        "an item missing": (sealed(HEAD[:-1]), "malformed"),
        "no array": (sealed(b"\xc0"), "malformed"),
        "above 69,632 bytes": (bytes(69_633), "malformed"),
        "under another store key": (sealed(HEAD, key=b"x" * 32), "seal-broken"),
        "in another context": (sealed(HEAD, context=b"kinlight/keys1"), "seal-broken"),
        "a byte changed": (good[:-1] + bytes([good[-1] ^ 1]), "seal-broken"),
        "cut": (good[:-1], "seal-broken"),
        "empty": (b"", "seal-broken"),
    }
    fields = {
        "id": HEAD[2].hex(), "time": HEAD[3], "library_key": HEAD[4].hex(),
        "length": HEAD[5], "config": HEAD[6].hex(),
    }  # fmt: skip
    found: list[dict[str, Any]] = [{"case": "a head", "head": good.hex(), "fields": fields}]
    for name, (head, error) in bad.items():
        found.append({"case": name, "head": head.hex(), "error": error})
    return found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "archive").mkdir(parents=True, exist_ok=True)
    body = {
        "format": "kinlight backup file, version 1: heads (docs/spec/archive.md)",
        "store_key": STORE_KEY.hex(),
        "cases": cases(),
    }
    text = json.dumps(body, indent=1) + "\n"
    (folder / "archive" / "vectors.json").write_text(text)


if __name__ == "__main__":
    main()
