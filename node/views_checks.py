"""Signs of editing, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Region:
    """An area that looks edited: `box` is left, top, width and height in pixels of the upright
    picture, `score` 0 to 1.
    """

    box: list[int]
    score: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is signed: `signature` is `valid` of a photo that is here and `none` of a file, which
    carries none; `c2pa` is `none`, `valid`, `valid-untrusted` or `invalid`.
    """

    signature: str
    c2pa: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that a verdict rests on. `kind` is `signature`, `c2pa` or `network`, `says` one
    word of it, and `text` a sentence for people.
    """

    kind: str
    says: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a picture bears signs of having been edited; `evidence` comes strongest first.

    `verdict` is `no-sign`, `signs` or `cannot-tell`. Signatures and C2PA go before what the network
    saw. No sign proves nothing, and a sign is a reason to look. `score` (0 to 1, the higher the
    more like an edit; no probability) is None if the network was not asked, and so is `model`, the
    SHA-256 of its weights. `reason` says why it can't tell, or what goes before the network.
    `seconds` is how long it took and `checked` when that was (None of a file).
    """

    verdict: str
    score: float | None
    reason: str
    regions: list[Region]
    provenance: Provenance
    model: str | None
    seconds: float
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    checked: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The verdict on a file, or why it was refused: then `code` says so, and the verdict is
    `cannot-tell`. `map` is where the map was written, if one was asked for and could be made.
    """

    file: str
    verdict: Verdict
    map: str | None = None
    code: str | None = None
