"""The process that looks for signs of editing, and what becomes of it: real ones, real ends."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import psutil
import pytest
from kinlight.node import check_service
from kinlight.node.check_service import CheckService
from kinlight.node.decoder_wire import Stored
from kinlight.node.picture_errors import CheckDiedError, CheckTimeoutError, CheckUnavailableError

from .nodes import eventually

needs_torch = pytest.mark.skipif(
    check_service.missing() is not None, reason="needs the extra ml: torch is not installed"
)

# Processes that speak the first words of the protocol, and then not the right ones.
_SPEAKING = """
import os, sys, time
from kinlight.node import decoder_wire
def say(value, payload=b""):
    sys.stdout.buffer.write(decoder_wire.answer(value, len(payload)) + payload)
    sys.stdout.buffer.flush()
"""
_READY = _SPEAKING + "say({'ready': True})\n"
_FOREVER = "time.sleep(3600)\n"


def speaking(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def grey(width: int = 160, height: int = 128) -> Stored:
    return Stored(width, height, "L", random.Random(1).randbytes(width * height), {}, 6)


@pytest.fixture(autouse=True)
def all_is_there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of these tests need no torch, so none is asked for."""
    if needs_torch.mark not in request.node.own_markers:
        monkeypatch.setattr(check_service, "NEEDED", ())


@needs_torch
async def test_one_process_looks_at_one_picture_after_the_other_and_a_new_one_replaces_it() -> None:
    async with CheckService() as service:
        assert (service.pid, service.starts) == (None, 0)
        first = await service.check(grey(), with_map=True)
        assert first.score is not None
        assert first.map is not None
        assert len(first.map) == 160 * 128
        assert len(first.model) == 64
        assert first.features
        assert (await service.check(grey(100, 90))).reason == "it is smaller than 128 pixels"
        pid = service.pid
        assert pid is not None
        assert service.starts == 1
        if sys.platform == "linux":
            seen = psutil.Process(pid)
            assert seen.nice() >= check_service.GIVING_WAY
            assert "PATH" not in seen.environ()
        os.kill(pid, signal.SIGSTOP)
        checking = asyncio.ensure_future(service.check(grey()))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(CheckDiedError, match="signal 9"):
            await checking
        again = await service.check(grey(), with_map=True)
        assert (again, service.starts) == (first, 2)
        last = service.pid
    assert last is not None
    assert not psutil.pid_exists(last)


async def test_what_does_not_answer_in_time_is_killed_and_named() -> None:
    async with CheckService(command=speaking(_READY + _FOREVER), seconds=0.1) as service:
        await service.start()
        pid = service.pid
        assert pid is not None
        with pytest.raises(CheckTimeoutError):
            await service.check(grey())
        assert service.pid is None
        await eventually(lambda: not psutil.pid_exists(pid))


async def test_what_is_idle_is_ended() -> None:
    async with CheckService(command=speaking(_READY + _FOREVER), idle_seconds=0.0) as service:
        await service.start()
        await eventually(lambda: service.pid is None)


async def test_who_gives_up_gets_no_answer_of_before() -> None:
    async with CheckService(command=speaking(_READY + _FOREVER)) as service:
        await service.start()
        pid = service.pid
        checking = asyncio.ensure_future(service.check(grey()))
        await asyncio.sleep(0.01)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await checking
        await service.start()
        assert service.pid not in (None, pid)


@pytest.mark.parametrize(
    "lie",
    [
        "os._exit(3)",
        "sys.stdout.buffer.write(b'\\xff' * 400); sys.stdout.buffer.flush(); time.sleep(3600)",
        "say({'verdict': 'signs'}); time.sleep(3600)",
        "say({'ready': True}, b'x' * 5); time.sleep(3600)",
    ],
)
async def test_a_process_that_lies_or_breaks_off_is_an_error_and_never_a_verdict(lie: str) -> None:
    async with CheckService(command=speaking(_READY + lie)) as service:
        with pytest.raises(CheckDiedError):
            await service.check(grey())


async def test_what_fails_for_one_picture_is_told_and_the_process_stays() -> None:
    code = _READY + "say({'failed': 'it needs too much memory'}); time.sleep(3600)"
    async with CheckService(command=speaking(code)) as service:
        with pytest.raises(CheckDiedError, match="it needs too much memory"):
            await service.check(grey())
        assert service.pid is not None


async def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lacking = speaking(_SPEAKING + "say({'missing': 'torch'})")
    async with CheckService(command=lacking) as service:
        with pytest.raises(CheckUnavailableError) as told:
            await service.check(grey())
        assert "torch is not installed" in str(told.value)
        assert 'pip install "kinlight[ml]"' in str(told.value)
    monkeypatch.setattr(check_service, "NEEDED", ("torch",))
    monkeypatch.setitem(sys.modules, "torch", None)
    async with CheckService(command=[str(tmp_path / "nothing")]) as service:
        with pytest.raises(CheckUnavailableError, match="torch is not installed"):
            await service.check(grey())
        assert service.starts == 0


async def test_a_process_that_can_not_start_is_named(tmp_path: Path) -> None:
    async with CheckService(command=[str(tmp_path / "nothing")]) as service:
        with pytest.raises(CheckUnavailableError):
            await service.check(grey())
    async with CheckService(command=speaking("raise SystemExit(1)")) as service:
        with pytest.raises(CheckDiedError):
            await service.check(grey())


@needs_torch
async def test_it_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from kinlight.node.check_service import CheckService\n"
        "async def main():\n"
        "    service = CheckService()\n"
        "    await service.start()\n"
        "    print(service.pid, flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert starter.stdout is not None
    pid = int(await starter.stdout.readline())
    assert psutil.pid_exists(pid)
    starter.kill()
    await starter.wait()
    await eventually(lambda: not psutil.pid_exists(pid))


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")


@posix_only
async def test_one_that_used_up_its_processor_time_took_too_long() -> None:
    code = _READY + "import signal; os.kill(os.getpid(), signal.SIGXCPU); time.sleep(3600)"
    async with CheckService(command=speaking(code)) as service:
        with pytest.raises(CheckTimeoutError):
            await service.check(grey())
    bounded = (
        "from kinlight.node import worker\n"
        "worker.CPU_SECONDS = 0\n"
        "worker.begin_picture()\n"
        "while True: pass\n"
    )
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", bounded)
    assert await ended.wait() == -signal.SIGXCPU


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds this memory")
async def test_one_that_needs_too_much_memory_gets_no_more() -> None:
    bounded = (
        "from kinlight.node import worker\n"
        "worker.MEMORY_BYTES = 200 * 1024 * 1024\n"
        "worker.enter(0)\n"
        "try:\n"
        "    bytearray(300 * 1024 * 1024)\n"
        "except MemoryError:\n"
        "    raise SystemExit(7)\n"
    )
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", bounded)
    assert await ended.wait() == 7
