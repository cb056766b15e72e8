"""What people are told of a ticket that they made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinlight.node import printing_tickets, printing_wide
from kinlight.node.multiaddrs import PEER_ID_PREFIX, multiaddr
from kinlight.node.printing import Output
from kinlight.node.views import WideArea
from kinlight.node.views_contacts import Ticket

HOME = "192.168.1.7:4711"
TICKET = Ticket(
    id="ab" * 8, state="open", issued=0, expires=3600, uses=1, used=0, by=[], name=None,
    addresses=[HOME], relays=[], text="kinlight:ticket/aa",
)  # fmt: skip


def said_of(ticket: Ticket, capsys: pytest.CaptureFixture[str]) -> str:
    printing_tickets.made(Output(as_json=False), ticket, qr=False)
    return capsys.readouterr().out


@pytest.mark.parametrize("addresses", [[HOME], []])
def test_who_makes_a_ticket_that_leads_nowhere_from_afar_is_told(
    addresses: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_of(replace(TICKET, addresses=addresses), capsys)
    assert "this local network alone" in said
    assert "kinlight wide --on" in said


def test_nothing_is_said_where_one_address_leads_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert "alone" not in said_of(replace(TICKET, addresses=[HOME, "anna.example:4711"]), capsys)


@pytest.mark.parametrize(("host", "warned"), [("192.168.1.7", True), ("8.8.8.8", False)])
def test_who_is_behind_a_router_is_told_what_to_do_with_the_addresses(
    host: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    address = str(multiaddr(host, 4711, PEER_ID_PREFIX + bytes(32)))
    area = WideArea("on", None, [address], relaying=True, reachable=[], circuits=0, bytes_relayed=0)
    for printed in (printing_wide.wide, printing_wide.relay):
        printed(Output(as_json=False), area)
        said = capsys.readouterr().out
        assert address in said
        assert ("Behind a router" in said) is warned
