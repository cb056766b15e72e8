"""Measures the invisible mark on whole photos, and how often none is taken for one.

    python -m kinlight.ml.evaluate_watermark marks --data DIR --out FILE.json
    python -m kinlight.ml.evaluate_watermark claims --data DIR --out FILE.json --crops 100000
    python -m kinlight.ml.evaluate_watermark forgery --data DIR --out FILE.json
    python -m kinlight.ml.evaluate_watermark signs --data DIR --out FILE.json

`marks`: each photo is marked once with a key and a payload of its own and goes through everything
in `watermark_attacks`. `claims`: crops of photos without a mark are read with a new key for each,
for any payload and for a thousand that were issued; all are read quickly, some thoroughly.
`forgery`: who has one marked photo and no key copies its mark into another, and wipes it out.
`signs`: whether the check for signs of editing, which needs torch, takes a mark for one.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from . import watermark, watermark_search
from .chance import integer
from .photos import Pixels
from .processing import jpeg_round_trip
from .watermark_attacks import BARS, HARSHER, averaged, part, resized
from .watermark_carrier import KEY_BYTES, Carrier
from .watermark_code import PAYLOAD_BYTES
from .watermark_search import Found, Sought, folded

SENT_QUALITY = 95
"""Of the JPEG that a node sends."""
SAVED_QUALITIES = (90, 75)
"""Of those by which it is saved once more."""
ISSUED = 1000


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
    """Of the brightness."""
    a, b = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (one, other))
    return watermark.similarity(a, b)


def _drawn(rng: np.random.Generator) -> tuple[Carrier, bytes]:
    return Carrier(rng.bytes(KEY_BYTES)), rng.bytes(PAYLOAD_BYTES)


def measure(file: str, pixels: Pixels, seed: int, *, harsher: bool) -> Marked:
    """Mark a photo and do to it what a mark must bear, and perhaps what it need not."""
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

    for name, (_, attack) in BARS.items():
        read(name, attack(marked, rng), payload)
    for name, attack in HARSHER.items() if harsher else ():
        read(name, attack(marked, rng), payload)
    if harsher:
        _together(pixels, marked, carrier, payload, rng, read)
    return Marked(
        file, pixels.shape[0] * pixels.shape[1] / 1e6, psnr(pixels, marked), ssim(pixels, marked),
        seconds, strengths, wrong,
    )  # fmt: skip


def _together(
    pixels: Pixels,
    marked: Pixels,
    carrier: Carrier,
    payload: bytes,
    rng: np.random.Generator,
    read: Callable[..., None],
) -> None:
    """What several who have copies can do, and who marks one again."""
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


@dataclass(frozen=True, slots=True)
class Attacked:
    """What somebody without the key did with one marked photo and another without a mark."""

    file: str
    forged: float
    """Strength of the copied mark in the other photo; 0 where it is not read there."""
    forged_psnr: float
    wiped: dict[str, float]
    """The strength that is left after the estimated pattern was taken away so often."""
    wiped_psnr: dict[str, float]


def attack(file: str, pixels: Pixels, other: Pixels, seed: int) -> Attacked:
    """Estimate the pattern from one marked photo: its tiles are alike, so their sum shows it."""
    rng = np.random.default_rng((seed, 3))
    carrier, payload = _drawn(rng)
    marked = watermark.mark(pixels, carrier, payload)
    scale = watermark.SIDE / math.sqrt(pixels.shape[0] * pixels.shape[1])
    guess = folded(watermark.canonical(watermark.luma(marked), scale))
    guess -= guess.mean()
    guess /= guess.std()
    forged = watermark.lay(other, guess)
    found = watermark_search.find(jpeg_round_trip(forged, 90, 2), [Sought(carrier)])
    wiped: dict[str, float] = {}
    wiped_psnr: dict[str, float] = {}
    left = marked
    for times in (1, 2, 3):
        left = watermark.lay(left, -guess)
        still = watermark_search.find(jpeg_round_trip(left, 90, 2), [Sought(carrier, (payload,))])
        wiped[str(times)] = _strength(still, payload)
        wiped_psnr[str(times)] = psnr(pixels, left)
    return Attacked(file, _strength(found, payload), psnr(other, forged), wiped, wiped_psnr)


def _strength(found: Sequence[Found], payload: bytes) -> float:
    return max((claim.strength for claim in found if claim.payload == payload), default=0.0)


def table(measured: Sequence[Marked]) -> str:
    """What was measured, as Markdown."""
    rows = ["| what happened | photos | found | weakest | bar |", "| --- " + "| ---: " * 4 + "|"]
    for name in dict.fromkeys(name for each in measured for name in each.strengths):
        values = [each.strengths[name] for each in measured if name in each.strengths]
        share = np.mean([value > 0 for value in values])
        bar = f"{100 * BARS[name][0]:.1f} %" if name in BARS else ""
        rows.append(f"| {name} | {len(values)} | {100 * share:.1f} % | {min(values):.1f} | {bar} |")
    decibels, likeness = [each.psnr for each in measured], [each.ssim for each in measured]
    rows.append(
        f"\n{len(measured)} photos; PSNR {min(decibels):.1f} to {max(decibels):.1f} dB, mean "
        f"{np.mean(decibels):.1f}; SSIM from {min(likeness):.4f}, mean {np.mean(likeness):.4f}; "
        f"payloads claimed that are not there: {sum(each.wrong for each in measured)}"
    )
    return "\n".join(rows) + "\n"


def measure_claims(
    files: Sequence[tuple[str, Pixels]], crops: int, every: int, seed: int
) -> dict[str, Any]:
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
        wholly = number % every == every - 1
        found = watermark_search.find(crop, sought, thorough=wholly)
        claims += len(found)
        thorough += wholly
        strengths += [claim.strength for claim in found]
        if number % 1000 == 999:
            print(f"{number + 1} crops, {claims} claims", flush=True)
    return {"crops": crops, "thorough": thorough, "claims": claims, "strengths": strengths}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check for signs of editing says of a photo: its verdict and its score, by what was
    done to it, `plain` or `marked` before.
    """

    file: str
    plain: dict[str, tuple[str, float | None]]
    marked: dict[str, tuple[str, float | None]]


def measure_signs(file: str, pixels: Pixels, seed: int) -> Checked:
    """Check a photo as it is sent, and saved once more, with a mark and without."""
    from . import integrity  # needs torch, which marks do not

    rng = np.random.default_rng((seed, 4))
    marked = watermark.mark(pixels, Carrier(rng.bytes(KEY_BYTES)), rng.bytes(PAYLOAD_BYTES))
    told: list[dict[str, tuple[str, float | None]]] = []
    for picture in (pixels, marked):
        sent = save(picture, SENT_QUALITY)
        saved = {
            "sent": sent,
            **{
                f"saved at q{quality}": save(opened(sent)[0], quality)
                for quality in SAVED_QUALITIES
            },
        }
        found = {what: integrity.check(*opened(jpeg)) for what, jpeg in saved.items()}
        told.append({what: (each.verdict, each.score) for what, each in found.items()})
    return Checked(file, *told)


def save(pixels: Pixels, quality: int) -> bytes:
    """As a JPEG file, 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    return file.getvalue()


def opened(jpeg: bytes) -> tuple[Pixels, dict[int, list[int]]]:
    """Its pixels and its tables."""
    with Image.open(io.BytesIO(jpeg)) as image:
        tables = cast("dict[int, list[int]]", cast("Any", image).quantization)
        return np.asarray(image.convert("RGB")), tables


def signs_table(checked: Sequence[Checked]) -> str:
    """How often it saw signs or could not tell, as Markdown."""
    rows = ["| photo | signs | cannot tell | no sign |", "| --- | --- | --- | --- |"]
    for what in checked[0].plain:
        for how in ("plain", "marked"):
            verdicts = [getattr(each, how)[what][0] for each in checked]
            counts = [verdicts.count(each) for each in ("signs", "cannot-tell", "no-sign")]
            rows.append(f"| {what}, {how} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_watermark", description=__doc__)
    parser.add_argument("what", choices=["marks", "claims", "forgery", "signs"])
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip", type=Path, help="a list of files to leave out")
    parser.add_argument("--crops", type=int, default=100_000)
    parser.add_argument("--harsher", type=int, default=1, help="of so many photos one wholly")
    parser.add_argument("--every", type=int, default=500, help="of so many crops one thoroughly")
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
        figures = measure_claims(small, options.crops, options.every, options.seed)
    elif options.what == "forgery":
        pictures = list(fitting)
        figures = {
            "photos": [
                asdict(attack(*pictures[number], pictures[number - 1][1], options.seed + number))
                for number in range(len(pictures))
            ]
        }
    elif options.what == "signs":
        checked: list[Checked] = []
        for number, (file, pixels) in enumerate(fitting):
            checked.append(measure_signs(file, pixels, options.seed + number))
            print(json.dumps(asdict(checked[-1])), flush=True)
        figures = {"photos": [asdict(each) for each in checked]}
        print(signs_table(checked))
    else:
        measured: list[Marked] = []
        for number, (file, pixels) in enumerate(fitting):
            harsher = number % options.harsher == options.harsher - 1
            measured.append(measure(file, pixels, options.seed + number, harsher=harsher))
            print(f"{file}: {measured[-1].psnr:.1f} dB", flush=True)
        figures = {"photos": [asdict(each) for each in measured]}
        print(table(measured))
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
