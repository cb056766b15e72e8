"""Measures how many faces are found: portraits laid into photos, by size and turn.

    python -m kinlight.ml.evaluate_faces --portraits DIR --scenes DIR --out FILE.json

Each scene is a photo in which no face is found by itself, brought to SIDE pixels; a dozen portraits
lie in it, all of one size and turn. A face counts as found if the middle of one that was found lies
in it. What else is found counts as too many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from . import faces
from .chance import below
from .faces import Face, Picture

SIDE: Final = 2048
SIZES: Final = (24, 32, 48, 96, 192)
"""Pixels of the height of a face."""
DEGREES: Final = (0, 15, 30, 60, 90, 180)
LARGE: Final = 0.35
"""Share of a portrait's height that its face has at least: else a cell would cut it off."""
ACROSS, DOWN = 4, 3


def opened(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Names and pixels of the JPEG files in a folder and below, in their order."""
    for file in sorted(folder.rglob("*.[jJ][pP]*[gG]")):
        with Image.open(file) as image:
            yield file.name, np.asarray(image.convert("RGB"))


def height_of_face(portrait: Picture) -> float | None:
    """Of the one face in a portrait, in pixels; None if there is none that is clear and large."""
    found = [face for face in faces.find(portrait) if face.sure]
    if len(found) != 1 or found[0].height < LARGE * portrait.shape[0]:
        return None
    return found[0].height


def scaled(portrait: Picture, factor: float) -> Picture:
    """Both sides by that factor."""
    size = [max(1, round(side * factor)) for side in (portrait.shape[1], portrait.shape[0])]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(portrait, size, interpolation=how), np.uint8)


def turned(picture: Picture, degrees: int) -> Picture:
    """About its middle, in a frame that holds all of it; the corners repeat the border."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    across, down = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = round(width * across + height * down), round(width * down + height * across)
    matrix[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    mode = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=mode), np.uint8)


def laid(scene: Picture, portraits: Sequence[Picture], rng: np.random.Generator) -> list[Any]:
    """Put portraits into the cells of a scene; where each lies: (left, top, width, height)."""
    places: list[Any] = []
    rows, columns = scene.shape[0] // DOWN, scene.shape[1] // ACROSS
    for number, portrait in enumerate(portraits):
        height, width = min(portrait.shape[0], rows), min(portrait.shape[1], columns)
        top = number // ACROSS * rows + below(rng, rows - height + 1)
        left = number % ACROSS * columns + below(rng, columns - width + 1)
        scene[top : top + height, left : left + width] = portrait[:height, :width]
        places.append((left, top, width, height))
    return places


def hits(found: Sequence[Face], places: Sequence[Any], least: float) -> tuple[int, int]:
    """How many of the places have a face of that score, and how many faces lie in none."""
    counting = [face for face in found if face.score >= least]
    middles = [(face.left + face.width / 2, face.top + face.height / 2) for face in counting]

    def within(x: float, y: float, place: Any) -> bool:
        left, top, width, height = place
        return left <= x <= left + width and top <= y <= top + height

    hit = sum(any(within(*middle, place) for middle in middles) for place in places)
    over = sum(not any(within(*middle, place) for place in places) for middle in middles)
    return hit, over


def measure(
    portraits: Sequence[tuple[Picture, float]],
    scenes: Sequence[Picture],
    size: int,
    degrees: int,
    seed: int,
) -> dict[str, Any]:
    """All portraits, which come with the heights of their faces, at one size and turn."""
    rng = np.random.default_rng((seed, size, degrees))
    cut = [scaled(portrait, size / height) for portrait, height in portraits]
    told = {"size": size, "degrees": degrees, "faces": 0, "hit": 0, "sure": 0, "over": 0}
    for start in range(0, len(cut), ACROSS * DOWN):
        group = [turned(each, degrees) for each in cut[start : start + ACROSS * DOWN]]
        scene = scenes[start // (ACROSS * DOWN) % len(scenes)].copy()
        places = laid(scene, group, rng)
        found = faces.find(scene)
        hit, over = hits(found, places, faces.LEAST)
        told["faces"] += len(places)
        told["hit"] += hit
        told["sure"] += hits([face for face in found if face.sure], places, 0)[0]
        told["over"] += over
    return told


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Found faces in percent, by size and turn, as Markdown."""
    turns = sorted({each["degrees"] for each in measured})
    rows = ["| height of the face | " + " | ".join(f"{turn}°" for turn in turns) + " |"]
    rows.append("| ---: " + "| ---: " * len(turns) + "|")
    for size in sorted({each["size"] for each in measured}):
        cells = [
            f"{100 * each['hit'] / each['faces']:.0f} ({100 * each['sure'] / each['faces']:.0f})"
            for turn in turns
            for each in measured
            if (each["size"], each["degrees"]) == (size, turn)
        ]
        rows.append(f"| {size} px | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_faces", description=__doc__)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120, help="portraits")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--degrees", type=int, nargs="+", default=DEGREES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    everybody = [pixels for _, pixels in opened(options.portraits)]
    chosen = np.random.default_rng(options.seed).permutation(len(everybody))[: options.count]
    portraits = [
        (everybody[int(number)], height)
        for number in chosen
        if (height := height_of_face(everybody[int(number)])) is not None
    ]
    scenes: list[Picture] = []
    for _, pixels in opened(options.scenes):
        scene = scaled(pixels, SIDE / max(pixels.shape[:2]))
        if not faces.find(scene):
            scenes.append(scene)
    began, measured = time.monotonic(), list[dict[str, Any]]()
    for size in options.sizes:
        for degrees in options.degrees:
            measured.append(measure(portraits, scenes, size, degrees, options.seed))
            print(json.dumps(measured[-1]), flush=True)
    seconds = time.monotonic() - began
    figures = {"least": faces.LEAST, "seconds": seconds, "measured": measured}
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
