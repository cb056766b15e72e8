"""One verdict out of all that is known of a picture: who signed it, C2PA, what the network saw.

What is signed goes before what a network guesses. A signature says that nothing was changed since
it was made, and nothing of what was done before; the network says nothing of who did what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import names, views_checks

if TYPE_CHECKING:
    from .check_wire import Seen
    from .facts import Facts

CHANGED: Final = frozenset(
    {
        "assertion.dataHash.mismatch", "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch", "assertion.collectionHash.mismatch",
    }
)  # fmt: skip
"""Failures (C2PA specification, "Validation status codes") that say that the picture is not the one
that was signed. Others are about the statement itself, which may just be broken."""

NO_SIGNATURE: Final = views_checks.Evidence(
    "signature", "none", "a file carries no signature of kinlight"
)
WORDS: Final = {
    "no-sign": "no sign of editing",
    "signs": "signs of editing",
    "cannot-tell": "can't tell",
}
"""A verdict for people."""
_SCORE: Final = "the higher the more like an edit"
"""People take a score beside `no sign` for how sure that is; it goes the other way."""
_C2PA: Final = {
    "none": "it has no C2PA statement",
    "valid": "its C2PA statement holds, and its signer is trusted",
    "valid-untrusted": "its C2PA statement holds, by a signer for whom nobody here vouches",
    "invalid": "its C2PA statement does not hold",
}


def signed_by(author: str | None, *, own: bool) -> views_checks.Evidence:
    """That a photo which is here is as its author's device signed it; None is no contact."""
    who = "you" if own else names.shown(author or "somebody you don't know")
    text = f"every byte is as it was when {who} signed it; what was done before is not told"
    return views_checks.Evidence("signature", "valid", text)


def join(
    seen: Seen,
    facts: Facts | None,
    signature: views_checks.Evidence = NO_SIGNATURE,
    *,
    seconds: float = 0.0,
    checked: int | None = None,
) -> views_checks.Verdict:
    """The verdict on a picture of which the decoder told `facts`."""
    c2pa, code = ("none", None) if facts is None else (facts.c2pa, facts.c2pa_code)
    verdict, reason = _outranked(seen, c2pa, code)
    return views_checks.Verdict(
        verdict=verdict,
        score=None if seen.score is None else round(seen.score, 4),
        reason=reason,
        regions=[
            views_checks.Region(
                [each.left, each.top, each.width, each.height], round(each.score, 4)
            )
            for each in seen.regions
        ],
        provenance=views_checks.Provenance(signature.says, c2pa),
        model=seen.model or None,
        seconds=seconds,
        evidence=[
            signature,
            views_checks.Evidence("c2pa", c2pa, _C2PA[c2pa] + (f" ({code})" if code else "")),
            views_checks.Evidence("network", seen.verdict, _of_network(seen)),
        ],
        checked=checked,
    )


def _outranked(seen: Seen, c2pa: str, code: str | None) -> tuple[str, str]:
    """The verdict and its reason: the network's, unless C2PA knows better."""
    if c2pa == "invalid" and code in CHANGED:
        return "signs", "the file was changed after its C2PA statement was signed"
    if c2pa == "valid" and seen.verdict == "signs":
        return "cannot-tell", (
            "there are signs of editing, and a signer who is trusted vouches for the picture as it"
            " is: the C2PA statement may tell what was done"
        )
    return seen.verdict, seen.reason


def _of_network(seen: Seen) -> str:
    if seen.verdict == "cannot-tell":
        return f"{WORDS[seen.verdict]}: {seen.reason}"
    text = WORDS[seen.verdict]
    if seen.regions:
        areas = "one area" if len(seen.regions) == 1 else f"{len(seen.regions)} areas"
        text += f" in {areas}"
    return text if seen.score is None else f"{text} (score {seen.score:.2f}, {_SCORE})"


# For people.


def verdict_lines(verdict: views_checks.Verdict) -> list[str]:
    """A verdict for people: what it comes to, where, and what it rests on."""
    word = WORDS[verdict.verdict]
    found = [f"{word}: {verdict.reason}" if verdict.reason else word]
    for region in verdict.regions:
        left, top, width, height = region.box
        found.append(f"at {left}, {top}: {width} x {height} pixels ({region.score:.2f})")
    found += [f"{evidence.kind}: {evidence.text}" for evidence in verdict.evidence]
    return found


def short_verdict(verdict: views_checks.Verdict | None) -> str:
    """A verdict in a list."""
    return "" if verdict is None else WORDS[verdict.verdict]
