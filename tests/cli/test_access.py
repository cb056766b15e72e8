"""The commands about access with --json, and as a person reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import Household, Person, sha256

Neighbours = tuple[Person, Person]

SHARE_ITEM = {
    *("file", "name", "to", "state", "photo_id", "sha256", "bytes", "policy", "leaves"),
    *("left_out", "code", "message", "max_px", "watermarked", "grant", "held_by", "verdict"),
}
GRANT = {
    *(
        "hash",
        "photo",
        "of",
        "name",
        "to",
        "operations",
        "max_px",
        "watermarked",
        "location",
        "until",
        "state",
    ),
    *("created", "author", "parent", "went_to"),
}
ATTRIBUTE = {"hash", "who", "name", "value", "by", "since", "until", "state", "shown_to"}
EXPLANATION = {
    *(
        "who",
        "photo",
        "operation",
        "allowed",
        "code",
        "policy",
        "rule",
        "max_px",
        "watermarked",
        "location",
    ),
    *("facts", "grants"),
}
RULES = """
[[rule]]
name = "family"
effect = "allow"
attributes = { role = ["family"] }
rendition = { location = "removed" }
"""


@pytest.fixture
def photo_id(neighbours: Neighbours, photo: Path) -> str:
    """A photo in Anna's library; Bob takes what comes."""
    anna, bob = neighbours
    bob.run("contacts", "accept-from", "Anna", "always")
    return anna.run("import", photo, "--no-albums").value["id"]


def test_grant_grants_and_revoke(neighbours: Neighbours, photo: Path, photo_id: str) -> None:
    anna, bob = neighbours
    whole = anna.run("grant", "--who", "Bob", "--photo", photo_id[:12], "--metadata", "original")
    assert set(whole.value) == SHARE_ITEM
    assert (whole.value["state"], whole.value["sha256"]) == ("delivered", sha256(photo))
    small = anna.run("grant", "--who", "Bob", "--photo", photo_id, "--max-px", "16").value
    assert (small["state"], small["policy"], small["max_px"]) == ("delivered", "clean", 16)
    listed = anna.run("grants", "--who", "Bob", "--photo", photo_id).values
    assert [set(grant) for grant in listed] == [GRANT] * 2
    assert [(grant["max_px"], grant["location"]) for grant in listed] in (
        [(None, "kept"), (16, "removed")],
        [(16, "removed"), (None, "kept")],
    )
    screen = anna.screen("grants")
    assert "16 px, no location" in screen
    assert "original" in screen

    (taken,) = anna.run("revoke", whole.value["grant"][:12]).values
    assert set(taken) == {"hash", "kind", "what", "who"}
    assert "revoked" in anna.screen("grants")
    bob.until(
        lambda node: node.search(), lambda found: found[0].ended is not None or len(found) > 1
    )
    assert bob.run("show", photo_id, code=3).error == "grant-revoked"
    assert "Taken back" in anna.screen("revoke", "--who", "Bob", "--photo", photo_id)
    assert anna.run("revoke", "--who", "Bob", "--photo", photo_id, code=6).error == "not-granted"
    assert anna.run("revoke", code=2).error == "bad-request"


def test_a_grant_to_whoever_has_an_attribute(neighbours: Neighbours, photo_id: str) -> None:
    anna, bob = neighbours
    anna.run("attest", "Bob", "role=friend")
    having = ("grant", "--having", "role=friend", "--photo", photo_id)
    whoever, his = anna.run(*having, "--by", "me", "--max-px", "24").values
    assert set(whoever) == set(his) == SHARE_ITEM
    assert (whoever["to"], whoever["state"]) == ("role=friend by me", "open")
    assert (his["to"], his["state"], his["grant"]) == ("Bob", "delivered", whoever["grant"])
    (listed,) = (grant for grant in anna.run("grants").values if grant["state"] == "open")
    assert set(listed) == GRANT
    assert (listed["to"], listed["went_to"]) == ("role=friend by me", ["Bob"])
    screen = anna.screen(*having, "--max-px", "24")
    assert "for whoever has role=friend by me" in screen
    assert "1 contact now" in screen
    assert "open, went" in anna.screen("grants")  # the rest wraps
    anna.run("revoke", whoever["grant"][:12])
    bob.until(lambda node: node.search(), lambda found: any(item.ended for item in found))
    assert anna.run(*having, "--who", "Bob", code=2).error == "bad-request"
    assert anna.run(*having, "--by", "Dora", code=6).error == "no-such-contact"
    assert anna.run("grant", "--photo", photo_id, code=2).error == "bad-request"


def test_what_others_say_is_shown_to_whom_one_names(
    neighbours: Neighbours, household: Household
) -> None:
    anna, bob = neighbours
    carol = household.newcomer("Carol")
    household.introduce(anna, carol)
    show = ("attributes", "--show", "town=home", "--to", "Carol")
    assert anna.run(*show, code=6).error == "not-granted"
    bob.run("attest", "Anna", "town=home")
    anna.until(lambda node: node.attributes(), lambda found: any(a.by == "Bob" for a in found))
    (shown,) = anna.run(*show, "--by", "Bob").values
    assert set(shown) == ATTRIBUTE
    assert (shown["who"], shown["by"], shown["shown_to"]) == ("me", "Bob", ["Carol"])
    assert "shown to Carol" in anna.screen("attributes")
    (hidden,) = anna.run(*show, "--off").values
    assert hidden["shown_to"] == []
    assert anna.run("attributes", "--show", "town=home", code=2).error == "bad-request"


def test_attest_attributes_policy_and_explain(
    neighbours: Neighbours, photo_id: str, tmp_path: Path
) -> None:
    anna, _ = neighbours
    said = anna.run("attest", "Bob", "role=family", "--until", "30d").value
    assert set(said) == ATTRIBUTE
    assert said in anna.run("attributes", "Bob").values
    assert "role=family" in anna.screen("attributes")

    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    assert anna.run("policy", "import", rules).value["rules"] == ["family"]
    assert anna.run("policy", "export").value["text"] == RULES
    assert anna.screen("policy", "export").strip() == RULES.strip()
    question = ("explain", "--who", "Bob", "--photo", photo_id)
    why = anna.run(*question, "--network", "lan").value
    assert set(why) == EXPLANATION
    assert (why["policy"], why["rule"], why["location"]) == ("allow", "family", "removed")
    assert "Rule family: allow, as no location." in anna.screen(*question)

    (back,) = anna.run("revoke", "--attribute", "role=family", "--who", "Bob").values
    assert back["state"] == "revoked"
    assert anna.run("attest", "Bob", "role=family", "--off", code=6).error == "not-granted"
    assert anna.run(*question).value["code"] == "policy-denied"
    denied = anna.run("grant", "--who", "Bob", "--photo", photo_id, code=1).value
    assert (denied["state"], denied["code"]) == ("failed", "policy-denied")
    assert "no rule allows it" in denied["message"]

    rules.write_text("[[rule]]\n")
    assert anna.run("policy", "import", rules, code=2).error == "bad-policy"
    rules.write_text("")
    assert anna.run("policy", "import", rules).value == {
        "text": "", "rules": [], "missing_albums": [],
    }  # fmt: skip
    rules.write_text(RULES + 'photo = { albums = ["Nowhere"] }\n')
    assert anna.run("policy", "import", rules).value["missing_albums"] == ["Nowhere"]
    assert "There is no album Nowhere here yet." in anna.screen("policy", "import", rules)
    rules.write_text("")
    anna.run("policy", "import", rules)


def test_rules_are_edited_in_the_editor_of_the_user(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, _ = neighbours
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\ncat > \"$1\" <<'END'\n{RULES}END\n")
    editor.chmod(0o700)
    env = {"VISUAL": "", "EDITOR": str(editor)}
    assert anna.run("policy", "edit", env=env).value["rules"] == ["family"]
    editor.write_text("#!/bin/sh\nexit 1\n")
    assert anna.run("policy", "edit", code=2, env=env).error == "bad-request"
    assert anna.run("policy", "export").value["rules"] == ["family"]
    editor.write_text('#!/bin/sh\n: > "$1"\n')
    assert anna.run("policy", "edit", env=env).value["rules"] == []
    editor.write_text('#!/bin/sh\necho "what is this" > "$1"\n')
    mistaken = anna.run("policy", "edit", code=2, env=env)
    (kept,) = [Path(word.rstrip(";")) for word in mistaken.said.split() if "policy.toml" in word]
    assert kept.read_text() == "what is this\n"
    nobody = anna.run("policy", "edit", code=2, env={"VISUAL": "", "EDITOR": ""})
    assert nobody.error == "bad-request"
