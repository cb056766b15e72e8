"""The code of a mark: 48 bits become 192 signs of which many may come back wrong.

A tail-biting convolutional code of rate 1/4 with a memory of eight bits: the register begins as it
ends, so no bit is spent on emptying it. Read by Viterbi's algorithm with soft decisions, once round
to forget where it began, once to decide, once to let the decisions settle. It has no check sum: how
well the whole of what was received agrees with the codeword is the check (docs/spec/watermark.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Signs = npt.NDArray[np.int8]
Soft = npt.NDArray[np.float64]

PAYLOAD_BYTES: Final = 6
PAYLOAD_BITS: Final = 8 * PAYLOAD_BYTES
RATE: Final = 4
CODE_BITS: Final = RATE * PAYLOAD_BITS

_MEMORY: Final = 8
_STATES: Final = 1 << _MEMORY
_GENERATORS: Final = (0o463, 0o535, 0o733, 0o745)
"""Of the free distance 24: K. Larsen, 1973, table I."""
_ROUNDS: Final = 3


def _outputs() -> Signs:
    """What each register of nine bits, the newest lowest, puts out: shape (512, 4), signs."""
    registers = np.arange(2 * _STATES)
    ones = np.stack([np.bitwise_count(registers & taps) & 1 for taps in _GENERATORS], axis=1)
    return (1 - 2 * ones.astype(np.int8)).astype(np.int8)


_OUTPUTS: Final = _outputs()
_AFTER: Final = np.arange(_STATES)
_FROM: Final = np.stack([_AFTER >> 1, _AFTER >> 1 | _STATES >> 1])
"""The two states from which each state is reached, and below the registers as it happens."""
_REGISTERS: Final = np.stack([_AFTER, _AFTER | _STATES])


def encode(payload: bytes) -> Signs:
    """The codeword of six bytes: 192 signs, -1 for a one."""
    return encode_all([payload])[0]


def encode_all(payloads: Sequence[bytes]) -> Signs:
    """The codewords of many: shape (n, 192)."""
    if any(len(payload) != PAYLOAD_BYTES for payload in payloads):
        raise ValueError(f"a payload has {PAYLOAD_BYTES} bytes")
    joined = np.frombuffer(b"".join(payloads), np.uint8).reshape(-1, PAYLOAD_BYTES)
    bits = np.unpackbits(joined, axis=1).astype(np.int64)
    register = np.zeros_like(bits)
    for age in range(_MEMORY + 1):
        register |= np.roll(bits, age, axis=1) << age
    return _OUTPUTS[register].reshape(len(joined), CODE_BITS)


def decode(received: npt.NDArray[Any]) -> bytes:
    """The payload whose codeword is nearly the nearest to 192 numbers, whatever they are."""
    soft = np.asarray(received, np.float64).reshape(PAYLOAD_BITS, RATE)
    gains = soft @ _OUTPUTS.T.astype(np.float64)
    length = _ROUNDS * PAYLOAD_BITS
    score = np.zeros(_STATES)
    chosen = np.empty((length, _STATES), np.int8)
    for step in range(length):
        ways = score[_FROM] + gains[step % PAYLOAD_BITS][_REGISTERS]
        chosen[step] = ways[1] > ways[0]
        score = np.maximum(ways[0], ways[1])
    state = int(score.argmax())
    bits = np.empty(length, np.uint8)
    for step in range(length - 1, -1, -1):
        bits[step] = state & 1
        state = int(_FROM[chosen[step, state], state])
    return np.packbits(bits[PAYLOAD_BITS : 2 * PAYLOAD_BITS]).tobytes()
