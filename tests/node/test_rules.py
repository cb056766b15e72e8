"""The owner's rules on whole nodes: asked when something is granted, and at every fetch."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from kinlight.node.errors import BadRequestError
from kinlight.node.views import ShareItem
from kinlight.protocol.errors import BadPolicyError

from .conftest import Two
from .nodes import NOW, Clock, TestedNode
from .photographs import photograph

FAMILY = """
# What the family gets.
[[rule]]
name = "family"
effect = "allow"
attributes = { role = ["family"] }
"""
SMALL = """
[[rule]]
name = "small"
effect = "allow"
photo = { has_location = true }
rendition = { max_px = 20, location = "removed" }
"""
DIARY = """
[[rule]]
name = "diary"
effect = "deny"
photo = { albums = ["Diary"] }
"""
EVERYTHING = """
[[rule]]
name = "everything"
effect = "allow"
"""


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    """A photo with a place."""
    return photograph(tmp_path / "from" / "beach.jpg", size=(48, 32), position=(52.5, 13.4))


async def share(node: TestedNode, path: Path, metadata: str = "original") -> ShareItem:
    (item,) = await node.share(path, to="Bob", metadata=metadata)
    return item


async def test_without_rules_nothing_is_forbidden(joined: Two, beach: Path) -> None:
    assert (await share(joined.anna, beach)).state == "delivered"


async def test_what_no_rule_allows_is_not_shared_and_the_reason_is_said(
    joined: Two, beach: Path
) -> None:
    anna = joined.anna
    anna.engine.rules.put(FAMILY)
    item = await share(anna, beach)
    assert (item.state, item.code) == ("failed", "policy-denied")
    assert "no rule allows it" in (item.message or "")
    anna.engine.granting.attest("Bob", "role=family", None)
    assert (await share(anna, beach)).state == "delivered"


async def test_a_denying_rule_goes_first_and_is_named(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    anna.engine.rules.put(EVERYTHING + DIARY)
    path = photograph(tmp_path / "Diary" / "page.jpg", size=(48, 32))
    async for _ in anna.engine.collection.import_photos([path.parent], album=None, albums=True):
        pass
    item = await share(anna, path)
    assert (item.state, item.code) == ("failed", "policy-denied")
    assert "diary" in (item.message or "")


async def test_what_leaves_is_as_strict_as_the_rule_demands(joined: Two, beach: Path) -> None:
    anna = joined.anna
    anna.engine.rules.put(SMALL)
    item = await share(anna, beach)
    assert (item.state, item.policy, item.max_px) == ("delivered", "clean", 20)
    details = joined.bob.engine.photo(item.photo_id or "")
    assert (details.width, details.height) in ((None, None), (20, 13))
    (grant,) = anna.engine.granting.grants("Bob", None)
    assert (grant.max_px, grant.location) == (20, "removed")


async def test_a_command_may_ask_for_less_than_a_rule_allows(joined: Two, beach: Path) -> None:
    joined.anna.engine.rules.put(EVERYTHING)
    assert (await share(joined.anna, beach, "clean")).policy == "clean"


@pytest.mark.parametrize("demand", ['faces = "hidden"', "watermark = true"])
async def test_what_can_not_be_made_never_goes_without_it(
    joined: Two, beach: Path, demand: str
) -> None:
    joined.anna.engine.rules.put(EVERYTHING + f"rendition = {{ {demand} }}\n")
    item = await share(joined.anna, beach)
    assert (item.state, item.code) == ("failed", "rendition-not-made")
    assert not joined.bob.engine.inbox()


async def test_rules_that_changed_count_when_it_is_fetched(joined: Two, beach: Path) -> None:
    anna, bob = joined.anna, joined.bob
    await bob.engine.update_contact("Anna", accept="ask")
    item = await share(anna, beach)
    assert item.state == "waiting"
    anna.engine.rules.put(SMALL)
    bob.engine.decide(item.photo_id or "", accept=True)
    await bob.until(lambda: bob.inbox_state(item.photo_id or "") == "refused")
    assert bob.engine.inbox()[-1].code == "policy-denied"


async def test_the_hour_counts_when_it_is_fetched(joined: Two, clock: Clock, beach: Path) -> None:
    anna, bob = joined.anna, joined.bob
    await bob.engine.update_contact("Anna", accept="ask")
    here = datetime.datetime.fromtimestamp(NOW)  # noqa: DTZ006 - rules speak of local time
    later = here + datetime.timedelta(hours=1)
    hours = f'context = {{ from = "{here:%H:%M}", until = "{later:%H:%M}" }}\n'
    anna.engine.rules.put(EVERYTHING + hours)
    item = await share(anna, beach)
    assert item.state == "waiting"
    clock.time = NOW + 7200
    bob.engine.decide(item.photo_id or "", accept=True)
    await bob.until(lambda: bob.inbox_state(item.photo_id or "") == "refused")
    assert bob.engine.inbox()[-1].code == "policy-denied"


@pytest.mark.parametrize(("way", "state"), [("lan", "delivered"), ("internet", "refused")])
async def test_the_network_counts_when_it_is_fetched(
    joined: Two, beach: Path, way: str, state: str
) -> None:
    joined.anna.engine.rules.put(EVERYTHING + f'context = {{ networks = ["{way}"] }}\n')
    (connection,) = joined.anna.engine.status().connections
    assert connection.path == "lan"
    item = await share(joined.anna, beach)
    assert item.state == state


async def test_rules_are_kept_as_they_were_written_and_follow_a_renamed_contact(
    joined: Two,
) -> None:
    anna = joined.anna
    text = FAMILY + 'attested_by = ["Bob", "me"]\n'
    anna.engine.rules.put(text)
    assert anna.engine.rules.view().text == text
    await anna.restart()
    view = anna.engine.rules.view()
    assert (view.text, view.rules) == (text, ["family"])
    await anna.engine.update_contact("Bob", rename="Robert")
    renamed = anna.engine.rules.text()
    assert "Robert" in renamed
    assert '"Bob"' not in renamed
    anna.engine.rules.put("")
    assert not anna.engine.rules.there
    await anna.restart()
    assert (anna.engine.rules.text(), anna.engine.rules.there) == ("", False)


async def test_what_is_no_rule_changes_nothing(joined: Two) -> None:
    rules = joined.anna.engine.rules
    rules.put(FAMILY)
    for text in ("rule", "[[rule]]", FAMILY * 2, FAMILY + 'attested_by = ["Carl"]'):
        with pytest.raises(BadPolicyError):
            rules.put(text)
    assert rules.view().text == FAMILY


async def test_it_is_explained_why_somebody_may_have_a_photo(joined: Two, beach: Path) -> None:
    anna = joined.anna
    item = await share(anna, beach)
    explain = anna.engine.explainer.explain
    photo = item.photo_id or ""
    why = explain("Bob", photo, "view", None)
    assert (why.allowed, why.code, why.policy, why.rule) == (True, None, None, None)
    assert [grant.code for grant in why.grants] == [None]
    assert explain("Bob", photo, "reshare", None).code == "grant-other-operation"

    anna.engine.rules.put(FAMILY)
    why = explain("Bob", photo, "view", None)
    assert (why.allowed, why.code, why.policy, why.rule) == (False, "policy-denied", "deny", None)
    anna.engine.granting.attest("Bob", "role=family", None)
    why = explain("Bob", photo, "view", "lan")
    assert (why.allowed, why.policy, why.rule) == (True, "allow", "family")
    assert why.facts == [["role", "family"]]
    for operation, network in (("see", None), ("view", "wan")):
        with pytest.raises(BadRequestError):
            explain("Bob", photo, operation, network)


async def test_it_is_explained_that_nothing_was_granted(joined: Two, beach: Path) -> None:
    anna = joined.anna
    async for _ in anna.engine.collection.import_photos([beach], album=None, albums=False):
        pass
    (photo,) = anna.engine.collection.search()
    why = anna.engine.explainer.explain("Bob", photo.id, "view", None)
    assert (why.allowed, why.code, why.grants) == (False, "not-granted", [])
