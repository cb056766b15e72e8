"""What the shipped weights say of a few pictures. `python -m tests.ml.golden` writes it anew."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kinlight.ml.integrity_runner import Runner
from kinlight.ml.photos import tables_of
from kinlight.ml.weights import read_weights
from PIL import Image

from .photographs import jpeg_of, scene

FILE = Path(__file__).with_name("golden_integrity.json")


def pictures() -> Iterator[tuple[str, bytes]]:
    """Files that are the same on every system: JPEGs of made-up scenes."""
    for quality in (60, 80, 95):
        yield f"a scene at q{quality}", jpeg_of(scene(70, 296, 344), quality, 2)
    pasted = scene(71, 296, 344)
    with Image.open(io.BytesIO(jpeg_of(scene(72, 296, 344), 50))) as other:
        pasted[80:180, 100:240] = np.asarray(other)[80:180, 100:240]
    yield "a piece of another scene", jpeg_of(pasted, 92)


def told(runner: Runner) -> dict[str, Any]:
    """Score and map, the map in nine fields."""
    found: dict[str, Any] = {}
    for name, content in pictures():
        with Image.open(io.BytesIO(content)) as image:
            table = tables_of(image)[0].astype(np.float32)
            traces = runner.traces(np.asarray(image), table)
        fields = [
            round(float(field.mean()), 4)
            for rows in np.array_split(traces.chance, 3, axis=0)
            for field in np.array_split(rows, 3, axis=1)
        ]
        found[name] = {"score": round(traces.score, 4), "fields": fields}
    return found


if __name__ == "__main__":
    weights = read_weights("integrity")
    golden = {"weights": weights.sha256, "pictures": told(Runner(weights, bf16=False))}
    FILE.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
