"""Where time, chance and pipes come from."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..protocol.opening import Entropy
from . import tcp
from .pace import Pace
from .pipes import Dial, Listen


@dataclass(frozen=True, slots=True)
class Environment:
    """Of the real ones; tests bring their own."""

    now: Callable[[], int] = lambda: int(time.time())
    dial: Dial = tcp.dial
    listen: Listen = tcp.TcpListener
    entropy: Entropy = secrets.token_bytes
    choose: Callable[[int], int] = secrets.randbelow
    pace: Pace = field(default_factory=Pace)
