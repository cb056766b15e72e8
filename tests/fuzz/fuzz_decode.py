"""Throws broken pictures and broken answers at everything pure that reads them.

    python -m tests.fuzz.fuzz_decode [--seconds 600 | --runs 6000] [--seed NUMBER]
                                     [--photos FOLDER] [--findings FOLDER] [FILE...]

Every input goes three ways: as what a decoder process answers, which only `BadAnswerError` may
refuse; as a picture, which only `PictureError` may refuse; and what was read of it goes through the
decode protocol, which must take it. What was found before is tried first. A finding ends the run
with a traceback; its input is left in the folder of findings and printed in base 64, and with FILEs
only these are tried. A run of so many inputs with a seed can be repeated, with PYTHONHASHSEED set:
it does without libFuzzer's table of comparisons, which depends on addresses in memory. Needs
atheris (the extra `fuzz`).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import atheris
from PIL import Image

MODULES: Final = (
    "capture", "containers", "decoder_wire", "edits", "exif", "facts", "hidden", "icc",
    "inspecting", "iptc", "isobmff", "jpeg", "metadata", "pairs", "places", "plain_text",
    "quicktime", "sniffing", "strip_bmff", "strip_chunks", "strip_jpeg", "strip_metadata",
    "strip_tiff", "stripping", "xmp",
)  # fmt: skip

with atheris.instrument_imports(include=[f"kinlight.node.{name}" for name in MODULES]):
    from kinlight.node import (
        decoder_wire,
        exif,
        icc,
        inspecting,
        iptc,
        isobmff,
        jpeg,
        sniffing,
        stripping,
        xmp,
    )
    from kinlight.node.decoder_wire import ANSWER, Answer, BadAnswerError
    from kinlight.node.edits import Keep
    from kinlight.node.facts import Facts, PictureError

    from .findings import FINDINGS

INPUT_BYTES: Final = 1 << 16
SEED_BYTES: Final = 1 << 15
"""Photos beyond it are no seeds: a mutation would hardly ever meet their metadata."""
INPUT_SECONDS: Final = 10
MEMORY_MIB: Final = 2048

READS: Final[tuple[Callable[[Answer, bytes], object], ...]] = (
    lambda answer, _: answer.refused,
    lambda answer, _: answer.facts(),
    lambda answer, _: answer.provenance(),
    lambda answer, _: (answer.size(), answer.mode(), answer.profile_bytes()),
    lambda answer, _: (answer.size(), answer.tables()),
    lambda answer, payload: answer.edit(1 << 20, payload),
)


def answered(data: bytes) -> None:
    """Read `data` as the answer of a decoder process, in every way that there is."""
    prefix = data[: ANSWER.size].ljust(ANSWER.size, b"\0")
    with contextlib.suppress(BadAnswerError):
        decoder_wire.answer_sizes(prefix, INPUT_BYTES)
    header, payload = data[ANSWER.size :], data[: ANSWER.size]
    for read in READS:
        with contextlib.suppress(BadAnswerError):
            answer = Answer(header)
            read(answer, payload)
            answer.end()


def inspected(data: bytes) -> None:
    """Read `data` as a picture; what is found fits into an answer."""
    kind = sniffing.sniff(data)
    found = inspecting.read_facts(data, kind)
    fields: Any = {name: getattr(found, name) for name in Facts.__slots__ if hasattr(found, name)}
    facts = replace(Facts(kind), **fields)
    message = decoder_wire.answer({"ok": True, "facts": facts.to_value()})
    answer = Answer(message[ANSWER.size :])
    if answer.facts() != facts:
        raise AssertionError("the facts changed on the way")
    answer.end()


def stripped(data: bytes) -> None:
    """Make the copy without a place; its script fits into an answer, and it needs no second one."""
    kind = sniffing.sniff(data)
    try:
        script = stripping.no_location(data, kind)
    except PictureError:
        return
    copy = script.apply(data)
    pieces: list[object] = []
    puts: list[bytes] = []
    for piece in script.pieces:
        if isinstance(piece, Keep):
            pieces.append([piece.offset, piece.length])
        else:
            pieces.append(len(piece.data))
            puts.append(piece.data)
    fields = {"ok": True, "pieces": pieces, "left_out": list(script.left_out)}
    if len(pieces) <= decoder_wire.MAX_PIECES:
        message = decoder_wire.answer(fields)
        Answer(message[ANSWER.size :]).edit(len(data), b"".join(puts))
    if sniffing.sniff(copy) != kind:
        raise AssertionError("the copy is of another kind")
    try:
        again = stripping.no_location(copy, kind)
    except PictureError as error:
        raise AssertionError("the copy can't be read") from error
    if again.changes(copy):
        raise AssertionError(f"a second time it left out {again.left_out}")


def parsed(data: bytes) -> None:
    """Read `data` as each kind of block that stands in pictures."""
    with contextlib.suppress(PictureError):
        read = exif.read(data)
        exif.read(exif.build(read, orientation=6))
    with contextlib.suppress(PictureError):
        isobmff.Meta.find(data)
    with contextlib.suppress(PictureError):
        list(jpeg.segments(data))
    xmp.read(data)
    icc.description(data)
    for resource in iptc.resources(data):
        iptc.datasets(resource.data)
    iptc.datasets(data)


def one_input(data: bytes) -> None:
    """What the fuzzer calls."""
    try:
        answered(data)
        inspected(data)
        stripped(data)
        parsed(data)
    except Exception:
        # Whoever reads the log of a machine that is gone can do `base64 -d > FILE`.
        print("the input, in base 64:", base64.b64encode(data).decode(), sep="\n", flush=True)
        raise


def plant(folder: Path, photos: Path | None) -> list[Path]:
    """Put what the fuzzer begins with into `folder`; the files in an order that is always one."""
    seeds = FINDINGS | pictures() | answers()
    if photos is not None:
        for photo in sorted(photos.iterdir()):
            if photo.is_file() and photo.stat().st_size <= SEED_BYTES:
                seeds[photo.name] = photo.read_bytes()
    files = [folder / f"{number:04}" for number in range(len(seeds))]
    for file, seed in zip(files, seeds.values(), strict=True):
        file.write_bytes(seed)
    return files


def pictures() -> dict[str, bytes]:
    """A small picture in each format that Pillow writes, with a place in its EXIF."""
    picture, tags = Image.linear_gradient("L").reduce(16).convert("RGB"), Image.Exif()
    tags[0x0112], tags[0x010F], tags[0x0132] = 6, "Maker", "2024:05:06 07:08:09"
    tags.get_ifd(0x8825).update({1: "N", 2: (50.0, 1.0, 2.0), 3: "E", 4: (14.0, 3.0, 4.0)})
    tags.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0x9011: "+02:00"})
    made: dict[str, bytes] = {}
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        coded = io.BytesIO()
        picture.save(coded, kind, exif=tags)
        made[kind.lower()] = coded.getvalue()
    coded = io.BytesIO()
    picture.save(coded, "GIF", comment=b"a place")
    made["gif"] = coded.getvalue()
    return made


def answers() -> dict[str, bytes]:
    """A whole answer to each request."""
    facts = Facts("jpeg", (4, 3), (3, 4), 6, 1, position=(50.5, 14.25), hidden=("thumbnail",))
    fields: dict[str, dict[str, Any]] = {
        "inspect": {"facts": facts.to_value(), "c2pa_marked": True},
        "c2pa": {"c2pa": "invalid", "c2pa_code": "claimSignature.mismatch"},
        "pixels": {"width": 4, "height": 3, "mode": "RGB", "icc": 0},
        "luma": {"width": 4, "height": 3, "tables": [[0, *range(1, 65)]]},
        "no_location": {"pieces": [[0, 20], 8, [40, 20]], "left_out": ["place"]},
        "encode": {},
    }
    made = {name: decoder_wire.answer({"ok": True, **more}) for name, more in fields.items()}
    return made | {"refused": decoder_wire.answer({"refused": "it is broken"})}


def main() -> None:
    """Fuzz, or try the files named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--runs", type=int, help="in place of seconds")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    parser.add_argument("--photos", type=Path, help="small ones among them are begun with")
    parser.add_argument("--findings", type=Path, default=Path.cwd())
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    for file in options.files:
        one_input(file.read_bytes())
    if options.files:
        return
    for finding in FINDINGS.values():
        one_input(finding)
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder) / "seeds"
        # A list and no folder: the order of a folder is that of its file system.
        seeds.write_text(",".join(map(str, plant(Path(folder), options.photos))))
        until = [f"-max_total_time={options.seconds}"]
        if options.runs:
            until = [f"-runs={options.runs}", "-use_cmp=0"]
        words = [
            sys.argv[0], f"-seed_inputs=@{seeds}", *until, f"-seed={options.seed}",
            f"-max_len={INPUT_BYTES}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}",
            "-print_final_stats=1", f"-artifact_prefix={options.findings}/",
        ]  # fmt: skip
        atheris.Setup(words, one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
