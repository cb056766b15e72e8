# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.pairing import SLOTS
from kinlight.node.addresses import (
    Address,
    BadAddressError,
    Interface,
    parse_address,
    usable_interfaces,
)
from kinlight.node.discovery import Changed, Discovery, Event, Gone, Seen
from kinlight.node.sightings import (
    CLASS_IN,
    FLUSHED_TTL,
    MAX_ADDRESSES,
    MAX_SIGHTINGS,
    MAX_TXT_BYTES,
    SERVICE_TYPE,
    TYPE_A,
    TYPE_AAAA,
    TYPE_PTR,
    TYPE_SRV,
    TYPE_TXT,
    Sighting,
    decode_txt,
    differences,
    encode_txt,
    read_sightings,
)
from kinlight.node.surroundings import Surroundings
from zeroconf import (
    DNSAddress,
    DNSCache,
    DNSPointer,
    DNSRecord,
    DNSService,
    DNSText,
    current_time_millis,
)

OWN = "f" * 16
OTHER = "a" * 16
ETHERNET = Interface(
    "eth0",
    2,
    ("10.0.0.1",),
    ("fe80::1",),
    (ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fe80::/64")),
)
WIRELESS = Interface("wlan0", 3, ("10.0.1.1",), (), (ipaddress.ip_network("10.0.1.0/24"),))
LOOPBACK = Interface("lo", 1, ("127.0.0.1",), loopback=True)


def records(
    instance: str = OTHER,
    *addresses: str,
    port: int = 4711,
    txt: bytes = b"\x03v=1",
    scope: int | None = None,
    host: str = "host.local.",
) -> list[DNSRecord]:
    name = f"{instance}.{SERVICE_TYPE}"
    parsed = [ipaddress.ip_address(text) for text in addresses or ("10.0.0.2",)]
    return [
        DNSPointer(SERVICE_TYPE, TYPE_PTR, CLASS_IN, 4500, name),
        DNSService(name, TYPE_SRV, CLASS_IN, 120, 0, 0, port, host),
        DNSText(name, TYPE_TXT, CLASS_IN, 4500, txt),
        *(
            DNSAddress(
                host, TYPE_A if each.version == 4 else TYPE_AAAA, CLASS_IN, 120, each.packed, scope
            )
            for each in parsed
        ),
    ]


def read(
    *heard: list[DNSRecord], interfaces: tuple[Interface, ...] = (ETHERNET,)
) -> list[Sighting]:
    cache = DNSCache()
    for each in heard:
        cache.async_add_records(each)
    return list(read_sightings(cache, {}, interfaces, OWN, 4711).values())


def hosts(
    *addresses: str,
    interfaces: tuple[Interface, ...] = (ETHERNET,),
    port: int = 4711,
    scope: int | None = None,
) -> list[str]:
    sightings = read(records(OTHER, *addresses, port=port, scope=scope), interfaces=interfaces)
    return [address.host for each in sightings for address in each.addresses]


# Addresses as people write them


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7:4711", "192.0.2.7", 4711),
        ("anna-laptop.local:1", "anna-laptop.local", 1),
        ("[2001:db8::7]:65535", "2001:db8::7", 65535),
        (" [fe80::1%eth0]:4711 ", "fe80::1%eth0", 4711),
    ],
)
def test_an_address_is_read_and_written_back(text: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert address == Address(host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    ("text", "host"),
    [("fe80::1%eth0", "fe80::1%eth0"), ("[::1]", "::1"), ("192.0.2.7", "192.0.2.7")],
)
def test_the_port_may_be_left_out_where_there_is_a_default(text: str, host: str) -> None:
    assert parse_address(text, 4711) == Address(host, 4711)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":1", "host", "host:", "host:0", "host:65536", "host:x", "a b:1", "1.2.3:4"),
        *("1.2.3.256:4", "[::1]", "[::1]:0", "[nonsense]:1", "[fe80::1]:1", "[fe80::1%]:1"),
        *("[fe80::1%a b]:1", "::1:1:1", "-a:1", "a\n:1", "a\x1b[2J:1", "x" * 300 + ":1"),
        *("\u0663:1", "a:\u0663", "a..b:1", "x" * 64 + ".example:1"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadAddressError, match="This is not an address"):
        parse_address(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_that_reads_back_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddressError:
        return
    assert parse_address(str(address)) == address


# TXT records


@given(st.none() | st.sampled_from(SLOTS))
def test_a_txt_record_reads_back(slot: int | None) -> None:
    assert decode_txt(encode_txt(slot)) == (1, slot)


def test_a_txt_record_says_nothing_but_the_version_while_no_code_is_open() -> None:
    assert encode_txt(None) == b"\x03v=1"
    assert encode_txt(7) == b"\x03v=1\x06slot=7"


@given(st.binary(max_size=2 * MAX_TXT_BYTES))
def test_any_bytes_are_a_bounded_txt_record_or_none(text: bytes) -> None:
    claims = decode_txt(text)
    if claims is not None:
        version, slot = claims
        assert 0 <= version <= 999
        assert slot is None or slot in SLOTS


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        (b"\x03V=2\x07other=x", (2, None)),
        (b"\x03v=1\x03v=2", (1, None)),
        (b"\x03v=1\x08slot=\xff\xfe\xfd", (1, None)),
        (b"\x03v=1\x09slot=1000", (1, None)),
        (b"\x03v=1\x08slot=100", (1, None)),
        (b"\x03v=1\x06slot=0", (1, None)),
        (b"\x03v=1\x07slot=+7", (1, None)),
        (b"\x03v=1\x07slot=07", (1, None)),
        (b"\x03v=1\xffslot=7", (1, 7)),
        (b"", None),
        (b"\x01v", None),
        (b"\x02v=", None),
        (b"\x03v=1" + b"\x00" * (MAX_TXT_BYTES - 4), (1, None)),
        (b"\x03v=1" + b"\x00" * (MAX_TXT_BYTES - 3), None),
    ],
)
def test_a_senseless_txt_record_is_passed_over(
    text: bytes, claims: tuple[int, int | None] | None
) -> None:
    assert decode_txt(text) == claims


# What announcements claim


def test_an_announcement_becomes_a_sighting() -> None:
    heard = records(OTHER, "10.0.0.2", "fd00::2", txt=encode_txt(7))
    addresses = (Address("10.0.0.2", 4711), Address("fd00::2", 4711))
    assert read(heard) == [Sighting(OTHER, addresses, 1, 7)]


def test_the_own_instance_and_the_own_address_are_left_out() -> None:
    assert read(records(OWN)) == []
    assert hosts("10.0.0.1", "10.0.0.2") == ["10.0.0.2"]


def test_another_node_on_this_machine_has_the_same_address_and_another_port() -> None:
    assert hosts("10.0.0.1", port=4712) == ["10.0.0.1"]


def test_a_link_local_address_carries_the_link_it_was_heard_on() -> None:
    assert hosts("fe80::2", scope=2) == ["fe80::2%eth0"]
    assert hosts("fe80::2", scope=2, interfaces=(ETHERNET, WIRELESS)) == ["fe80::2%eth0"]


def test_a_link_local_address_without_a_link_counts_only_where_there_is_one_link() -> None:
    assert hosts("fe80::2") == ["fe80::2%eth0"]
    assert hosts("fe80::2", interfaces=(ETHERNET, WIRELESS)) == []


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "8.8.8.8"),
        *("::", "::1", "ff02::1", "2606:4700::1", "::ffff:8.8.8.8"),
    ],
)
def test_an_announcement_leads_nowhere_but_to_the_local_network(address: str) -> None:
    assert hosts(address) == []


def test_a_public_address_counts_on_its_own_link() -> None:
    public = Interface("eth0", 2, ("8.8.8.1",), (), (ipaddress.ip_network("8.8.8.0/24"),))
    assert hosts("8.8.8.8", "9.9.9.9", interfaces=(public,)) == ["8.8.8.8"]


def test_loopback_counts_only_where_it_is_the_meeting_place() -> None:
    assert hosts("127.0.0.1", port=4712, interfaces=(LOOPBACK,)) == ["127.0.0.1"]


def test_a_thousand_instances_are_cut_to_the_limit_and_the_known_ones_stay() -> None:
    cache = DNSCache()
    for number in range(1000):
        cache.async_add_records(records(f"{number:016x}", host=f"h{number}.local."))
    cache.async_add_records(records(OTHER))
    known = {OTHER: Sighting(OTHER, (), 1, None)}
    sightings = read_sightings(cache, known, (ETHERNET,), OWN, 4711)
    assert len(sightings) == MAX_SIGHTINGS
    assert OTHER in sightings


def test_a_thousand_addresses_are_cut_to_the_limit() -> None:
    many = [str(ipaddress.ip_address("10.0.4.0") + number) for number in range(1000)]
    assert len(hosts(*many)) == MAX_ADDRESSES


def test_a_thousand_addresses_more_push_out_none_that_were_known() -> None:
    cache = DNSCache()
    cache.async_add_records(records(OTHER, "10.0.99.2", "10.0.99.3"))
    known = read_sightings(cache, {}, (ETHERNET,), OWN, 4711)
    many = [str(ipaddress.ip_address("10.0.4.0") + number) for number in range(1000)]
    cache.async_add_records(records(OTHER, *many))
    (sighting,) = read_sightings(cache, known, (ETHERNET,), OWN, 4711).values()
    assert len(sighting.addresses) == MAX_ADDRESSES
    assert set(known[OTHER].addresses) < set(sighting.addresses)


def test_a_second_announcement_of_a_name_leads_elsewhere_as_well_and_not_instead() -> None:
    real = records(OTHER, "10.0.0.2")
    lie = records(OTHER, *(f"10.0.0.{number}" for number in range(100, 120)), host="lie.local.")
    for heard in ((real, lie), (lie, real)):
        (sighting,) = read(*heard)
        assert Address("10.0.0.2", 4711) in sighting.addresses
        assert len(sighting.addresses) == MAX_ADDRESSES


@pytest.mark.parametrize(
    "name",
    ["anna", "A" * 15, "a" * 17, "../../etc/passwd", "\x1b[2J" + "a" * 12, "a" * 15 + "é", ""],
)
def test_an_instance_with_another_kind_of_name_is_passed_over(name: str) -> None:
    assert read(records(name)) == []


def test_a_record_without_its_companions_is_no_sighting() -> None:
    for missing in range(4):
        partial = records()
        del partial[missing]
        assert read(partial) == []


def test_an_expired_announcement_is_no_sighting() -> None:
    announced = 1.0  # milliseconds of the monotonic clock: when this machine had just started
    name = f"{OTHER}.{SERVICE_TYPE}"
    stale = DNSService(name, TYPE_SRV, CLASS_IN, 1, 0, 0, 4711, "host.local.", announced)
    pointer, _, *others = records()
    assert read([pointer, stale, *others]) == []


FULL_TTL = 4500
SERVICE = f"{OTHER}.{SERVICE_TYPE}"


def pointer(ttl: int = FULL_TTL, created: float | None = None) -> DNSRecord:
    return DNSPointer(SERVICE_TYPE, TYPE_PTR, CLASS_IN, ttl, SERVICE, created)


def service(ttl: int = FULL_TTL, created: float | None = None, port: int = 4711) -> DNSRecord:
    return DNSService(SERVICE, TYPE_SRV, CLASS_IN, ttl, 0, 0, port, "host.local.", created)


def text(ttl: int = FULL_TTL, created: float | None = None, slot: int | None = None) -> DNSRecord:
    return DNSText(SERVICE, TYPE_TXT, CLASS_IN, ttl, encode_txt(slot), created)


def address(ttl: int = FULL_TTL, created: float | None = None) -> DNSRecord:
    return DNSAddress("host.local.", TYPE_A, CLASS_IN, ttl, bytes([10, 0, 0, 2]), None, created)


def test_a_flushed_record_does_not_win_although_it_looks_newer() -> None:
    """python-zeroconf keeps what was replaced, with a TTL of one second from the moment of that."""
    now = current_time_millis()
    current = [pointer(), service(created=now - 500), text(created=now - 500, slot=7), address()]
    flushed = [service(FLUSHED_TTL, now, port=4000), text(FLUSHED_TTL, now, slot=3)]
    for heard in ([*current, *flushed], [*flushed, *current]):
        (sighting,) = read(heard)
        assert (sighting.slot, sighting.addresses[0].port) == (7, 4711)


@pytest.mark.parametrize("gone", [pointer, service, text, address])
def test_of_a_node_that_says_goodbye_nothing_is_seen(gone: Callable[..., DNSRecord]) -> None:
    makers = (pointer, service, text, address)
    assert len(read([make() for make in makers])) == 1
    now = current_time_millis()
    assert read([make(FLUSHED_TTL, now) if make is gone else make() for make in makers]) == []


def test_of_a_slot_that_changes_several_times_within_a_second_the_last_one_counts() -> None:
    """All its forms stay in the cache: an announcement flushes those that are a second old."""
    now = current_time_millis()
    heard = [pointer(), service(), address()]
    for step, slot in enumerate((None, 5, 7, 8, 9)):
        heard.append(text(created=now - 900 + 200 * step, slot=slot))
        assert [each.slot for each in read(heard)] == [slot]


def test_a_slot_that_closed_stays_closed_however_often_its_old_form_is_flushed() -> None:
    now = current_time_millis()
    heard = [pointer(), service(), address(), text(created=now - 800)]
    old = [text(FLUSHED_TTL, now - 10 * slot, slot) for slot in (4, 5, 6)]
    assert [each.slot for each in read([*heard, *old])] == [None]


def test_a_service_without_a_port_is_no_sighting() -> None:
    assert read(records(port=0)) == []


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(0, 65535))
def test_whatever_a_stranger_announces_the_list_stays_well_formed(
    txt: bytes, instance: str, port: int
) -> None:
    for sighting in read(records(instance, txt=txt, port=port), records(OTHER)):
        assert len(sighting.instance) == 16
        assert 1 <= len(sighting.addresses) <= MAX_ADDRESSES


names = st.sampled_from([f"{number:016x}" for number in range(4)])
lists = st.dictionaries(names, st.integers(0, 3)).map(
    lambda slots: {name: Sighting(name, (), 1, slot) for name, slot in slots.items()}
)


@given(lists, lists)
def test_the_events_lead_from_one_list_to_the_other(
    before: dict[str, Sighting], after: dict[str, Sighting]
) -> None:
    replayed = dict(before)
    for event in differences(before, after):
        match event:
            case Gone(instance):
                del replayed[instance]
            case Seen(sighting):
                assert sighting.instance not in replayed
                replayed[sighting.instance] = sighting
            case Changed(sighting):
                assert replayed[sighting.instance] != sighting
                replayed[sighting.instance] = sighting
    assert replayed == after


# Two nodes on this machine, over its own interfaces


class Events:
    """The events of one node; `until` waits for one that fits."""

    def __init__(self, discovery: Discovery) -> None:
        self._events = discovery.events()

    async def until(self, fits: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(30):
            async for event in self._events:
                if fits(event):
                    return event
        raise AssertionError("discovery was closed")


class Start(Protocol):
    async def __call__(self, port: int, interfaces: Sequence[str] | None = None) -> Discovery: ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    if not usable_interfaces() and not usable_interfaces(["lo"]):
        pytest.skip("no interface of this machine can carry multicast")
    started: list[Discovery] = []
    surroundings = Surroundings()
    surroundings.start()

    async def one(port: int, interfaces: Sequence[str] | None = None) -> Discovery:
        discovery = Discovery(port, interfaces, surroundings=surroundings)
        started.append(discovery)
        await discovery.start()
        return discovery

    yield one
    await surroundings.close()
    for discovery in started:
        await discovery.close()


def seen(instance: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Seen) and event.sighting.instance == instance


async def test_two_nodes_on_one_machine_find_each_other(start: Start) -> None:
    first = await start(4711)
    second = await start(4712)
    for here, there, port in ((first, second, 4712), (second, first, 4711)):
        event = await Events(here).until(seen(there.instance))
        assert isinstance(event, Seen)
        assert {address.port for address in event.sighting.addresses} == {port}
        assert here.state == "mdns"
        assert here.reason is None


async def test_two_nodes_find_each_other_over_loopback_alone(start: Start) -> None:
    if not usable_interfaces(["lo"]):
        pytest.skip("loopback cannot carry multicast here")
    first = await start(4711, interfaces=["lo"])
    second = await start(4712, interfaces=["lo"])
    event = await Events(second).until(seen(first.instance))
    assert isinstance(event, Seen)
    assert event.sighting.addresses == (Address("127.0.0.1", 4711),)


async def test_a_pairing_slot_is_seen_while_it_is_open(start: Start) -> None:
    host, guest = await start(4711), await start(4712)
    events = Events(guest)
    await events.until(seen(host.instance))
    await host.announce_slot(7)
    await events.until(lambda event: isinstance(event, Changed) and event.sighting.slot == 7)
    await host.announce_slot(None)
    await events.until(lambda event: isinstance(event, Changed) and event.sighting.slot is None)


async def test_a_node_that_says_goodbye_is_gone(start: Start) -> None:
    leaving, staying = await start(4711), await start(4712)
    events = Events(staying)
    await events.until(seen(leaving.instance))
    await leaving.close()
    await events.until(lambda event: event == Gone(leaving.instance))
    assert leaving.instance not in {each.instance for each in staying.sightings()}


async def test_the_events_end_when_discovery_is_closed(start: Start) -> None:
    discovery = await start(4711)
    reading = asyncio.create_task(Events(discovery).until(lambda _: False))
    await discovery.close()
    with pytest.raises(AssertionError, match="closed"):
        await reading
    assert discovery.state == "blocked"


async def test_every_start_has_names_of_its_own() -> None:
    drawn = itertools.count()
    here = Surroundings()
    first = Discovery(4711, surroundings=here, token_hex=lambda size: f"{next(drawn):0{2 * size}x}")
    assert first.instance == "0" * 16
    others = [Discovery(4711, surroundings=here).instance for _ in range(2)]
    assert len(set(others)) == 2


async def test_an_interface_that_does_not_exist_blocks_discovery_and_raises_nothing(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="kinlight")
    discovery = await start(4711, interfaces=["no-such0"])
    assert discovery.state == "blocked"
    assert "no-such0: there is no such interface" in (discovery.reason or "")
    assert len(caplog.records) == 2


@pytest.mark.parametrize("slot", [-1, 0, 100])
async def test_a_slot_out_of_range_is_refused(slot: int) -> None:
    with pytest.raises(ValueError, match="slot"):
        await Discovery(4711, surroundings=Surroundings()).announce_slot(slot)


def test_a_sighting_can_be_shown_as_json() -> None:
    assert json.dumps(dataclasses.asdict(read(records())[0]))
