"""What carries a mark: a keyed pattern on a square tile that is repeated over the picture.

The tile is made in its spectrum. Of the frequencies of a ring every fourth holds signs that are the
same in all marks of a key, by which a mark is found; each of the others holds two signs, one for
its cosine and one for its sine, which carry the payload. All signs come from the key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from . import watermark_code
from .watermark_code import Signs

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]
Places = npt.NDArray[np.int64]

TILE: Final = 128
"""Pixels of the tile's side, at the scale to which every picture is brought."""
INNER, OUTER = 9, 50
"""Waves a tile of the lowest and the highest frequency."""
KEY_BYTES: Final = 32
PUBLIC_KEY: Final = b"kinlight: marks that all can see"
"""Of marks that anybody may read, and so may anybody set or wipe out."""
_SYNC_EVERY: Final = 4
_CHIPS_DOMAIN: Final = b"kinlight/mark1/signs"
_ORDER_DOMAIN: Final = b"kinlight/mark1/order"


def waves_of(rows: Places) -> Places:
    """Waves a tile down of rows of a spectrum: the upper half of them run backwards."""
    return np.where(rows > TILE // 2, rows - TILE, rows)


def _ring() -> tuple[Places, Places]:
    """Rows and columns of the ring's frequencies in a half spectrum, in the order of the signs."""
    columns = np.arange(TILE // 2 + 1)
    waves = waves_of(np.arange(TILE))[:, None]
    radius = np.hypot(waves, columns)
    # Of the column 0 one half is the mirror of the other.
    inside = (radius >= INNER) & (radius <= OUTER) & ((columns > 0) | (waves > 0))
    found = np.argwhere(inside)
    drawn = hashlib.shake_256(_ORDER_DOMAIN).digest(4 * len(found))
    order = np.argsort(np.frombuffer(drawn, ">u4"), kind="stable")
    return found[order, 0], found[order, 1]


ROWS, COLUMNS = _ring()
FREQUENCIES: Final = len(ROWS)
SYNC: Final = np.arange(0, FREQUENCIES, _SYNC_EVERY)
CARRYING: Final = np.setdiff1d(np.arange(FREQUENCIES), SYNC)
CHIPS: Final = 2 * len(CARRYING)
"""Signs that carry the payload."""
_BIT: Final = np.arange(CHIPS) % watermark_code.CODE_BITS
"""Which sign of the codeword each of them carries."""


@dataclass(frozen=True)
class Carrier:
    """The pattern of one key. Who has the key can read, set and wipe out its marks."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")

    @cached_property
    def signs(self) -> Signs:
        """Two for each frequency: shape (FREQUENCIES, 2)."""
        stream = hashlib.shake_256(_CHIPS_DOMAIN + b"\0" + self.key).digest(FREQUENCIES // 4 + 1)
        bits = np.unpackbits(np.frombuffer(stream, np.uint8))[: 2 * FREQUENCIES]
        return (1 - 2 * bits.astype(np.int8)).reshape(FREQUENCIES, 2)

    def chips(self, payload: bytes) -> Signs:
        """The signs that carry that payload: shape (CHIPS,)."""
        return self._scramble * watermark_code.encode(payload)[_BIT]

    def tile(self, payload: bytes) -> Floats:
        """The pattern of that payload, shape (TILE, TILE), of unit power.

        In steps of 1/32, so that no other machine's arithmetic makes another one.
        """
        signs = self.signs.copy()
        signs[CARRYING] = self.chips(payload).reshape(-1, 2)
        return _pattern(np.arange(FREQUENCIES), signs)

    @cached_property
    def sync_tile(self) -> Floats:
        """The part of the pattern that all payloads share, of unit power."""
        return _pattern(SYNC, self.signs[SYNC])

    def descrambled(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Received chips, summed up for each sign of the codeword: shape (CODE_BITS,)."""
        weights = self._scramble * np.asarray(values, np.float64)
        return np.bincount(_BIT, weights, watermark_code.CODE_BITS).astype(np.float64)

    @cached_property
    def _scramble(self) -> Signs:
        return self.signs[CARRYING].reshape(-1)


PUBLIC: Final = Carrier(PUBLIC_KEY)


def _pattern(places: Places, signs: Signs) -> Floats:
    spectrum = np.zeros((TILE, TILE // 2 + 1), np.complex128)
    spectrum[ROWS[places], COLUMNS[places]] = signs[:, 0] + 1j * signs[:, 1]
    # A column 0 that is no mirror image of itself would lose half of what it holds.
    rows = np.arange(1, TILE)
    mirrored = spectrum[TILE - rows, 0].conj()
    spectrum[rows, 0] += mirrored
    pattern: npt.NDArray[np.float64] = np.fft.irfft2(spectrum, (TILE, TILE))
    pattern /= np.sqrt(np.mean(pattern * pattern))
    return (np.round(pattern * 32) / 32).astype(np.float32)
