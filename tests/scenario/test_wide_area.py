from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from kinlight.node import Node
from kinlight.node.multiaddrs import Multiaddr, multiaddr

from .household import Household, Person, is_well, line

WIDE = "[network]\ndiscovery = false\n\n[wide]\non = true\nupnp = false\n"


def beyond(household: Household, name: str, settings: str = WIDE) -> Person:
    """Somebody who announces nothing and is in the wide area."""
    person = household.person(name)
    person.make()
    person.stop()
    (person.home / "config.toml").write_text(settings)
    person.start()
    return person


def address_of(person: Person) -> str:
    """On loopback, so that the test depends on no network."""

    async def addresses(node: Node) -> list[str]:
        return (await node.status()).wide_addresses

    found = person.until(addresses, bool)
    shown = Multiaddr.parse(found[0])
    return str(multiaddr("127.0.0.1", shown.endpoint.port, shown.peer))


def paths(person: Person) -> list[str]:
    return [link["path"] for link in person.run("status").value["connections"]]


def pair(host: Person, guest: Person) -> None:
    """By a code, at an address of the wide area."""
    showing = host.popen("pair")
    code = json.loads(line(showing))["code"]
    guest.run("pair", code, "--at", address_of(host))
    json.loads(line(showing))
    assert showing.wait(60) == 0


def until_connected(person: Person, path: str) -> None:
    async def links(node: Node) -> list[str]:
        return [link.path for link in (await node.status()).connections]

    person.until(links, lambda found: path in found)


def test_two_who_met_in_the_wide_area_share_a_photo_there(
    household: Household, tmp_path: Path
) -> None:
    anna, bob = beyond(household, "Anna"), beyond(household, "Bob")
    pair(anna, bob)
    bob.run("contacts", "accept-from", "Anna", "always")
    until_connected(bob, "direct")
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(bytes(range(256)) * 20_000)
    (item,) = anna.run("share", photo, "--with", "Bob", "--metadata", "original").values
    assert item["state"] == "delivered"
    bob.has_whole({item["photo_id"]: photo}, tmp_path / "out")
    assert paths(anna) == paths(bob) == ["direct"]
    screen = anna.screen("status")
    assert "The wide area is on." in screen
    assert "direct" in screen

    # Both remember: after a restart nobody types an address again.
    anna.stop()
    bob.stop()
    anna.start()
    bob.start()
    until_connected(anna, "direct")


def test_a_ticket_makes_contacts_in_the_wide_area(household: Household, tmp_path: Path) -> None:
    anna, bob = beyond(household, "Anna"), beyond(household, "Bob")
    address = address_of(anna)
    made = anna.run("ticket", "new", "--at", address).value
    assert made["addresses"][0] == address
    shown = anna.run("status").value["wide_addresses"]
    assert set(made["addresses"]) >= set(shown[:2])
    # At this address alone, so that it can't be the local network by which they meet.
    bob.run("pair", made["text"], "--at", address)
    bob.run("contacts", "accept-from", "Anna", "always")
    until_connected(bob, "direct")
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(bytes(range(256)) * 5_000)
    (item,) = anna.run("share", photo, "--with", "Bob", "--metadata", "original").values
    assert item["state"] == "delivered"
    bob.has_whole({item["photo_id"]: photo}, tmp_path / "out")
    assert paths(anna) == paths(bob) == ["direct"]
    is_well(anna)
    is_well(bob)


def test_a_contact_of_the_local_network_is_reached_in_the_wide_area(
    household: Household,
) -> None:
    anna, bob = beyond(household, "Anna"), beyond(household, "Bob")
    household.introduce(anna, bob)
    address = address_of(anna)
    bob.run("contacts", "reach", "Anna", address)
    assert paths(bob) in (["lan"], ["direct"])  # of two links as young either stays
    false = str(
        multiaddr(
            "127.0.0.1",
            Multiaddr.parse(address).endpoint.port,
            bytes.fromhex("002408011220") + bytes(32),
        )
    )
    assert bob.run("contacts", "reach", "Anna", false, code=1).error == "unreachable"
    relayed = f"{address}/p2p-circuit/p2p/{address.rpartition('/')[2]}"  # Anna relays for nobody
    assert bob.run("contacts", "reach", "Anna", relayed, code=1).error == "unreachable"
    assert (
        bob.run("contacts", "reach", "Anna", "/ip4/127.0.0.1/tcp/1", code=2).error == "bad-address"
    )


def test_with_the_wide_area_off_its_addresses_are_refused_with_the_reason(
    household: Household,
) -> None:
    anna = beyond(household, "Anna")
    bob = beyond(household, "Bob", "[network]\ndiscovery = false\n")
    household.introduce(anna, bob)
    answer = bob.run("contacts", "reach", "Anna", address_of(anna), code=1)
    assert answer.error == "wide-area-off"
    answer = bob.run("pair", "7-maple-orbit", "--at", address_of(anna), code=1)
    assert answer.error == "wide-area-off"
    status = bob.run("status").value
    assert (status["wide"], status["wide_addresses"]) == ("off", [])
    assert bob.run("contacts", "list").values


def test_the_wide_area_and_relaying_are_turned_on_and_off_by_a_command(
    household: Household,
) -> None:
    fred = beyond(household, "Fred", "[wide]\nupnp = false\n")
    found = fred.run("wide").value
    assert (found["state"], found["addresses"], found["relaying"]) == ("off", [], False)
    found = fred.run("relay").value
    assert (found["state"], found["relaying"]) == ("on", True)
    assert found["addresses"]
    assert fred.run("relay", "--status").value == fred.run("wide").value == found
    assert "nobody yet" in fred.screen("relay", "--status")
    assert found["addresses"][0] in fred.screen("wide")
    fred.stop()
    fred.start()

    async def state(node: Node) -> str:
        return (await node.wide()).state

    fred.until(state, lambda word: word == "on")
    assert fred.run("wide").value["relaying"]
    assert not fred.run("relay", "--off").value["relaying"]
    assert fred.run("wide", "--off").value["state"] == "off"
    assert "is off" in fred.screen("wide")
    assert fred.run("relay", "--off", "--status", code=2).error == "bad-request"
    settings = (fred.home / "config.toml").read_text()
    (fred.home / "config.toml").write_text("wide = {on = false}\n")
    assert fred.run("wide", "--on", code=1).error == "bad-config"
    (fred.home / "config.toml").write_text(settings)
    is_well(fred)


def test_a_taken_port_is_named_and_the_local_network_goes_on(household: Household) -> None:
    anna = beyond(household, "Anna")
    port = Multiaddr.parse(address_of(anna)).endpoint.port
    bob = beyond(household, "Bob", f"{WIDE}port = {port}\n")

    async def state(node: Node) -> str:
        return (await node.status()).wide

    bob.until(state, lambda found: found == "failed")
    assert "in use" in bob.run("status").value["wide_reason"]
    household.introduce(anna, bob)
    until_connected(bob, "lan")


def test_who_turns_it_on_in_vain_is_told_by_the_exit_code(household: Household) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        anna = beyond(household, "Anna", f"[network]\ndiscovery = false\n\n[wide]\nport = {port}\n")
        for words in (("wide", "--on"), ("relay",)):
            failed = anna.run(*words, code=1).value
            assert failed["state"] == "failed"
            assert f"port {port} is in use" in failed["reason"]
        assert anna.run("wide").value["state"] == "failed"  # to look is no failure
    assert anna.run("wide", "--on").value["state"] == "on"
    is_well(anna)


def test_by_whom_contacts_are_looked_up_is_said_by_a_command(household: Household) -> None:
    friend, anna = beyond(household, "Friend"), beyond(household, "Anna")
    assert not anna.run("wide").value["lookup"]
    found = friend.run("wide", "--lookup").value
    assert (found["lookup"], found["bootstraps"]) == (True, [])
    address = address_of(friend)
    found = anna.run("wide", "--bootstrap", address).value
    assert (found["lookup"], [each["address"] for each in found["bootstraps"]]) == (True, [address])
    anna.ask(lambda node: until_known(node, 1))
    assert "It takes part in look-ups, with 1 other node." in anna.screen("wide")
    assert anna.run("status").value["wide_bootstraps"] == [{"address": address, "reason": None}]

    for words in (("--off", "--lookup"), ("--off", "--bootstrap", address)):
        assert anna.run("wide", *words, code=2).error == "bad-request"
    assert anna.run("wide", "--no-lookup", "--bootstrap", address, code=2).error == "bad-request"
    assert anna.run("wide", "--bootstrap", "192.0.2.7:1", code=2).error == "bad-address"
    found = anna.run("wide", "--no-lookup").value
    assert (found["lookup"], found["state"]) == (False, "on")
    assert "look-ups" not in anna.screen("wide")
    # Whom it named is not forgotten.
    found = anna.run("wide", "--lookup").value
    assert [each["address"] for each in found["bootstraps"]] == [address]
    for person in (anna, friend):
        is_well(person)


async def until_known(node: Node, count: int) -> None:
    """Wait until so many nodes are known; no event tells of it."""
    while (await node.wide()).known != count:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
