"""The heads of backup files: the vectors, through our code and the generator."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.secret import Secret
from kinlight.protocol.archive import Head

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "vectors" / "archive" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
STORE_KEY = Secret(bytes.fromhex(VECTORS["store_key"]))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["case"])
def test_every_vector_opens_to_what_it_says_or_fails_as_it_says(case: dict[str, Any]) -> None:
    sealed = bytes.fromhex(case["head"])
    if "error" in case:
        with pytest.raises(KinlightError) as raised:
            Head.open(STORE_KEY, sealed)
        assert raised.value.code == case["error"]
        return
    head = Head.open(STORE_KEY, sealed)
    assert {
        "id": head.archive_id.hex(),
        "time": head.time,
        "library_key": head.library_key.reveal().hex(),
        "length": head.length,
        "config": head.config.hex(),
    } == case["fields"]


def test_the_generator_makes_the_vectors_that_are_here(tmp_path: Path) -> None:
    generator = FILE.parents[1] / "generate_archive.py"
    subprocess.run([sys.executable, str(generator), str(tmp_path)], check=True)
    assert (tmp_path / "archive" / "vectors.json").read_bytes() == FILE.read_bytes()


def test_a_head_comes_back_as_it_was_sealed_and_shows_no_key() -> None:
    head = Head(b"i" * 16, 5, Secret(b"k" * 32), 4096, b"")
    assert Head.open(STORE_KEY, head.seal(STORE_KEY)) == head
    assert "6b6b" not in repr(head)


def test_the_example_on_the_page_is_right() -> None:
    page = (ROOT / "docs" / "spec" / "archive.md").read_text()
    derived = STORE_KEY.derive(b"archive").reveal().hex()
    value = encoding.encode([1, "archive", b"i" * 16, 1_800_000_000, b"l" * 32, 4096, b""]).hex()
    (block,) = re.findall(r"```example\n(.*?)```", page, re.DOTALL)
    assert [line.split(" = ")[1] for line in block.splitlines()[1:]] == [derived, value]
