"""What a process can't do any more once it has entered the sandbox. Each try is a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kinlight.node import sandbox

if sys.platform == "win32":
    pytest.skip("there is no such sandbox on Windows", allow_module_level=True)

ENTER = """
import ctypes, mmap, os, signal, socket, sys, threading
from kinlight.node import sandbox
sandbox.CPU_SECONDS = 1
libc = ctypes.CDLL(None, use_errno=True)
{before}
sandbox.enter(0)
try:
    {attempt}
except (OSError, MemoryError, RuntimeError) as error:
    os.write(1, type(error).__name__.encode())
    os._exit(0)
os.write(1, b"done")
os._exit(0)
"""

needs_seccomp = pytest.mark.skipif(
    sandbox.strongest() != "seccomp", reason="needs seccomp (Linux with libseccomp2)"
)


def caged(attempt: str, before: str = "") -> subprocess.CompletedProcess[bytes]:
    script = ENTER.format(attempt=attempt, before=before)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)


def test_what_decoding_needs_still_works() -> None:
    done = caged(
        "os.read(given, 3) == bytes([34] * 3) or os.abort(); memory = bytearray(200 << 20);"
        " thread = threading.Thread(target=bytes, args=(9,)); thread.start(); thread.join();"
        " os.lseek(given, 0, 0); mmap.mmap(-1, 1 << 20)",
        before=f"given = os.open({__file__!r}, os.O_RDONLY)",
    )
    assert (done.stdout, done.returncode) == (b"done", 0), done.stderr


@needs_seccomp
@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "open('/tmp/written-from-a-cage', 'w')",
        "os.listdir('/')",
        "os.stat('/etc/passwd')",
        # fstat as glibc makes it, but with a path
        "libc.fstatat(-100, b'/etc/passwd', bytes(256), 0x1000) and os.stat('/etc/passwd')",
        "os.unlink('/tmp/written-from-a-cage')",
        "os.mkdir('/tmp/made-in-a-cage')",
        "os.symlink('/etc/passwd', '/tmp/linked-from-a-cage')",
        "os.chdir('/')",
        "os.memfd_create('x')",
        "os.pipe()",
    ],
)
def test_no_file_can_be_opened_or_seen(attempt: str) -> None:
    done = caged(attempt)
    assert done.stdout == b"PermissionError", (done.stdout, done.stderr)


@needs_seccomp
@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
        "socket.socketpair()",
        "ours.sendmsg([b'x'])",
    ],
)
def test_no_socket_can_be_made_or_used(attempt: str) -> None:
    done = caged(attempt, before="ours, theirs = socket.socketpair()")
    assert done.stdout == b"PermissionError", (done.stdout, done.stderr)


@needs_seccomp
def test_a_signal_reaches_nobody_else() -> None:
    # 234: tgkill on x86-64; 131 on what is newer
    call = "libc.syscall(234 if os.uname().machine == 'x86_64' else 131, {0}, {0}, 0)"
    other = call.format("os.getppid()") + " == -1 and ctypes.get_errno() == 1 or os.abort()"
    assert caged(other).stdout == b"done"
    assert caged("os.abort()").returncode == -signal.SIGABRT


@needs_seccomp
@pytest.mark.parametrize("attempt", ["os.fork()", "os.kill(os.getppid(), 0)", "os.setuid(1)"])
def test_no_other_process_can_be_made_or_reached(attempt: str) -> None:
    done = caged(attempt)
    assert done.stdout in (b"PermissionError", b"BlockingIOError"), (done.stdout, done.stderr)


@needs_seccomp
@pytest.mark.parametrize(
    "attempt",
    [
        "os.execv('/bin/true', ['true'])",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)",
    ],
)
def test_a_process_that_executes_or_traces_is_ended_at_once(attempt: str) -> None:
    assert caged(attempt).returncode == -signal.SIGSYS


@needs_seccomp
def test_no_memory_can_be_made_code() -> None:
    made = "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"
    assert caged(made).stdout == b"PermissionError"


@needs_seccomp
def test_what_was_open_before_stays_readable_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"pixels")
    before = f"given = os.open({str(tmp_path / 'picture')!r}, os.O_RDWR)"
    assert caged("os.read(given, 6) == b'pixels' or os.abort()", before).stdout == b"done"
    # Not even to a file that is open for writing: its size is bounded to nothing.
    cut = caged("os.pwrite(given, b'x', 0)", before)
    assert cut.stdout == b"PermissionError"


def test_memory_is_bounded() -> None:
    assert caged("bytearray(sandbox.MEMORY_BYTES)").stdout == b"MemoryError"


def test_writing_a_file_that_was_open_before_is_bounded_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    before = f"given = os.open({str(path)!r}, os.O_RDWR | os.O_CREAT)"
    done = caged("os.write(given, b'x')", before)
    assert done.stdout == b"OSError" or done.returncode == -signal.SIGXFSZ
    assert path.read_bytes() == b""


def test_time_is_bounded() -> None:
    assert caged("while True: pass").returncode == -signal.SIGXCPU
    # Who does not listen to it ends a second later.
    deaf = caged("while True: pass", before="signal.signal(signal.SIGXCPU, signal.SIG_IGN)")
    assert deaf.returncode == -signal.SIGKILL


@needs_seccomp
def test_there_is_no_way_back() -> None:
    raised = caged(
        "import resource\n    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))"
    )
    assert raised.stdout != b"done" or raised.returncode
