"""Finds marks in a picture: where the pattern lies, at what scale, turned how; and what it says.

`find(pixels, sought)` tries each key. The picture is brought to the scale of marks, its own content
is flattened, the tiles are laid over each other, and the part of the pattern that all payloads
share is looked for in every place and all eight positions, at the scale that the picture's size
tells, then at all those that a crop or a border would bring about.

What is found is judged by its payload's signs, which the search for the place never saw: docs/spec/
watermark.md derives the bound on false claims that comes with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product, takewhile
from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from . import watermark, watermark_code
from .watermark_carrier import CARRYING, COLUMNS, PUBLIC, ROWS, TILE, Carrier, Floats, waves_of

Spectrum = npt.NDArray[np.complex64]
Values = npt.NDArray[np.float64]

LIMIT: Final = 1e-6
"""Chance of a false claim that is borne, by a picture and a key."""
LEAST: Final = 1e-300
"""The least bound that is told: below it a float would say that it can't be."""
SMALLEST: Final = 128
"""Pixels of the shorter side from which on there is something to look at."""
_SPANS: Final = (*((0.97, 1.03), (0.8, 0.97), (1.03, 1.3), (0.65, 0.8), (0.5, 0.65), (1.3, 1.6)),)
"""Scales that are tried, relative to that which the size tells: after slight crops first."""
_STEP: Final = 0.004
"""Between two of them: at the rim of the picture 0.7 pixels at most, of the scale of marks."""
_TRIED_WHOLE, _TRIED = 4, 4
"""Places that are looked at more closely, at the size's own scale and in a span of others: those
where the shared part shows best."""
_FAINTEST: Final = 4.5
"""How well it must show there, in standard deviations: of whole pixels alone chance reaches that in
one of twenty positions. A payload that could be read shows better: it has three times the signs."""
_CLEAR: Final = 5.5
"""From there on it is looked for at scales between those between."""
MARKS: Final = 8
"""Marks of one key that are told of, at most."""
EVALUATED: Final = (_TRIED_WHOLE + _TRIED * len(_SPANS)) * MARKS
"""How often a payload is asked for at most, for a picture and a key."""

Turn = Literal[0, 1, 2, 3, 4, 5, 6, 7]
"""Quarter turns anticlockwise, 4 more if it was mirrored first."""
TURNS: Final[tuple[Turn, ...]] = (0, 1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Sought:
    """A key, and the payloads that were really given out under it; all that were not known too."""

    carrier: Carrier
    issued: tuple[bytes, ...] = ()
    blind: bool = True
    """Whether payloads count that are not among `issued`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mark that is there."""

    sought: int
    """Its place among those looked for."""
    payload: bytes
    strength: float
    """How far the payload's signs agree, in standard deviations of chance."""
    share: float
    """The same, -1 to 1: of a picture that nobody touched 0.5 to 0.95."""
    bound: float
    """At most so likely in a picture without a mark of that key."""
    turn: Turn
    scale: float
    """Relative to the scale that the picture's size tells: under 1 after a crop."""
    issued: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the pattern may lie."""

    across: float
    down: float
    """Scales that bring the picture to the scale of marks."""
    turn: Turn
    left: float
    top: float
    seen: float
    """How far the shared part agrees, in standard deviations of chance."""


def turned(pixels: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """An array turned, and mirrored before that."""
    return np.rot90(pixels[:, ::-1] if turn >= 4 else pixels, turn % 4)


def upright(pixels: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """The reverse of `turned`."""
    back = np.rot90(pixels, -(turn % 4))
    return back[:, ::-1] if turn >= 4 else back


# What is looked at.


class _View:
    """A picture, ready to be looked at at many scales."""

    def __init__(self, grey: watermark.Picture) -> None:
        self.height, self.width = grey.shape
        self.scale = watermark.SIDE / math.sqrt(self.height * self.width)
        # Reduced once, to what the largest scale needs.
        self._factor = min(1.0, self.scale * _SPANS[-1][1])
        self._base = watermark.canonical(grey, self._factor)
        self._grey = grey

    def whole(self) -> Spectrum:
        """At the scale that its size tells, brought there as `mark` did."""
        return _spectrum(watermark.canonical(self._grey, self.scale))

    def at(self, across: float, down: float) -> Spectrum:
        """At any scale."""
        size = max(TILE, round(self.width * across)), max(TILE, round(self.height * down))
        x = self._base.shape[1] / self.width / across
        y = self._base.shape[0] / self.height / down
        # Pixels have their centres at halves.
        matrix = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5]], np.float64)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        small = cv2.warpAffine(self._base, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        return _spectrum(small.astype(np.float32, copy=False))


def folded(small: Floats) -> Floats:
    """All tiles of a picture at the scale of marks, laid over each other: shape (TILE, TILE).

    Edges and textures are brought down to what a mark could be: the local mean is taken away, and
    the rest divided by its own local spread.
    """
    fine = small - cv2.GaussianBlur(small, (0, 0), 2.0)
    spread = np.sqrt(cv2.blur(fine * fine, (13, 13)) + 0.3)
    flat = np.clip(fine / spread, -2.5, 2.5)
    height, width = flat.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((rows * TILE, columns * TILE), np.float32)
    padded[:height, :width] = flat
    return padded.reshape(rows, TILE, columns, TILE).sum(axis=(0, 2))


def _spectrum(small: Floats) -> Spectrum:
    """The frequencies of all tiles together, of equal power on every ring."""
    spectrum = np.fft.rfft2(folded(small))
    power = np.square(np.abs(spectrum))
    mean = np.bincount(_RADII.ravel(), power.ravel(), _RINGS) / _IN_RING
    mean = np.convolve(np.pad(mean, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    size = np.sqrt(mean + 1e-9)[_RADII]
    # One frequency of a fence must not outweigh all others.
    loud = np.maximum(np.sqrt(power) / (2.0 * size), 1.0)
    return (spectrum / (size * loud)).astype(np.complex64)


def _radii() -> npt.NDArray[np.int64]:
    waves = waves_of(np.arange(TILE))[:, None]
    return np.rint(np.hypot(waves, np.arange(TILE // 2 + 1))).astype(np.int64)


_RADII: Final = _radii()
_RINGS: Final = int(_RADII.max()) + 1
_IN_RING: Final = np.maximum(np.bincount(_RADII.ravel(), minlength=_RINGS), 1)


# Where the pattern lies.


@dataclass(frozen=True, slots=True)
class _Shared:
    """The shared part of a pattern in one position."""

    turn: Turn
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    expected: Spectrum
    """Conjugate, of the size 1 for each frequency."""

    @classmethod
    def of(cls, carrier: Carrier, turn: Turn) -> _Shared:
        spectrum = np.fft.rfft2(turned(carrier.sync_tile, turn))
        rows, columns = np.nonzero((np.abs(spectrum) > 0.5 * np.abs(spectrum).max()) & _HALF)
        values = spectrum[rows, columns]
        return cls(turn, rows, columns, (values / np.abs(values)).conj().astype(np.complex64))

    def best(self, spectrum: Spectrum) -> tuple[float, int, int]:
        """How well it is seen where it is seen best, and the place, in whole pixels."""
        seen = spectrum[self.rows, self.columns]
        agreeing = np.zeros(spectrum.shape, np.complex64)
        agreeing[self.rows, self.columns] = seen * self.expected
        agreement = np.fft.irfft2(agreeing, (TILE, TILE))
        top, left = divmod(int(agreement.argmax()), TILE)
        # Each frequency has two numbers that chance may turn either way: a factor of root two.
        norm = float(np.linalg.norm(seen)) / math.sqrt(2) + 1e-9
        return float(agreement[top, left]) * TILE * TILE / 2 / norm, left, top

    def nearby(
        self, spectrum: Spectrum, left: float, top: float, reach: float
    ) -> tuple[float, float, float]:
        """The same between pixels, within `reach` of a place."""
        seen = spectrum[self.rows, self.columns]
        rows = waves_of(self.rows)
        offsets = np.linspace(-reach, reach, 9)
        turn = 2j * math.pi / TILE
        down = np.exp(turn * rows[:, None] * (top + offsets))
        across = np.exp(turn * self.columns[:, None] * (left + offsets))
        agreement = (down.T @ ((seen * self.expected)[:, None] * across)).real
        row, column = divmod(int(agreement.argmax()), len(offsets))
        norm = float(np.linalg.norm(seen)) / math.sqrt(2) + 1e-9
        return (
            float(agreement[row, column]) / norm, left + offsets[column], top + offsets[row],
        )  # fmt: skip


_HALF: Final = (np.arange(TILE // 2 + 1) > 0) | (np.arange(TILE)[:, None] < TILE // 2)
"""Of the column 0 one half is the mirror of the other."""


def _closer(view: _View, part: _Shared, place: _Place) -> tuple[_Place, Spectrum]:
    """The place between scales and between pixels, by what the shared part tells alone."""
    kept = view.at(place.across, place.down)
    seen, left, top = part.nearby(kept, place.left, place.top, 0.75)
    best = replace(place, left=left, top=top, seen=seen)
    for step in (_STEP / 2, _STEP / 4):
        centre = best
        for x, y in product((-step, 0.0, step), repeat=2):
            if x == y == 0.0:
                continue
            across, down = centre.across * (1 + x), centre.down * (1 + y)
            spectrum = view.at(across, down)
            _, left, top = part.best(spectrum)
            seen, found_left, found_top = part.nearby(spectrum, left, top, 0.75)
            if seen > best.seen:
                best = _Place(across, down, part.turn, found_left, found_top, seen)
                kept = spectrum
        if best.seen < _CLEAR:
            break
    return best, kept


# What it says.


def _values(spectrum: Spectrum, place: _Place) -> Values:
    """The payload's numbers as they are received in a place: shape (CHIPS,)."""
    waves = np.fft.fftfreq(TILE)
    down = np.exp(2j * math.pi * waves * place.top)
    across = np.exp(2j * math.pi * waves[: TILE // 2 + 1] * place.left)
    seen = np.fft.irfft2(spectrum * down[:, None] * across, (TILE, TILE))
    straight = np.fft.rfft2(upright(seen, place.turn))[ROWS[CARRYING], COLUMNS[CARRYING]]
    return np.stack([straight.real, straight.imag], axis=1).reshape(-1)


class _Reader:
    """Reads the payloads of one key."""

    def __init__(self, number: int, sought: Sought, scale: float) -> None:
        """`scale` is that which the picture's size tells."""
        self._number = number
        self._sought = sought
        self._scale = scale
        self._codewords = _codewords(sought.issued)
        self.shared: Final = [_Shared.of(sought.carrier, turn) for turn in TURNS]
        self._found: dict[bytes, Found] = {}

    @property
    def found(self) -> list[Found]:
        """What was found so far, the surest first."""
        return sorted(self._found.values(), key=lambda claim: claim.bound)

    def read(self, spectrum: Spectrum, place: _Place) -> None:
        """All payloads in that place: each that is found is taken out, and the rest read again."""
        values = _values(spectrum, place)
        told: set[bytes] = set()
        while len(told) < MARKS:
            claim = self._claim(values, place)
            if claim is None or claim.bound > LIMIT or claim.payload in told:
                return
            told.add(claim.payload)
            known = self._found.get(claim.payload)
            if known is None or claim.bound < known.bound:
                self._found[claim.payload] = claim
            chips = self._sought.carrier.chips(claim.payload)
            values = values - chips * (float(chips @ values) / len(values))

    def _claim(self, values: Values, place: _Place) -> Found | None:
        """The likeliest payload, whether it is likely or not."""
        norm = float(np.linalg.norm(values)) + 1e-9
        received = self._sought.carrier.descrambled(values) / norm
        asked: list[tuple[float, bytes, float]] = []
        issued = self._sought.issued
        if issued:
            agreed, best = _nearest(self._codewords, received)
            asked.append((agreed, issued[best], len(issued)))
        if self._sought.blind:
            payload = watermark_code.decode(received)
            asked.append((float(watermark_code.encode(payload) @ received), payload, _ALL))
        if not asked:
            return None
        agreed, payload, among = min(asked, key=lambda one: bound(one[0], one[2]))
        return Found(
            self._number, payload, agreed, agreed / math.sqrt(len(values)), bound(agreed, among),
            place.turn, place.across / self._scale, payload in issued,
        )  # fmt: skip


@lru_cache(1)
def _codewords(issued: tuple[bytes, ...]) -> watermark_code.Signs:
    """Of the last that were asked for: many files are looked at for the same."""
    return watermark_code.encode_all(issued)


_ALL: Final = 2.0**watermark_code.PAYLOAD_BITS
_AT_ONCE: Final = 4096


def _nearest(codewords: watermark_code.Signs, received: Values) -> tuple[float, int]:
    """The best agreement, and whose it is; in parts, or a hundred thousand would take 150 MB."""
    best = (-math.inf, 0)
    for start in range(0, len(codewords), _AT_ONCE):
        agreement = codewords[start : start + _AT_ONCE] @ received
        highest = int(agreement.argmax())
        best = max(best, (float(agreement[highest]), start + highest))
    return best


def bound(strength: float, payloads: float) -> float:
    """At most so likely is it that any of so many payloads agrees so far by chance."""
    chance = EVALUATED * payloads * math.exp(-(max(strength, 0.0) ** 2) / 2)
    return min(1.0, max(chance, LEAST))


def find(
    pixels: npt.NDArray[Any], sought: Sequence[Sought], *, thorough: bool = True
) -> list[Found]:
    """All marks of these keys that are in a picture, for each key the surest first.

    Keys that matter most come first: where one has a mark, crops are not searched for those behind.
    `pixels` as for `watermark.mark`, but from SMALLEST on. If not `thorough`, only pictures of
    which nothing was cut away are read, in a hundredth of the time. Raises UnfitPicture.
    """
    view = _View(watermark.luma(watermark.check(pixels, SMALLEST)))
    readers = [_Reader(number, asked, view.scale) for number, asked in enumerate(sought)]
    whole = view.whole()
    for reader in readers:
        for place in _clearest(_seen(reader, whole, view.scale), _TRIED_WHOLE):
            seen, x, y = reader.shared[place.turn].nearby(whole, place.left, place.top, 0.75)
            reader.read(whole, replace(place, left=x, top=y, seen=seen))
    if thorough:
        for scales in _spans():
            _search(view, list(takewhile(lambda reader: not reader.found, readers)), scales)
    return [claim for reader in readers for claim in reader.found]


def _seen(reader: _Reader, spectrum: Spectrum, scale: float) -> list[_Place]:
    """The best place for each position, at one scale."""
    return [
        _Place(scale, scale, part.turn, left, top, seen)
        for part in reader.shared
        for seen, left, top in [part.best(spectrum)]
    ]


def _search(view: _View, readers: Sequence[_Reader], scales: Sequence[float]) -> None:
    """Read what is clearest at any of these scales, for each key until something is found."""
    if not readers:
        return
    places: list[list[_Place]] = [[] for _ in readers]
    for factor in scales:
        scale = view.scale * factor
        spectrum = view.at(scale, scale)
        for reader, found in zip(readers, places, strict=True):
            found += _seen(reader, spectrum, scale)
    for reader, found in zip(readers, places, strict=True):
        for place in _clearest(found, _TRIED):
            closer, spectrum = _closer(view, reader.shared[place.turn], place)
            reader.read(spectrum, closer)
            if reader.found:
                break


def prepare() -> None:
    """Look at something, so that the first picture takes no longer than others."""
    grain = np.random.default_rng(1).integers(0, 256, (SMALLEST, SMALLEST), dtype=np.uint8)
    find(grain, [Sought(PUBLIC)], thorough=False)


def _clearest(places: Sequence[_Place], count: int) -> list[_Place]:
    clear = [place for place in places if place.seen >= _FAINTEST]
    return sorted(clear, key=lambda place: place.seen, reverse=True)[:count]


def _spans() -> Iterator[list[float]]:
    """Scales to try, those of slight crops first."""
    for start, end in _SPANS:
        count = math.ceil(math.log(end / start) / _STEP)
        yield [start * (end / start) ** (step / count) for step in range(count + 1)]
