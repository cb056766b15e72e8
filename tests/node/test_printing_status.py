"""What `kinlight status` says about who is connected, by which way, and about who is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinlight.node import times
from kinlight.node.printing_status import MAX_ABSENT, absent_line, connection_line, status_lines
from kinlight.node.views import Absent, Bootstrap, Clock, Connection, Status

from .nodes import NOW

ANNA = Connection("Anna", "lan", "192.168.1.7:4711", "eth0", NOW - 200)
BOB = Absent("Bob", NOW - 7200, "192.168.1.9:4711", NOW - 5, "no-answer")
STATUS = Status(
    "0.2.0", 1, "/home", locked=False, name="Carol", port=4711, discovery="mdns", nodes_seen=1,
    clock=Clock(NOW, NOW), connections=[ANNA], absent=[BOB],
)  # fmt: skip


def text(status: Status) -> str:
    return "\n".join(line for line, _ in status_lines(status))


def test_a_connection_is_shown_with_its_way_and_its_age() -> None:
    assert "  Anna  lan  192.168.1.7:4711 via eth0  3 min" in text(STATUS).splitlines()
    unknown = replace(ANNA, interface=None)
    assert connection_line(unknown, NOW) == "Anna  lan  192.168.1.7:4711  3 min"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86_400, "1 d"), (900_000, "10 d")],
)
def test_a_length_of_time_is_shown_in_its_largest_unit(seconds: int, shown: str) -> None:
    assert times.lasted(seconds) == shown


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("no-answer", "; no answer at 192.168.1.9:4711"),
        ("refused", "; nobody listens at 192.168.1.9:4711"),
        ("somebody-else", "; somebody else answers at 192.168.1.9:4711"),
        ("reached", ""),
        (None, ""),
    ],
)
def test_who_is_absent_is_shown_with_the_last_try_in_words(outcome: str | None, words: str) -> None:
    line = absent_line(replace(BOB, outcome=outcome))
    assert line == f"Bob  not connected, last here {times.shown(NOW - 7200)}{words}"


def test_a_name_from_elsewhere_can_not_take_over_the_screen() -> None:
    assert "\x1b" not in absent_line(replace(BOB, contact="\x1b[2J"))
    assert "\x1b" not in connection_line(replace(ANNA, contact="\x1b[2J"), NOW)


def test_of_many_who_are_absent_some_are_shown_and_the_rest_are_counted() -> None:
    many = [replace(BOB, contact=f"Bob {number}") for number in range(MAX_ABSENT + 3)]
    shown = text(replace(STATUS, absent=many))
    assert f"Bob {MAX_ABSENT - 1}" in shown
    assert f"Bob {MAX_ABSENT}" not in shown
    assert "And 3 more are not" in shown


@pytest.mark.parametrize(
    ("seen", "connections", "words"),
    [
        (2, [ANNA], "2 other nodes in sight"),
        (0, [], "nobody is there, or this network blocks multicast"),
        (0, [ANNA], "this network seems to block multicast"),
        (0, [replace(ANNA, path="direct")], "nobody is there, or this network blocks multicast"),
    ],
)
def test_what_discovery_can_know_is_said_and_no_more(
    seen: int, connections: list[Connection], words: str
) -> None:
    assert words in text(replace(STATUS, nodes_seen=seen, connections=connections))


def test_nobody_is_missed_before_it_looked() -> None:
    alone = replace(STATUS, nodes_seen=0, connections=[], looking=True)
    assert "Looking for other nodes on this network." in text(alone)
    assert "in sight" not in text(alone)
    assert "1 other node in sight" in text(replace(alone, nodes_seen=1))


def test_a_bootstrap_that_can_not_be_asked_is_named_with_the_reason() -> None:
    dead = Bootstrap("/ip4/192.0.2.9/tcp/1/p2p/12D3Koo", "nothing listens there")
    good = Bootstrap("/ip4/192.0.2.10/tcp/1/p2p/12D3Koo", None)
    shown = text(replace(STATUS, wide="on", wide_bootstraps=[dead, good]))
    assert f"{dead.address} can't be asked: nothing listens there. It is tried again." in shown
    assert good.address not in shown


def test_the_wide_area_is_told_of_only_where_it_is_on() -> None:
    assert "wide area" not in text(STATUS)
    on = replace(STATUS, wide="on", wide_addresses=["/ip4/192.0.2.7/tcp/1/p2p/12D3Koo"])
    assert "The wide area is on. Contacts reach this node at\n  /ip4/192.0.2.7/" in text(on)
    assert "about to start" in text(replace(STATUS, wide="starting"))
    failed = replace(STATUS, wide="failed", wide_reason="Address already in use")
    assert "does not work: Address already in use." in text(failed)
