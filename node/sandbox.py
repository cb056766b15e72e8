"""The cage in which a picture is opened. Entered by a forked child, once, with no way back.

Three levels, by what the system offers:

- `seccomp` (Linux with libseccomp): limits, and a list of the system calls that decoding needs.
  No file, socket or process can be opened any more; executing anything ends the process.
- `rlimits` (macOS, Linux without it): memory, time, files and processes are bounded.
- `process` (Windows): a process of its own, without keys.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from typing import Any, Final, cast

from .decoder_wire import Level

if sys.platform != "win32":
    import resource

try:
    import pyseccomp  # pyright: ignore[reportMissingTypeStubs, reportMissingImports]
except (ImportError, OSError, RuntimeError):  # no Linux, or no libseccomp there
    _calls: Any = None
else:
    _calls = cast("Any", pyseccomp)

MEMORY_BYTES: Final = 3 * 512 * 1024 * 1024
"""Address space beyond the picture's own bytes. Ordinary photos need 110 to 390 MiB of it."""
CPU_SECONDS: Final = 10
OPEN_FILES: Final = 16

_PR_SET_DUMPABLE: Final = 4
_PROT_EXEC: Final = 4
_CLONE_THREAD: Final = 0x00010000

_ALLOWED: Final = (
    # What was given: the picture and the answer.
    "read", "readv", "pread64", "write", "writev", "lseek", "_llseek", "close", "fstat", "fstat64",
    # Memory. Mapping code is not allowed, see `_rules`.
    "munmap", "mremap", "brk", "madvise",
    # Threads of the decoders, and waiting.
    "futex", "futex_time64", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity",
    "gettid", "getpid", "poll", "ppoll", "nanosleep", "clock_nanosleep",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    # Chance, the clock, what the machine is.
    "getrandom", "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage",
    "sysinfo", "uname",
    "exit", "exit_group",
)  # fmt: skip
_FATAL: Final = ("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev")
"""Nothing that decodes a picture ever asks for these: who does is not decoding."""


def strongest() -> Level:
    """What this system offers."""
    if sys.platform == "win32":
        return "process"
    return "rlimits" if _RULES is None else "seccomp"


def enter(mapped: int) -> None:
    """Bound this process for good, as strongly as the system can.

    `mapped` is the size of the picture that is mapped into memory beside what decoding needs.
    """
    if sys.platform == "win32":
        return
    _limit(mapped)
    if _RULES is not None:
        # Giving up (`abort`) is a signal to oneself. One to anybody else would end the node.
        _rule(_RULES, _calls.ALLOW, "tgkill", _calls.Arg(0, _calls.EQ, os.getpid()))
        _RULES.load()


def _limit(mapped: int) -> None:
    if sys.platform == "win32":
        return
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES + mapped,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # At the first bound of time comes a signal that says so, at the second one the end.
        more = kind == resource.RLIMIT_CPU and hard in (
            resource.RLIM_INFINITY,
            max(hard, bound + 1),
        )
        last = bound + 1 if more else bound
        # macOS takes no bound on address space: the other bounds hold, and the wall clock.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, last))
    if sys.platform == "linux":
        # Nobody else of this user may look into the process, or leave its memory in a file.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _rules() -> Any:
    """Refuse (EPERM) all but what decoding needs, so that a library that asks can go on."""
    if _calls is None:
        return None
    rules = _calls.SyscallFilter(_calls.ERRNO(errno.EPERM))
    for name in _ALLOWED:
        _rule(rules, _calls.ALLOW, name)
    for name in ("mmap", "mmap2", "mprotect"):
        without_code = _calls.Arg(2, _calls.MASKED_EQ, _PROT_EXEC, 0)
        _rule(rules, _calls.ALLOW, name, without_code)
    # Threads, no processes. clone3 hides its flags in memory: glibc then takes clone.
    thread = _calls.Arg(0, _calls.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD)
    _rule(rules, _calls.ALLOW, "clone", thread)
    _rule(rules, _calls.ERRNO(errno.ENOSYS), "clone3")
    for name in _FATAL:
        _rule(rules, _calls.KILL_PROCESS, name)
    return rules


def _rule(rules: Any, action: int, name: str, *args: object) -> None:
    # A name that this processor does not have needs no rule.
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        rules.add_rule(action, name, *args)


def close_others(keep: tuple[int, ...]) -> None:
    """Close every descriptor but the standard ones and `keep`."""
    last = 3
    for descriptor in sorted(keep):
        os.closerange(last, descriptor)
        last = descriptor + 1
    os.closerange(last, 4096)


_RULES: Final[Any] = _rules()
"""Made once, before the fork: loading them takes a moment, making them some milliseconds."""
