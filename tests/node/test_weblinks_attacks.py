"""Who is in the same network and has no link, or one and means harm: what the page gives away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from kinlight.node import http_server, weblink_server, weblink_serving, weblink_site
from kinlight.node.library import StoredBlob
from kinlight.node.views_weblinks import WebLink
from kinlight.node.weblink_serving import BUFFERED_BYTES, Granted, Serving
from kinlight.node.weblink_site import Patience
from kinlight.protocol import limits, weblink

from .conftest import Picture, Start
from .link_visitor import Visitor, base
from .nodes import PATIENCE, TestedNode, eventually
from .test_weblinks import linked, visitor

SDP = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


@pytest.fixture
async def link(anna: TestedNode, picture: Picture) -> WebLink:
    return await linked(anna, picture(), count=5)


@pytest.fixture
async def stranger(link: WebLink) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=visitor(link).origin) as client:
        yield client


PATHS = (
    "/", "/v1/status", "/v1/photos", "/metrics", "/openapi.json", "/docs", "/s/",
    "/s/page.html", "/s/../weblinks.py", "/s/%2e%2e/weblinks.py", "/s/..%2fweblinks.py",
    "/s//etc/passwd", "/s/page.js/../../api.py", "/s/noble-ciphers", "/l/",
    "/l/../../etc/passwd", "/L/x", "/s/page.js%00", "/favicon.ico", "//s/page.js",
)  # fmt: skip


async def test_there_is_nothing_but_the_page(link: WebLink) -> None:
    authority = visitor(link).origin.removeprefix("http://")
    host, port = authority.split(":")
    for path in PATHS:
        reader, writer = await asyncio.open_connection(host, int(port))
        # By hand: clients tidy up paths before they send them.
        request = f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        assert answer.split()[1] == b"404", path
        assert b"root:" not in answer
        assert b"import" not in answer


async def test_other_methods_do_nothing(link: WebLink, stranger: httpx.AsyncClient) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        for path in (visitor(link).path, f"{visitor(link).path}/offer"):
            assert (await stranger.request(method, path)).status_code == 404


async def test_a_page_that_names_itself_otherwise_gets_nothing(
    link: WebLink, stranger: httpx.AsyncClient
) -> None:
    path = visitor(link).path
    for host in ("attacker.example", "attacker.example:80", "127.0.0.1", "[::1]:1", ""):
        response = await stranger.get(path, headers={"Host": host})
        assert response.status_code in (400, 421), host
    for origin in ("http://attacker.example", "null", "https://127.0.0.1"):
        response = await visitor(link).post({}, Origin=origin)
        assert response.status_code == 403
    body = visitor(link).body(SDP)
    form = await stranger.post(f"{path}/offer", content=json.dumps(body), headers={
        "Content-Type": "text/plain"
    })  # fmt: skip
    assert form.json()["error"]["code"] == "link-offer"


async def test_every_answer_forbids_what_the_page_does_not_need(
    link: WebLink, stranger: httpx.AsyncClient
) -> None:
    for path in (visitor(link).path, "/s/page.js", "/l/nothing", "/nothing"):
        headers = (await stranger.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "set-cookie" not in headers
        assert "server" not in headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
    page = (await stranger.get(visitor(link).path)).text
    assert "http" not in page.replace("(https)", "")
    assert "onclick" not in page
    assert "<style" not in page


async def test_guesses_of_tokens_are_few_and_find_nothing(
    link: WebLink, stranger: httpx.AsyncClient
) -> None:
    codes = [
        (await stranger.get(f"/l/{base(bytes([number]) * 16)}/state")).json()["error"]["code"]
        for number in range(weblink_site.WRONG_EACH + 5)
    ]
    assert codes[: weblink_site.WRONG_EACH] == ["link-unknown"] * weblink_site.WRONG_EACH
    assert set(codes[weblink_site.WRONG_EACH :]) == {"link-busy"}
    assert len(visitor(link).path) == len("/l/") + 22  # 128 bits


async def test_guesses_of_keys_are_few_and_count_no_opening(
    anna: TestedNode, link: WebLink
) -> None:
    wrong = Visitor(f"{(link.url or '').split('#')[0]}#{base(bytes(32))}")
    codes = [
        (await wrong.post(wrong.body(SDP))).json()["error"]["code"]
        for _ in range(weblink_site.WRONG_EACH + 3)
    ]
    assert codes[0] == "link-key"
    assert codes[-1] == "link-busy"
    assert anna.engine.weblinks.list()[0].used == 0


async def test_a_flood_of_offers_is_cut_off_and_starts_nothing(
    anna: TestedNode, link: WebLink
) -> None:
    bad = visitor(link)
    answers = await asyncio.gather(
        *(bad.post(bad.body(SDP)) for _ in range(weblink_site.OFFERS_EACH + 4))
    )
    codes = [answer.json()["error"]["code"] for answer in answers]
    assert codes.count("link-offer") == weblink_site.OFFERS_EACH
    assert codes.count("link-busy") == 4
    assert anna.engine.weblinks.list()[0].used == 0
    assert not anna.engine.weblinks.rtc_loaded


NO_OFFERS: tuple[Any, ...] = (
    None, [], "x", {"visit": 1}, {"visit": "A" * 22, "tag": "A" * 43, "offer": 5},
    {"visit": "A" * 21, "tag": "A" * 43, "offer": "x"},
    {"visit": "A" * 22, "tag": "é" * 43, "offer": "x"},
    {"visit": "A" * 22, "tag": "A" * 43, "offer": "\ud800"},
    {"visit": "A" * 22, "tag": "A" * 43, "offer": "x" * 3 * limits.LINK_OFFER_BYTES},
)  # fmt: skip


async def test_what_is_no_offer_is_refused(link: WebLink) -> None:
    for body in NO_OFFERS:
        response = await visitor(link).post(body)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "link-offer", body


async def test_an_offer_that_proves_the_key_and_is_hostile_is_refused(
    anna: TestedNode, link: WebLink
) -> None:
    for offer in (SDP, "v=0\r\n" * 2000, "m=audio 9 X\r\n", "\x00", "a=" + "x" * 15_000):
        who = visitor(link)
        response = await who.post(who.body(offer))
        assert response.json()["error"]["code"] == "link-offer", offer[:20]
    assert anna.engine.weblinks.list()[0].used == 0


async def test_an_offer_that_is_replayed_is_of_no_use_without_its_certificate(
    anna: TestedNode, link: WebLink
) -> None:
    from aiortc import RTCConfiguration, RTCPeerConnection

    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.createDataChannel("kinlight")
    await connection.setLocalDescription(await connection.createOffer())
    who = visitor(link)
    body = who.body(connection.localDescription.sdp)
    await connection.close()
    for _ in range(2):
        assert "answer" in (await who.post(body)).json()
    assert anna.engine.weblinks.list()[0].used == 1  # one visit, however often it is said


async def test_nothing_but_this_machine_is_sent_anything(link: WebLink) -> None:
    sent: set[str] = set()
    looked_up = list[object]()
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching:
            return
        # To connect a datagram socket sends nothing: addresses are looked up so.
        stream = event == "socket.connect" and arguments[0].type == socket.SOCK_STREAM
        if stream or event == "socket.sendto":
            sent.add(arguments[1][0])
        elif event == "socket.getaddrinfo":
            looked_up.append(arguments[0])

    sys.addaudithook(watch)
    try:
        async with visitor(link).connected() as channel:
            await channel.photo((await channel.list())["photos"][0], 0)
    finally:
        watching = False
    here = {"127.0.0.1", *_own_addresses()}
    assert sent & here
    assert sent <= here
    assert set(looked_up) <= {"127.0.0.1", b"127.0.0.1"}


def _own_addresses() -> set[str]:
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    return {ip if isinstance(ip, str) else ip[0] for ip in found}


# Those who take their time.


async def test_connections_of_one_address_are_few_and_end(
    link: WebLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weblink_server, "CONNECTIONS_EACH", 3)
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.1)
    host, port = visitor(link).origin.removeprefix("http://").split(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(6)]
    async with asyncio.timeout(PATIENCE):
        for reader, writer in opened:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()


async def test_a_message_without_end_ends_the_visit(anna: TestedNode, link: WebLink) -> None:
    async with visitor(link).connected() as channel:
        # The node says that it takes less; who means harm does not care.
        channel.channel.transport._remote_max_message_size = 0  # pyright: ignore[reportPrivateUsage]
        channel.channel.send(bytes(64_000_000))
        # Here it is over. That the other side hears so rides on a datagram, which may be lost.
        visits = anna.parts.weblinks._rtc._inside  # pyright: ignore[reportPrivateUsage]
        assert visits is not None
        await eventually(lambda: not visits._live)  # pyright: ignore[reportPrivateUsage]
    # It was never whole, else it would have been answered.
    assert channel.messages.empty()
    assert anna.engine.weblinks.list()[0].state == "open"


class _Slow:
    """A channel that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self.room = asyncio.Event()

    def send(self, data: bytes) -> None:
        self.waiting += len(data)
        self.most = max(self.most, self.waiting)

    async def drained(self) -> None:
        if self.waiting >= BUFFERED_BYTES:
            async with asyncio.timeout(weblink_serving.STALLED_SECONDS):
                await self.room.wait()


async def test_a_page_that_reads_slowly_costs_no_memory_and_one_that_stalls_is_let_go(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weblink_serving, "STALLED_SECONDS", 0.2)
    link = await linked(anna, picture("large.bin", 12_000_000))
    photo = anna.parts.library.photo(bytes.fromhex(anna.engine.collection.search()[0].id))
    assert photo is not None
    assert link.photos == 1
    stored = anna.parts.library.blob(photo.record.content_id)
    assert stored is not None

    async def served(_number: int) -> StoredBlob:
        return stored

    async def listing() -> bytes:
        return b""

    channel = _Slow()
    serving = Serving(channel, Granted(listing, served, anna.parts.blobs, lambda: None))
    serving.hear(weblink.ask_pieces(0, 0, 40))
    async with asyncio.timeout(PATIENCE):
        await serving.run()
    assert BUFFERED_BYTES <= channel.most < BUFFERED_BYTES + 2 * limits.LINK_PART_BYTES


def test_patience_is_counted_by_address_and_in_all_and_comes_back() -> None:
    now = 0.0
    patience = Patience(2, 3, lambda: now)
    for _ in range(2):
        assert patience.has("a")
        patience.count("a")
    assert not patience.has("a")
    patience.count("b")
    assert not patience.has("c")  # in all
    now = weblink_site.WINDOW_SECONDS
    assert patience.has("a")
    crowded = Patience(2, 10**9, lambda: now)
    for number in range(weblink_site.SOURCES):
        crowded.count(str(number))
    assert not crowded.has("one more")
