"""Limits that the system sets to this process."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Generator


@contextlib.contextmanager
def files_at_most(length: int) -> Generator[None]:
    """No file can be written beyond so many bytes: a disk that takes no more."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
