"""One verdict out of signatures, C2PA and the network; what is signed comes first."""

from __future__ import annotations

import pytest
from kinlight.node import verdicts
from kinlight.node.check_wire import Region, Seen
from kinlight.node.facts import Facts

NO_SIGN = Seen("no-sign", score=0.123456, model="ab" * 32)
SIGNS = Seen("signs", score=0.99, regions=(Region(1, 2, 3, 4, 0.75),), model="ab" * 32)
UNTOLD = Seen("cannot-tell", "it is compressed too strongly")


def facts(c2pa: str = "none", code: str | None = None) -> Facts:
    return Facts("jpeg", c2pa=c2pa, c2pa_code=code)


def test_without_anything_signed_it_is_what_the_network_saw() -> None:
    for seen in (NO_SIGN, SIGNS, UNTOLD):
        verdict = verdicts.join(seen, facts())
        assert (verdict.verdict, verdict.reason) == (seen.verdict, seen.reason)
        assert [each.kind for each in verdict.evidence] == ["signature", "c2pa", "network"]
        assert (verdict.provenance.signature, verdict.provenance.c2pa) == ("none", "none")
    verdict = verdicts.join(SIGNS, facts())
    assert [(each.box, each.score) for each in verdict.regions] == [([1, 2, 3, 4], 0.75)]
    assert verdicts.join(NO_SIGN, facts()).score == 0.1235
    assert verdicts.join(UNTOLD, facts()).model is None


@pytest.mark.parametrize("seen", [NO_SIGN, SIGNS])
def test_people_are_told_which_way_a_score_goes(seen: Seen) -> None:
    *_, network = verdicts.join(seen, facts()).evidence
    assert "the higher the more like an edit" in network.text


@pytest.mark.parametrize("seen", [NO_SIGN, SIGNS, UNTOLD])
def test_a_file_that_was_changed_after_it_was_signed_bears_a_sign_whatever_the_network_saw(
    seen: Seen,
) -> None:
    verdict = verdicts.join(seen, facts("invalid", "assertion.dataHash.mismatch"))
    assert verdict.verdict == "signs"
    assert "changed after its C2PA statement was signed" in verdict.reason
    assert verdict.evidence[-1].says == seen.verdict


@pytest.mark.parametrize("seen", [NO_SIGN, SIGNS, UNTOLD])
@pytest.mark.parametrize(
    ("c2pa", "code"),
    [("invalid", "unreadable"), ("invalid", "claim.malformed"), ("valid-untrusted", None)],
)
def test_a_broken_statement_and_an_unknown_signer_change_nothing_and_are_listed(
    seen: Seen, c2pa: str, code: str | None
) -> None:
    verdict = verdicts.join(seen, facts(c2pa, code))
    assert verdict.verdict == seen.verdict
    assert verdict.evidence[1].says == c2pa
    assert (code or "nobody here vouches") in verdict.evidence[1].text


def test_against_a_signer_who_is_trusted_the_network_is_no_more_than_a_question() -> None:
    verdict = verdicts.join(SIGNS, facts("valid"))
    assert verdict.verdict == "cannot-tell"
    assert "vouches" in verdict.reason
    assert verdict.regions
    assert verdicts.join(NO_SIGN, facts("valid")).verdict == "no-sign"


def test_a_signed_photo_says_who_signed_it_and_not_that_nothing_was_done_before() -> None:
    signature = verdicts.signed_by("Anna\x1b[2J", own=False)
    verdict = verdicts.join(SIGNS, None, signature)
    assert (verdict.verdict, verdict.provenance.signature) == ("signs", "valid")
    assert "what was done before is not told" in verdict.evidence[0].text
    assert "\x1b" not in "".join(verdicts.verdict_lines(verdict))
    assert "you signed it" in verdicts.signed_by(None, own=True).text
    assert "somebody you don't know" in verdicts.signed_by(None, own=False).text


def test_no_word_that_people_read_says_fake_or_authentic() -> None:
    said = [
        line
        for seen in (NO_SIGN, SIGNS, UNTOLD)
        for c2pa in ("none", "valid", "valid-untrusted", "invalid")
        for line in verdicts.verdict_lines(verdicts.join(seen, facts(c2pa)))
    ]
    text = " ".join(said).lower()
    for word in ("fake", "forged", "authentic", "genuine", "manipulated", "real"):
        assert word not in text.split(), word
    assert verdicts.verdict_lines(verdicts.join(SIGNS, facts()))[1] == (
        "at 1, 2: 3 x 4 pixels (0.75)"
    )
    assert verdicts.short_verdict(None) == ""
