"""Nodes of different versions of the protocol."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Couple
from .household import is_well
from .pictures import picture

OF_VERSIONS = """
import kinlight.protocol.messages, kinlight.protocol.session
kinlight.protocol.messages.VERSIONS = kinlight.protocol.session.VERSIONS = {}
from kinlight.node.cli import main
main()
"""
LATER, FIRST = OF_VERSIONS.format((5,)), OF_VERSIONS.format((1,))
SECOND = OF_VERSIONS.format((2, 1))


@pytest.mark.parametrize("later", ["the host", "the guest"])
def test_another_version_of_the_protocol_is_named_when_people_pair(
    couple: Couple, later: str
) -> None:
    host, guest = couple
    newer, older = (host, guest) if later == "the host" else (guest, host)
    newer.start_with((sys.executable, "-c", LATER))
    older.start()
    showing = host.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    refused = guest.run("pair", code, "--at", f"127.0.0.1:{host.port}", code=3)
    assert refused.error == "other-version"
    assert "Update the older of the two" in refused.message
    is_well(host)
    is_well(guest)


@pytest.mark.parametrize("first", ["Anna", "Bob"])
def test_a_node_of_the_first_version_shares_as_ever_and_hears_of_no_papers(
    couple: Couple, tmp_path: Path, first: str
) -> None:
    for person in couple:
        if person.name == first:
            person.start_with((sys.executable, "-c", FIRST))
        else:
            person.start()
    anna, bob = couple
    bob.run("contacts", "accept-from", "Anna", "always")
    anna.run("attest", "Bob", "role=family")
    photo = picture(tmp_path / "beach.jpg", 1)
    item = anna.run("share", photo, "--with", "Bob", "--metadata", "original").value
    assert item["state"] == "delivered"
    anna.run("revoke", item["grant"])
    assert bob.received(item["photo_id"])["name"] == "beach.jpg"
    assert bob.run("attributes").values == []
    is_well(anna)
    is_well(bob)


@pytest.mark.parametrize("second", ["Anna", "Bob"])
def test_a_node_of_the_second_version_shares_as_ever_and_signs_no_receipts(
    couple: Couple, tmp_path: Path, second: str
) -> None:
    for person in couple:
        if person.name == second:
            person.start_with((sys.executable, "-c", SECOND))
        else:
            person.start()
    anna, bob = couple
    photo = picture(tmp_path / "beach.jpg", 1)
    item = anna.run("share", photo, "--with", "Bob", "--metadata", "original").value
    assert item["state"] == "delivered"
    assert bob.received(item["photo_id"])["name"] == "beach.jpg"
    assert anna.run("receipt", item["photo_id"], code=6).error == "no-receipt"
    is_well(anna)
    is_well(bob)
