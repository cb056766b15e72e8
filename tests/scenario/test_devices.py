"""One person with three devices, by the command line: real daemons over loopback."""

from __future__ import annotations

import json

import pytest

from .household import PATIENCE, Household, Person, Value, line


def added(household: Household, by: Person, name: str, *options: str) -> tuple[Person, Value]:
    """A new machine that joins by the code which `by` shows, running."""
    new = household.person(name)
    showing = by.popen("device", "add", *options)
    code = json.loads(line(showing))["code"]
    joined = new.run(
        "device", "join", code, "--at", f"127.0.0.1:{by.port}", "--name", name,
        "--passphrase-file", new.passphrase_file,
    ).value  # fmt: skip
    seen = json.loads(line(showing))
    assert showing.wait(PATIENCE) == 0
    assert (seen["name"], seen["device"]) == (joined["name"], joined["device"])
    return new, joined


def devices(person: Person) -> dict[str, Value]:
    return {each["name"]: each for each in person.run("device", "list").values}


@pytest.mark.timeout(300)
def test_a_person_adds_names_and_revokes_devices(household: Household) -> None:
    laptop = household.newcomer("Laptop")
    phone, joined = added(household, laptop, "Phone")
    assert joined["fingerprint"] == laptop.run("id").value["fingerprint"]
    assert joined["added_by"] == "Laptop"
    assert phone.run("device", "add", code=3).error == "device-may-not"
    tablet, _ = added(household, laptop, "Tablet")
    for person in (laptop, phone, tablet):
        person.eventually(
            lambda node: node.devices(),
            lambda found: sum(each.connected for each in found) >= 1 and len(found) == 3,
        )
    assert phone.run("device", "rename", "Tablet", "Kitchen").value["name"] == "Kitchen"
    laptop.eventually(
        lambda node: node.devices(), lambda found: any(each.name == "Kitchen" for each in found)
    )
    assert laptop.run("device", "rename", "Nobody", "Else", code=6).error == "no-such-own-device"

    # The phone is lost, and everybody knows; also after a start.
    gone = laptop.run("device", "revoke", "Phone").values
    assert [each["name"] for each in gone] == ["Phone"]
    tablet.eventually(
        lambda node: node.devices(),
        lambda found: any(each.name == "Phone" and each.revoked for each in found),
    )
    phone.stop()
    phone.start()
    laptop.kill()
    laptop.start()
    assert devices(laptop)["Phone"]["revoked"]
    laptop.eventually(
        lambda node: node.devices(),
        lambda found: any(each.name == "Kitchen" and each.connected for each in found),
    )
    assert not devices(laptop)["Phone"]["connected"]

    # The words have the last word.
    restored = laptop.run(
        "device", "restore", "Phone", "--recovery-words-file", laptop.words_file
    ).value
    assert not restored["revoked"]
    allowed = tablet.run("device", "allow", "--recovery-words-file", laptop.words_file).value
    assert allowed["may_certify"]
    assert "Kitchen" in tablet.screen("device", "list")
