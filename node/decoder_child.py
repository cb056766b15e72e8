"""The other side of the decode service: a keyless process that forks a child for each picture.

    zygote   reads 16 bytes (job, milliseconds) with two descriptors, forks, reports how it ended
    child    enters the sandbox, reads the request, opens the picture, answers, ends

The zygote never reads a byte of a picture or of an answer, and has loaded everything that a child
needs: once the sandbox has closed, no file can be opened and nothing imported.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, cast

import av
import PIL
import pillow_heif
from PIL import features

from . import (
    clips,
    decoder_wire,
    inspecting,
    picture,
    provenance,
    raws,
    sandbox,
    stripping,
    wholeness,
)
from .edits import Put
from .facts import A_CLIP, MAX_TEXT, Buffer, Facts, PictureError
from .sniffing import CLIPS, RAWS, sniff

NICENESS: Final = 5
"""A picture that takes all its time must not take it from what somebody waits for."""
_DESCRIPTORS: Final = 2
"""That come with an order: the job's socket and the picture."""


# What a child does.


def _inspect(
    data: Buffer, _request: dict[str, object]
) -> tuple[dict[str, object], bytes | bytearray]:
    facts = facts_of(data)
    return {
        "facts": facts.to_value(),
        "c2pa_marked": provenance.worth_reading(data, sniff(data)),
    }, b""


def facts_of(data: Buffer) -> Facts:
    """All that can be said about a file. Never raises over what is in it."""
    kind = sniff(data)
    found = inspecting.read_facts(data, kind)
    facts = Facts(
        kind, captured=found.captured, captured_source=found.captured_source, camera=found.camera,
        location=found.location, icc=found.icc, hidden=found.hidden, pair=found.pair,
        position=found.position, place=found.place, orientation=found.orientation_hint,
    )  # fmt: skip
    try:
        if kind in CLIPS:
            clip = clips.clip_facts(data)
            return replace(
                facts, stored=clip.stored, upright=clip.upright, orientation=clip.orientation,
                refused=A_CLIP,
            )  # fmt: skip
        shown, shown_kind = _to_show(data, kind)
        opened = picture.open_picture(shown, shown_kind, found.orientation_hint)
        facts = replace(
            facts, stored=opened.stored, upright=opened.upright, orientation=opened.orientation,
            frames=opened.frames,
        )  # fmt: skip
        whole = picture.check(opened)
    except PictureError as error:
        return replace(facts, refused=_shortened(str(error)))
    return replace(facts, damaged=not whole or wholeness.is_damaged(shown, shown_kind))


def _to_show(data: Buffer, kind: str) -> tuple[Buffer, str]:
    """The picture itself, or of a raw the preview inside."""
    return (raws.preview(data), "jpeg") if kind in RAWS else (data, kind)


def _opened(data: Buffer, kind: str) -> picture.Opened:
    hint = inspecting.read_facts(data, kind).orientation_hint
    return picture.open_picture(*_to_show(data, kind), hint)


def _pixels(
    data: Buffer, request: dict[str, object]
) -> tuple[dict[str, object], bytes | bytearray]:
    max_px = cast("int | None", request["max_px"])
    kind = sniff(data)
    if kind in CLIPS:
        made = picture.frame_pixels(clips.poster(data), max_px)
    else:
        made = picture.pixels(_opened(data, kind), max_px, srgb=bool(request["srgb"]))
    icc = made.icc or b""
    header: dict[str, object] = {
        "width": made.width, "height": made.height, "mode": made.mode, "icc": len(icc),
    }  # fmt: skip
    return header, made.data + icc if icc else made.data


def _stored(
    data: Buffer, request: dict[str, object]
) -> tuple[dict[str, object], bytes | bytearray]:
    made = picture.stored(_opened(data, sniff(data)), cast("int", request["most"]))
    return {
        "width": made.width, "height": made.height, "mode": made.mode,
        "tables": _table_list(made.tables), "turn": made.turn, "unfit": made.unfit,
    }, made.data  # fmt: skip


def _table_list(tables: Mapping[int, tuple[int, ...]]) -> list[list[int]]:
    return [[number, *table] for number, table in sorted(tables.items())]


def _luma(data: Buffer, _request: dict[str, object]) -> tuple[dict[str, object], bytes | bytearray]:
    made = picture.luma(_opened(data, sniff(data)))
    tables = _table_list(made.tables)
    return {"width": made.width, "height": made.height, "tables": tables}, made.data


def _no_location(
    data: Buffer, _request: dict[str, object]
) -> tuple[dict[str, object], bytes | bytearray]:
    stripped = stripping.no_location(data, sniff(data))
    pieces = [
        len(piece.data) if isinstance(piece, Put) else [piece.offset, piece.length]
        for piece in stripped.pieces
    ]
    put = b"".join(piece.data for piece in stripped.pieces if isinstance(piece, Put))
    return {"pieces": pieces, "left_out": list(stripped.left_out)}, put


def _encode(
    data: Buffer, request: dict[str, object]
) -> tuple[dict[str, object], bytes | bytearray]:
    """The source is rows of pixels with the ICC profile, if there is one, after them."""
    width, height = cast("int", request["width"]), cast("int", request["height"])
    mode = cast("str", request["mode"])
    size = width * height * decoder_wire.CHANNELS[mode]
    pixels = decoder_wire.Pixels(
        width, height, mode, bytes(data[:size]), bytes(data[size:]) or None
    )
    quality, exif = cast("int", request["quality"]), cast("bytes", request["exif"])
    return {}, picture.encode(pixels, cast("str", request["format"]), quality, exif)


def _c2pa(data: Buffer, _request: dict[str, object]) -> tuple[dict[str, object], bytes | bytearray]:
    state, code = provenance.read(data, sniff(data))
    return {"c2pa": state, "c2pa_code": code}, b""


OPERATIONS: Final[
    dict[str, Callable[[Buffer, dict[str, object]], tuple[dict[str, object], bytes | bytearray]]]
] = {
    "inspect": _inspect,
    "pixels": _pixels,
    "luma": _luma,
    "stored": _stored,
    "no_location": _no_location,
    "encode": _encode,
    "c2pa": _c2pa,
}


def answer(request: dict[str, object], data: Buffer) -> tuple[bytes, bytes | bytearray]:
    """Do what is asked: the beginning of the answer, and its payload."""
    try:
        header, payload = OPERATIONS[str(request["op"])](data, request)
    except PictureError as error:
        return decoder_wire.answer({"refused": _shortened(str(error))}), b""
    except MemoryError:
        return decoder_wire.answer({"refused": "it needs too much memory to be opened"}), b""
    return decoder_wire.answer({"ok": True, **header}, len(payload)), payload


def _shortened(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:MAX_TEXT] or "refused"


def _child(job: int, source: int) -> NoReturn:
    """Open one picture and end. What goes wrong beyond a refusal ends it without an answer."""
    status = 1
    try:
        size = os.fstat(source).st_size
        data: Buffer = b""
        if size:
            data = cast("Buffer", mmap.mmap(source, size, access=mmap.ACCESS_READ))
        os.set_blocking(job, True)
        os.nice(NICENESS)
        sandbox.enter(size)
        length = int.from_bytes(_read(job, 4))
        request = decoder_wire.unpack(_read(job, min(length, decoder_wire.HEADER_BYTES)))
        for part in answer(request, data):
            left = memoryview(part)
            while left:
                left = left[os.write(job, left) :]
        status = 0
    finally:
        os._exit(status)


def _read(descriptor: int, size: int) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = os.read(descriptor, size)
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


# The zygote.


@dataclass(slots=True)
class _Job:
    number: int
    deadline: float
    timed_out: bool = False


class Zygote:
    """Forks children on request and reports their ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._jobs: dict[int, _Job] = {}
        self._wake, wake = socket.socketpair()
        self._wake.setblocking(False)
        wake.setblocking(False)
        self._wake_writer = wake
        signal.signal(signal.SIGCHLD, _take_note)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the node has gone."""
        hello = json.dumps({"level": sandbox.strongest(), "libraries": libraries()}).encode()
        self._control.sendall(decoder_wire.HELLO.pack(len(hello)) + hello)
        while True:
            ready, _, _ = select.select([self._control, self._wake], [], [], self._patience())
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wake.recv(4096)
            self._reap()
            self._end_late_ones()
            if self._control in ready and not self._take_order():
                break
        for pid in self._jobs:
            _kill(pid)

    def _patience(self) -> float | None:
        if not self._jobs:
            return None
        return max(0.0, min(job.deadline for job in self._jobs.values()) - time.monotonic())

    def _take_order(self) -> bool:
        """One order; False if the node has gone."""
        message, descriptors, _, _ = socket.recv_fds(
            self._control, decoder_wire.ORDER.size, _DESCRIPTORS
        )
        if len(message) < decoder_wire.ORDER.size:
            return False
        number, milliseconds = decoder_wire.ORDER.unpack(message)
        if len(descriptors) == _DESCRIPTORS and milliseconds:
            self._fork(number, milliseconds / 1000, *descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        for pid, job in self._jobs.items():
            if job.number == number:
                _kill(pid)
        return True

    def _fork(self, number: int, seconds: float, job: int, source: int) -> None:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sandbox.close_others((job, source))
            _child(job, source)
        with contextlib.suppress(OSError):  # the child may have done it, or have ended
            os.setpgid(pid, pid)
        os.close(job)
        os.close(source)
        self._jobs[pid] = _Job(number, time.monotonic() + seconds)

    def _reap(self) -> None:
        while self._jobs:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            job = self._jobs.pop(pid)
            unit = 1 if sys.platform == "darwin" else 1024
            end = decoder_wire.TIMED_OUT if job.timed_out else status
            self._control.sendall(decoder_wire.REPORT.pack(job.number, end, usage.ru_maxrss * unit))

    def _end_late_ones(self) -> None:
        now = time.monotonic()
        for pid, job in self._jobs.items():
            if job.deadline <= now and not job.timed_out:
                job.timed_out = True
                job.deadline = now + 3600
                _kill(pid)


def _take_note(_number: int, _frame: object) -> None:
    """Nothing: the signal wakes `select` through the wake-up descriptor."""


def _kill(pid: int) -> None:
    """The whole group of a child that was not reaped yet, so the number is still its own."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            end(pid, signal.SIGKILL)


FLOORS: Final = {"pillow": (12, 3), "pillow-heif": (1, 8)}
"""Older ones have known holes (docs/security.md)."""


def libraries() -> dict[str, str]:
    """What decodes pictures here, with the versions of what is bundled in it."""
    found = {"pillow": PIL.__version__, "pillow-heif": pillow_heif.__version__}
    for name in ("libjpeg_turbo", "zlib", "libtiff", "webp", "avif", "littlecms2"):
        version = features.version(name)
        if version is not None:
            found[name.replace("_", "-")] = version
    found["libheif"] = str(cast("Any", pillow_heif).libheif_info()["libheif"])
    found["ffmpeg"] = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return found


def _too_old() -> bool:
    versions = libraries()
    return any(_numbers(versions[name]) < floor for name, floor in FLOORS.items())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def prepare() -> None:
    """Load and warm what the children use, and leave it to be shared between them."""
    picture.prepare()
    if _too_old():
        sys.exit(decoder_wire.OLD_LIBRARY_STATUS)
    provenance.warm_up()
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page it looks at


def main() -> None:
    """The zygote's process: argument 1 is the descriptor of the control socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    prepare()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        Zygote(control).run()


def once() -> None:
    """Without fork (Windows): one picture, from standard input to standard output."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    length = int.from_bytes(source.read(4))
    request = decoder_wire.unpack(source.read(min(length, decoder_wire.HEADER_BYTES)))
    data = source.read()
    prepare()
    sandbox.enter(len(data))
    sink.writelines(answer(request, data))
    sink.flush()
