"""Two people far from each other meet by a ticket: real daemons, nothing is announced."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.node.multiaddrs import PEER_ID_PREFIX, multiaddr

from .household import Household, Person, is_well, sha256, together
from .pictures import picture

FAR = str(multiaddr("192.0.2.7", 4711, PEER_ID_PREFIX + bytes(32)))
"""Of the wide area, which is off."""


@pytest.fixture
def far(household: Household) -> Callable[[str], Person]:
    """Makes somebody whose node neither announces itself nor listens to announcements."""

    def one(name: str) -> Person:
        person = household.newcomer(name)
        person.stop()
        (person.home / "config.toml").write_text("[network]\ndiscovery = false\n")
        person.start()
        assert person.run("status").value["discovery"] == "off"
        return person

    return one


@pytest.mark.timeout(600)  # some forty commands, each a process of its own
def test_a_ticket_makes_contacts_who_share_and_ends_by_use_and_by_word(
    far: Callable[[str], Person], tmp_path: Path
) -> None:
    anna, bob, carol = together(*(lambda name=name: far(name) for name in ("Anna", "Bob", "Carol")))
    here = f"127.0.0.1:{anna.port}"

    made = anna.run("ticket", "new", "--for", "2h", "--at", here, "--at", FAR).value
    text = made["text"]
    assert made["addresses"][:2] == [here, FAR]
    assert (made["state"], made["uses"], made["used"], made["by"]) == ("open", 1, 0, [])
    assert made["expires"] - made["issued"] == 7200

    # Bob looks at it before he uses it, as it came out of a mail.
    wrapped = "\n".join(text[start : start + 72] for start in range(0, len(text), 72)).upper()
    shown = bob.run("ticket", "show", wrapped).value
    assert shown["fingerprint"] == anna.run("id").value["fingerprint"]
    assert (shown["id"], shown["state"]) == (made["id"], "valid")
    met = bob.run("pair", wrapped).value["contact"]
    (known,) = anna.run("contacts", "list").values
    assert (met["name"], known["name"]) == ("Anna", "Bob")
    assert met["safety_number"] == known["safety_number"]
    (listed,) = anna.run("ticket", "list").values
    assert (listed["state"], listed["by"], listed["text"]) == ("used-up", ["Bob"], None)

    # They share.
    bob.run("contacts", "accept-from", "Anna", "always")
    path = picture(tmp_path / "beach.jpg", 1)
    (item,) = anna.share([path], bob)
    assert item["state"] == "delivered"
    assert sha256(bob.exported(item["photo_id"], tmp_path / "bob")) == sha256(path)

    # It was for one, also after a restart and a kill.
    assert carol.run("pair", text, code=3).error == "ticket-used-up"
    anna.kill()
    anna.start()
    assert carol.run("pair", text, "--at", f"127.0.0.1:{anna.port}", code=3).error == (
        "ticket-used-up"
    )
    other = anna.run("ticket", "new", "--uses", "2", "--at", f"127.0.0.1:{anna.port}").value
    assert anna.run("ticket", "revoke", other["id"][:8]).value["state"] == "revoked"
    assert carol.run("pair", other["text"], code=3).error == "ticket-revoked"
    assert anna.run("ticket", "revoke", "0000", code=6).error == "no-such-ticket"
    assert anna.run("pair", other["text"], code=2).error == "own-ticket"
    assert carol.run("pair", other["text"][:-3], code=2).error == "invalid-ticket"
    assert carol.run("pair", other["text"], "--at", f"127.0.0.1:{bob.port}", code=3).error == (
        "ticket-unknown"
    )
    anna.stop()
    assert carol.run("pair", other["text"], code=1).error == "unreachable"
    assert carol.run("contacts", "list").values == []
    for person in (bob, carol):
        is_well(person)


def test_a_ticket_is_drawn_and_its_picture_is_for_this_user_alone(
    far: Callable[[str], Person], household: Household, tmp_path: Path
) -> None:
    anna = far("Anna")
    screen = anna.screen("ticket", "new", "--at", "anna.example:4711")
    assert "local network alone" not in screen
    assert "kinlight:ticket/" in screen
    assert "For one person" in screen
    assert "█" in screen or "too wide" in screen
    for suffix, begins in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        file = tmp_path / f"ticket{suffix}"
        anna.run("ticket", "new", "--at", "192.0.2.7:4711", "-o", file)
        assert file.read_bytes().startswith(begins)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        refused = anna.run("ticket", "new", "-o", file, code=7)
        assert refused.error == "name-taken"
    assert anna.run("ticket", "new", "-o", tmp_path / "ticket.txt", code=2).error == "usage"
    assert anna.run("ticket", "new", "--for", "soon", code=2).error == "bad-length"
    assert anna.run("ticket", "new", "--for", "31d", code=2).error == "bad-request"
    assert anna.run("ticket", "new", "--at", "nowhere", code=2).error == "bad-address"
    assert anna.run("ticket", "new", "--for", "0s", code=2).error == "bad-request"
    nowhere = tmp_path / "nowhere" / "ticket.png"
    assert anna.run("ticket", "new", "-o", nowhere, code=7).error == "unwritable"
    assert len(anna.run("ticket", "list").values) == 3
    assert "192.0.2.7" not in anna.screen("ticket", "list")

    nobody = household.person("Nobody")  # no node is needed to look at one
    text = anna.run("ticket", "new", "--at", "192.0.2.7:4711", "--no-qr").value["text"]
    assert "rightly signed" in nobody.screen("ticket", "show", text)
    assert nobody.run("ticket", "show", "-", code=2).error == "invalid-ticket"  # stdin is empty
    assert nobody.run("ticket", "show", text[:-2], code=2).error == "invalid-ticket"
    is_well(anna)
