"""Nodes of different versions of the protocol."""

from __future__ import annotations

import json
import sys

import pytest

from .conftest import Couple
from .household import is_well

LATER_VERSION = """
import kinlight.protocol.messages, kinlight.protocol.session
kinlight.protocol.messages.VERSION = kinlight.protocol.session.VERSION = 2
from kinlight.node.cli import main
main()
"""


@pytest.mark.parametrize("later", ["the host", "the guest"])
def test_another_version_of_the_protocol_is_named_when_people_pair(
    couple: Couple, later: str
) -> None:
    host, guest = couple
    newer, older = (host, guest) if later == "the host" else (guest, host)
    newer.start_with((sys.executable, "-c", LATER_VERSION))
    older.start()
    showing = host.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    refused = guest.run("pair", code, "--at", f"127.0.0.1:{host.port}", code=3)
    assert refused.error == "other-version"
    assert "Update the older of the two" in refused.message
    is_well(host)
    is_well(guest)
