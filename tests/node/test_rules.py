"""The owner's rules on whole nodes: asked when something is granted, and at every fetch."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from kinlight.node.errors import BadRequestError
from kinlight.node.grants import Terms
from kinlight.node.inbox import Inbox
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.errors import BadPolicyError, PolicyDeniedError, UnmadeRenditionError
from kinlight.protocol.rendition import Rendition

from .conftest import Picture, Two
from .nodes import NOW, Clock, TestedNode
from .photographs import photograph
from .test_grants import fetched, granted, imported
from .test_revoking import apart, back

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


async def test_an_album_in_a_rule_is_the_same_in_any_case(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    path = photograph(tmp_path / "Diary" / "page.jpg", size=(48, 32))
    photo = await imported(anna, path.parent)
    anna.engine.rules.put(EVERYTHING + DIARY.replace('"Diary"', '"DIARY"'))
    assert (await share(anna, path)).code == "policy-denied"
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert (why.rule, why.facts) == ("diary", [["albums", "diary"]])


async def test_the_same_bytes_under_another_name_are_in_the_same_albums(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    path = photograph(tmp_path / "Diary" / "page.jpg", size=(48, 32))
    await imported(anna, path.parent)
    other = tmp_path / "harmless.jpg"
    shutil.copy(path, other)
    assert (await share(anna, other)).state == "delivered"
    anna.engine.rules.put(EVERYTHING + DIARY)
    for metadata in ("original", "clean"):
        assert (await share(anna, other, metadata)).code == "policy-denied"


async def test_a_copy_is_in_the_albums_of_all_that_it_was_made_of(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    plain = photograph(tmp_path / "plain" / "page.jpg", size=(48, 32))
    diary = photograph(tmp_path / "Diary" / "page.jpg", size=(48, 32), position=(52.5, 13.4))
    photo = await imported(anna, diary.parent)
    copy = (await granted(anna, photo, "Bob", max_px=20)).photo_id or ""
    whole = await anna.engine.export(copy, tmp_path / "out", keep_both=False)
    anna.engine.rules.put(EVERYTHING + DIARY)
    assert anna.parts.catalogue.albums_of(bytes.fromhex(copy)) == ["Diary"]
    assert (await share(anna, Path(whole.path))).code == "policy-denied"
    assert (await share(anna, plain)).state == "delivered"


@pytest.mark.parametrize("effect", ["allow", "deny"])
async def test_of_what_can_not_be_read_it_is_not_known_whether_it_tells_its_place(
    joined: Two, picture: Picture, effect: str
) -> None:
    placed = "true" if effect == "deny" else "false"
    rule = f'[[rule]]\nname = "place"\neffect = "{effect}"\nphoto = {{ has_location = {placed} }}\n'
    anna = joined.anna
    anna.engine.rules.put(rule + (EVERYTHING if effect == "deny" else ""))
    path = picture("raw.dng")
    assert (await share(anna, path)).code == "policy-denied"
    plain = photograph(path.parent / "plain.jpg", size=(48, 32))
    assert (await share(anna, plain)).state == "delivered"
    # It is a JPEG for all who skip what is before it, and none by its first bytes.
    placed_photo = photograph(path.parent / "a.jpg", size=(48, 32), position=(52.5, 13.4))
    path.write_bytes(bytes(16) + placed_photo.read_bytes())
    assert (await share(anna, path)).code == "policy-denied"
    refused = bytearray(placed_photo.read_bytes())
    frame = refused.find(b"\xff\xc0")
    refused[frame + 5 : frame + 9] = b"\xff" * 4  # larger than any picture may be
    path.write_bytes(refused)
    assert (await share(anna, path)).code == "policy-denied"


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


async def test_what_can_not_be_made_never_goes_without_it(joined: Two, beach: Path) -> None:
    joined.anna.engine.rules.put(EVERYTHING + 'rendition = { faces = "hidden" }\n')
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


async def test_what_was_queued_is_asked_about_before_it_is_offered(
    joined: Two, tmp_path: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    path = photograph(tmp_path / "Diary" / "page.jpg", size=(48, 32))
    other = photograph(tmp_path / "from" / "other.jpg", size=(48, 32))
    await imported(anna, path.parent)
    await apart(joined)
    await anna.share_one(path, "Bob", wait=False)
    free = await anna.share_one(other, "Bob", wait=False)
    anna.engine.rules.put(EVERYTHING + DIARY)
    await back(joined)
    await anna.until(lambda: anna.delivery_state(free.photo_id or "") == "delivered")
    assert [offer.photo_id.hex() for offer in bob.parts.library.offers()] == [free.photo_id]
    found = anna.engine.granting.grants("Bob", None)
    assert sorted(grant.state for grant in found) == ["delivered", "refused"]
    (refused,) = [
        delivery
        for grant in found
        for delivery in anna.engine.photo(grant.photo).deliveries
        if delivery.state == "refused"
    ]
    assert refused.code == "policy-denied"


async def test_what_ended_in_the_queue_is_not_offered(
    joined: Two, beach: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = joined.anna
    came: list[object] = []

    def note(*offer: object) -> None:
        came.append(offer)

    monkeypatch.setattr(Inbox, "offered", note)
    await apart(joined)
    item = await anna.share_one(beach, "Bob", wait=False, until=NOW + 60)
    clock.time = NOW + 60
    await back(joined)
    await anna.until(lambda: anna.delivery_state(item.photo_id or "") == "refused")
    (delivery,) = anna.engine.photo(item.photo_id or "").deliveries
    assert (delivery.code, came) == ("grant-expired", [])


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


async def test_albums_in_rules_that_are_not_here_are_told(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    anna.engine.rules.put(EVERYTHING + DIARY)
    assert anna.engine.rules.view().missing_albums == ["Diary"]
    path = photograph(tmp_path / "DIARY" / "page.jpg", size=(48, 32))
    await imported(anna, path.parent)
    assert anna.engine.rules.view().missing_albums == []


async def test_it_is_explained_that_a_grant_demands_what_can_not_be_made_as_a_fetch_says(
    joined: Two, beach: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    photo = bytes.fromhex(await imported(anna, beach))
    device, audience = anna.parts.device, Audience("identity", bob.identity)
    caveats = Terms(Rendition(faces_hidden=True)).caveats(photo)
    grant = Capability.grant(device.signing, device.identity, audience, caveats, bytes(16))
    anna.parts.grants.add(photo, bob.identity, grant, NOW)
    with pytest.raises(UnmadeRenditionError):
        await fetched(joined, photo, grant)
    why = anna.engine.explainer.explain("Bob", photo.hex(), "view", None)
    assert (why.allowed, why.code) == (False, "rendition-not-made")
    assert [judged.code for judged in why.grants] == ["rendition-not-made"]


async def test_it_is_explained_that_nothing_was_granted(joined: Two, beach: Path) -> None:
    anna = joined.anna
    async for _ in anna.engine.collection.import_photos([beach], album=None, albums=False):
        pass
    (photo,) = anna.engine.collection.search()
    why = anna.engine.explainer.explain("Bob", photo.id, "view", None)
    assert (why.allowed, why.code, why.grants) == (False, "not-granted", [])


async def test_it_is_explained_that_what_was_granted_is_more_than_the_rules_allow_now(
    joined: Two, beach: Path
) -> None:
    anna = joined.anna
    photo = await imported(anna, beach)
    given = await granted(anna, photo, "Bob", metadata="original")
    anna.engine.rules.put(SMALL)
    (grant,) = anna.parts.grants.find(bytes.fromhex(given.photo_id or ""))
    with pytest.raises(PolicyDeniedError):
        await fetched(joined, bytes.fromhex(photo), grant.capability)
    for network in (None, "lan", "internet"):
        why = anna.engine.explainer.explain("Bob", photo, "view", network)
        assert (why.allowed, why.code, why.policy) == (False, "policy-denied", "allow")
        assert [judged.code for judged in why.grants] == ["policy-denied"]
    await granted(anna, photo, "Bob", max_px=20)
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert (why.allowed, why.code) == (True, None)
    assert {judged.code for judged in why.grants} == {"policy-denied", None}
