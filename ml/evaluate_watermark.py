"""Measures the invisible mark on whole photos, and how often none is taken for one.

    python -m kinlight.ml.evaluate_watermark marks --data DIR --out FILE.json
    python -m kinlight.ml.evaluate_watermark claims --data DIR --out FILE.json --crops 100000

`marks`: each photo is marked once with a key and a payload of its own and goes through everything
in `watermark_attacks`. `claims`: crops of photos without a mark are read with a new key for each,
for any payload and for a thousand that were issued; all are read quickly, some thoroughly.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from . import watermark, watermark_search
from .chance import integer
from .photos import Pixels
from .processing import jpeg_round_trip
from .watermark_attacks import BARS, HARSHER, averaged, part, resized
from .watermark_carrier import KEY_BYTES, Carrier, Floats
from .watermark_code import PAYLOAD_BYTES
from .watermark_search import Found, Sought

SENT_QUALITY = 95
"""Of the JPEG that a node sends."""
ISSUED = 1000
THOROUGH_EVERY = 100


@dataclass(frozen=True, slots=True)
class Marked:
    """One photo, marked, and what became of the mark: for each attack its strength, 0 if gone."""

    file: str
    megapixels: float
    psnr: float
    ssim: float
    seconds: float
    strengths: dict[str, float]
    wrong: int
    """Payloads that were claimed and are not in the picture."""


def photos(folders: Sequence[Path], skip: Sequence[str] = ()) -> Iterator[tuple[str, Pixels]]:
    """Names and pixels of the JPEG files in folders."""
    for file in sorted(file for folder in folders for file in folder.glob("*.[jJ][pP]*[gG]")):
        if file.name not in skip:
            with Image.open(file) as image:
                yield file.name, np.asarray(image.convert("RGB"))


def psnr(one: Pixels, other: Pixels) -> float:
    """In decibels, over all three channels."""
    error = float(np.mean(np.square(one.astype(np.float32) - other.astype(np.float32))))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(one: Pixels, other: Pixels) -> float:
    """Of the brightness, with the window of the paper: Z. Wang et al., 2004."""
    a, b = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (one, other))

    def mean(values: Floats) -> Floats:
        return cv2.GaussianBlur(values, (11, 11), 1.5).astype(np.float32, copy=False)

    mean_a, mean_b = mean(a), mean(b)
    spread_a, spread_b = mean(a * a) - mean_a * mean_a, mean(b * b) - mean_b * mean_b
    both = mean(a * b) - mean_a * mean_b
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + first) * (2 * both + second)
    return float(np.mean(
        top / ((mean_a * mean_a + mean_b * mean_b + first) * (spread_a + spread_b + second))
    ))  # fmt: skip


def _drawn(rng: np.random.Generator) -> tuple[Carrier, bytes]:
    return Carrier(rng.bytes(KEY_BYTES)), rng.bytes(PAYLOAD_BYTES)


def measure(file: str, pixels: Pixels, seed: int) -> Marked:
    """Mark a photo and attack it in every way."""
    rng = np.random.default_rng((seed, 1))
    carrier, payload = _drawn(rng)
    start = time.perf_counter()
    marked = watermark.mark(pixels, carrier, payload)
    seconds = time.perf_counter() - start
    strengths: dict[str, float] = {}
    wrong = 0

    def read(name: str, picture: Pixels, *wanted: bytes, issued: Sequence[bytes] = ()) -> None:
        nonlocal wrong
        found = watermark_search.find(picture, [Sought(carrier, tuple(issued))])
        wrong += sum(claim.payload not in wanted for claim in found)
        strengths[name] = min(_strength(found, each) for each in wanted)

    for name, attack in {**{name: bar[1] for name, bar in BARS.items()}, **HARSHER}.items():
        read(name, attack(marked, rng), payload)
    others = [rng.bytes(PAYLOAD_BYTES) for _ in range(ISSUED)]
    copies = [watermark.mark(pixels, carrier, other) for other in others[:2]]
    read("two copies averaged, all named", jpeg_round_trip(averaged([marked, copies[0]]), 90, 2),
         payload, others[0], issued=[payload, *others])  # fmt: skip
    read("three copies averaged, all named", jpeg_round_trip(averaged([marked, *copies]), 90, 2),
         payload, *others[:2], issued=[payload, *others])  # fmt: skip
    again = watermark.mark(marked, carrier, others[0])
    read("marked again under the same key, both", jpeg_round_trip(again, 90, 2),
         payload, others[0], issued=[payload, *others])  # fmt: skip
    foreign = watermark.mark(marked, *_drawn(rng))
    read("marked again under another key", jpeg_round_trip(foreign, 90, 2), payload)
    return Marked(
        file, pixels.shape[0] * pixels.shape[1] / 1e6, psnr(pixels, marked), ssim(pixels, marked),
        seconds, strengths, wrong,
    )  # fmt: skip


def _strength(found: Sequence[Found], payload: bytes) -> float:
    return max((claim.strength for claim in found if claim.payload == payload), default=0.0)


def table(measured: Sequence[Marked]) -> str:
    """What was measured, as Markdown."""
    rows = ["| what happened | found | weakest | bar |", "| --- | ---: | ---: | ---: |"]
    for name in measured[0].strengths:
        values = [each.strengths[name] for each in measured]
        share = np.mean([value > 0 for value in values])
        bar = f"{100 * BARS[name][0]:.1f} %" if name in BARS else ""
        rows.append(f"| {name} | {100 * share:.1f} % | {min(values):.1f} | {bar} |")
    decibels, likeness = [each.psnr for each in measured], [each.ssim for each in measured]
    rows.append(
        f"\n{len(measured)} photos; PSNR {min(decibels):.1f} to {max(decibels):.1f} dB, mean "
        f"{np.mean(decibels):.1f}; SSIM from {min(likeness):.4f}, mean {np.mean(likeness):.4f}; "
        f"payloads claimed that are not there: {sum(each.wrong for each in measured)}"
    )
    return "\n".join(rows) + "\n"


def measure_claims(files: Sequence[tuple[str, Pixels]], crops: int, seed: int) -> dict[str, Any]:
    """Read crops that bear no mark. Each has a key of its own, as the bound is over keys."""
    rng = np.random.default_rng((seed, 2))
    claims = thorough = 0
    strengths: list[float] = []
    # The same for all: as keys differ, so do their signs.
    issued = tuple(rng.bytes(PAYLOAD_BYTES) for _ in range(ISSUED))
    for number in range(crops):
        _, pixels = files[number % len(files)]
        least = math.sqrt(256 * 256 / (pixels.shape[0] * pixels.shape[1]))
        crop = part(pixels, float(rng.uniform(min(1.0, least), 1.0)) ** 2, rng)
        crop = resized(crop, integer(rng, 256, 480) / min(crop.shape[:2]))
        sought = [Sought(Carrier(rng.bytes(KEY_BYTES)), issued)]
        wholly = number % THOROUGH_EVERY == 0
        found = watermark_search.find(crop, sought, thorough=wholly)
        claims += len(found)
        thorough += wholly
        strengths += [claim.strength for claim in found]
        if number % 1000 == 999:
            print(f"{number + 1} crops, {claims} claims", flush=True)
    return {"crops": crops, "thorough": thorough, "claims": claims, "strengths": strengths}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_watermark", description=__doc__)
    parser.add_argument("what", choices=["marks", "claims"])
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip", type=Path, help="a list of files to leave out")
    parser.add_argument("--crops", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=0.9, help="megapixels of a photo")
    parser.add_argument("--most", type=float, default=13.0)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    skip: list[str] = []
    if options.skip:
        skip = options.skip.read_text(encoding="utf-8").split("\n")
    fitting = (
        (file, pixels)
        for file, pixels in photos(options.data, skip)
        if options.least <= pixels.shape[0] * pixels.shape[1] / 1e6 <= options.most
    )
    if options.what == "claims":
        small = [(file, resized(each, 900 / max(each.shape[:2]))) for file, each in fitting]
        figures = measure_claims(small, options.crops, options.seed)
    else:
        measured: list[Marked] = []
        for number, (file, pixels) in enumerate(fitting):
            measured.append(measure(file, pixels, options.seed + number))
            print(f"{file}: {measured[-1].psnr:.1f} dB", flush=True)
        figures = {"photos": [asdict(each) for each in measured]}
        print(table(measured))
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
