"""Memory that was freed goes back to the system.

glibc keeps it for the next request: a daemon through which photos had travelled held 10 to 13 MB of
it, in pieces between what is in use, until it ended. `malloc_trim` gives back whole pages of that.
It also keeps such an arena for each thread, up to eight for each core, of which the threads that
hash and write fill one after the other: a daemon has `ARENAS` of them.
"""

from __future__ import annotations

import ctypes
from typing import Final

ARENAS: Final = 2
"""One for the event loop, and one for all that is done beside it."""
_M_ARENA_MAX: Final = -8


def can_trim() -> bool:
    """Whether the C library is one that keeps what is freed, and can be asked to give it back."""
    return _has("malloc_trim")


def share_arenas() -> bool:
    """Let the threads that are still to begin share `ARENAS`; whether the C library can."""
    if not (can_trim() and _has("mallopt")):  # another C library's `mallopt` has other options
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS))


def _has(name: str) -> bool:
    try:
        return hasattr(ctypes.CDLL(None), name)
    except (OSError, TypeError):  # Windows has no such handle
        return False


def trim() -> None:
    """Give back what can be; for a thread. Only where `can_trim`."""
    ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))
