"""Our invisible mark beside those of other packages, at the same PSNR, photos and attacks.

    pip install --no-deps --target DIR invisible-watermark blind-watermark PyWavelets onnxruntime
    PYTHONPATH=DIR python benchmarks/watermarks.py --data FOLDER --out FILE.json

Neither is a dependency of kinlight. Photos are reduced to 0.3 megapixels, since the others work on
blocks of 4 pixels in Python. Theirs have no error correction and do not find their place again: the
table counts whole messages, and beside it how many bits come back, which a code could make use of.
For a resize they get the picture back at its first size. rivaGan bears 32 bits, all others 48.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from kinlight.ml import watermark, watermark_search
from kinlight.ml.evaluate_watermark import photos, psnr
from kinlight.ml.photos import Pixels
from kinlight.ml.watermark_attacks import BARS, resized
from kinlight.ml.watermark_carrier import Carrier
from kinlight.ml.watermark_search import Sought

BITS = 48
DECIBELS = 42.0
SIDE = 640
ATTACKS = [*BARS]

Embed = Callable[[Pixels, Any, float], Pixels]
Read = Callable[[Pixels, float], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """How a package sets and reads `bits` at a strength, which lies within `strengths`."""

    name: str
    bits: int
    strengths: tuple[float, float]
    embed: Embed
    read: Read
    scales: bool = False
    """Whether it knows one strength, and its change is scaled."""


def blended(pixels: Pixels, marked: Pixels, share: float) -> Pixels:
    """The same change, weaker or stronger."""
    change = marked.astype(np.float32) - pixels
    return np.clip(np.rint(pixels + share * change), 0, 255).astype(np.uint8)


def swapped(pixels: Pixels) -> Pixels:
    """RGB as BGR, and back."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def ours() -> Method:
    """As it ships, but for its strength."""
    carrier = Carrier(bytes(32))

    def embed(pixels: Pixels, bits: Any, _strength: float) -> Pixels:
        return watermark.mark(pixels, carrier, np.packbits(bits).tobytes())

    def read(pixels: Pixels, _strength: float) -> Any:
        found = watermark_search.find(pixels, [Sought(carrier)])
        if not found:
            return np.full(BITS, -1)
        return np.unpackbits(np.frombuffer(found[0].payload, np.uint8))

    return Method("kinlight", BITS, (0.3, 4.0), embed, read, scales=True)


def invisible(name: str) -> Method:
    """A method of the package invisible-watermark."""
    package: Any = importlib.import_module("imwatermark")
    size = 32 if name == "rivaGan" else BITS

    def options(strength: float) -> dict[str, Any]:
        return {} if name == "rivaGan" else {"scales": [0, strength, strength]}

    if name == "rivaGan":
        package.WatermarkEncoder.loadModel()

    def embed(pixels: Pixels, bits: Any, strength: float) -> Pixels:
        encoder = package.WatermarkEncoder()
        encoder.set_watermark("bits", [int(bit) for bit in bits])
        return swapped(encoder.encode(swapped(pixels), name, **options(strength)))

    def read(pixels: Pixels, strength: float) -> Any:
        decoder = package.WatermarkDecoder("bits", size)
        return np.asarray(decoder.decode(swapped(pixels), name, **options(strength))).astype(int)

    scales = name == "rivaGan"
    return Method(name, size, (0.2, 4.0) if scales else (4.0, 120.0), embed, read, scales)


def blind() -> Method:
    """The package blind-watermark."""
    with contextlib.redirect_stdout(io.StringIO()):
        package: Any = importlib.import_module("blind_watermark")

    def core(strength: float) -> Any:
        made = package.WaterMark(processes=1)
        made.bwm_core.d1, made.bwm_core.d2 = 36 * strength, 20 * strength
        return made

    def embed(pixels: Pixels, bits: Any, strength: float) -> Pixels:
        made = core(strength)
        made.read_img(img=swapped(pixels))
        made.read_wm(np.array(bits, bool), mode="bit")
        return swapped(np.rint(made.embed()).astype(np.uint8))

    def read(pixels: Pixels, strength: float) -> Any:
        found = core(strength).extract(embed_img=swapped(pixels), wm_shape=BITS, mode="bit")
        return (np.asarray(found) >= 0.5).astype(int)

    return Method("blind-watermark", BITS, (0.1, 4.0), embed, read)


def fitted(method: Method, pixels: Pixels, bits: Any) -> tuple[Pixels, float]:
    """The marked picture at about DECIBELS, and the strength that gives it."""
    low, high = method.strengths
    if method.scales:  # one run is enough: the change is made weaker or stronger
        whole = method.embed(pixels, bits, 1.0)

        def embed(pixels: Pixels, _bits: Any, share: float) -> Pixels:
            return blended(pixels, whole, share)

        method = replace(method, embed=embed)
    strength, marked = high, pixels
    for _ in range(7):
        strength = (low * high) ** 0.5
        marked = method.embed(pixels, bits, strength)
        if abs(psnr(pixels, marked) - DECIBELS) < 0.15:
            break
        if psnr(pixels, marked) > DECIBELS:
            low = strength
        else:
            high = strength
    return marked, strength


def measure(methods: Sequence[Method], pictures: Sequence[tuple[str, Pixels]]) -> list[Any]:
    """A row for each method, photo and attack."""
    rows: list[Any] = []
    for number, (file, whole) in enumerate(pictures):
        pixels = resized(whole, min(1.0, SIDE / max(whole.shape[:2])))
        height, width = (side // 8 * 8 for side in pixels.shape[:2])
        pixels = np.ascontiguousarray(pixels[:height, :width])
        for method in methods:
            rng = np.random.default_rng(number)
            bits = rng.integers(0, 2, method.bits)
            marked, strength = fitted(method, pixels, bits)
            for name in ATTACKS:
                attacked = BARS[name][1](marked, np.random.default_rng(number + 1))
                if method.name != "kinlight" and name in ("half", "messenger", "screenshot"):
                    attacked = cv2.resize(attacked, (width, height)).astype(np.uint8)
                same: Any = method.read(attacked, strength) == bits
                right = int(np.count_nonzero(same)) / method.bits
                rows.append([method.name, file, round(psnr(pixels, marked), 2), name, right])
            print(method.name, file, round(psnr(pixels, marked), 1), flush=True)
    return rows


def table(rows: Sequence[Any], methods: Sequence[Method]) -> str:
    """Whole messages and, in brackets, bits, in percent."""
    lines = ["| what happened | " + " | ".join(method.name for method in methods) + " |"]
    lines.append("| --- " + "| ---: " * len(methods) + "|")
    for name in ATTACKS:
        cells: list[str] = []
        for method in methods:
            right = [row[4] for row in rows if (row[0], row[3]) == (method.name, name)]
            whole = np.mean([each == 1.0 for each in right])
            cells.append(f"{100 * whole:.0f} ({100 * np.mean(right):.0f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    decibels = [np.mean([row[2] for row in rows if row[0] == method.name]) for method in methods]
    lines.append("| PSNR, dB | " + " | ".join(f"{each:.1f}" for each in decibels) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print the table, and write all rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    methods = [ours(), *map(invisible, ("dwtDct", "dwtDctSvd", "rivaGan")), blind()]
    pictures = list(photos([options.data]))
    rows = measure(methods, pictures)
    options.out.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    print(table(rows, methods))
    return 0


if __name__ == "__main__":
    sys.exit(main())
