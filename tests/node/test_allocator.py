from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from kinlight.node import allocator, trimming

from .nodes import eventually

needs_glibc = pytest.mark.skipif(not allocator.can_trim(), reason="this C library has no such call")

# Small pieces in use between large ones that are freed: nothing of it can go by itself.
_FRAGMENTED = """
import psutil
from kinlight.node import allocator
pieces = [(bytearray(60_000), bytearray(600)) for _ in range(1_000)]
kept = [small for _, small in pieces]
del pieces
before = psutil.Process().memory_info().rss
allocator.trim()
print(before - psutil.Process().memory_info().rss)
"""


@needs_glibc
def test_what_is_free_between_what_is_in_use_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FRAGMENTED], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 40_000_000


# Each of eight threads needs memory while all others still hold theirs.
_THREADS = """
import ctypes, threading
from pathlib import Path
from kinlight.node import allocator
if {share}:
    assert allocator.share_arenas()
together, pieces = threading.Barrier(8), []
def work():
    pieces.append(bytearray(60_000))
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@needs_glibc
@pytest.mark.parametrize("share", [True, False])
def test_threads_share_two_arenas_once_told_to(share: bool) -> None:
    code = _THREADS.format(share=share)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    arenas = done.stdout.count("<heap nr=")
    assert arenas == allocator.ARENAS if share else arenas > allocator.ARENAS


@needs_glibc
async def test_it_is_trimmed_only_after_something_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    looks = 0
    moved = 7

    def look() -> int:
        nonlocal looks
        looks += 1
        return moved

    monkeypatch.setattr(allocator, "trim", lambda: trims.append(moved))
    keeping = asyncio.create_task(trimming.keep_trimmed(look, seconds=0))
    await eventually(lambda: looks > 3)
    assert trims == []
    moved = 8
    await eventually(lambda: bool(trims))
    seen = looks
    await eventually(lambda: looks > seen + 3)
    assert trims == [8]
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_where_it_can_t_be_done_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "can_trim", lambda: False)
    await trimming.keep_trimmed(lambda: 0)
