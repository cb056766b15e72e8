"""The local API as anything on this machine may find it: on its socket and on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kinlight.crypto.errors import WrongPassphraseError
from kinlight.crypto.secret import Secret
from kinlight.node import http_server
from kinlight.node.daemon import Daemon
from kinlight.node.engine import Engine
from kinlight.node.errors import AlreadyRunningError, NoHomeError
from kinlight.node.home import ApiAddress, Home
from kinlight.node.node import Node
from kinlight.node.photo_errors import NoSuchPhotoError

from .nodes import PASSPHRASE, PATIENCE, eventually, make_home
from .photographs import photograph

PHRASE = PASSPHRASE.reveal().decode()
ANSWERED_LOCKED = {
    *("/v1/status", "/v1/unlock", "/v1/lock", "/v1/shutdown", "/v1/events", "/metrics"),
}
ANY_BODY: dict[str, dict[str, object]] = {
    "/v1/backup": {"file": "/x"},
    "/v1/recovery/check-words": {"recovery_words": "x"},
    "/v1/guardians/split": {"recovery_words": "x", "guardians": ["x"], "need": 2},
    "/v1/unlock": {"passphrase": "x"},
    "/v1/pair": {},
    "/v1/recovery/begin": {"recovery_words": "x"},
    "/v1/devices/meet": {"code": "7-maple-orbit"},
    "/v1/devices/allow": {"recovery_words": "x"},
    "/v1/devices/pin": {"photos": []},
    "/v1/devices/unpin": {"photos": []},
    "/v1/devices/bring-back": {"photos": []},
    "/v1/devices/{device}/rename": {"name": "x"},
    "/v1/devices/{device}/restore": {"recovery_words": "x"},
    "/v1/tickets": {"seconds": 60},
    "/v1/links": {"paths": [], "seconds": 60},
    "/v1/drops": {"name": "x", "accept": "ask"},
    "/v1/drops/{drop}/accept-from": {"accept": "ask"},
    "/v1/contacts/{name}": {},
    "/v1/contacts/{name}/reach": {"at": "192.0.2.1:4711"},
    "/v1/share": {"paths": [], "to": []},
    "/v1/trace": {"paths": []},
    "/v1/grants": {"to": []},
    "/v1/delegations": {"photos": [], "to": []},
    "/v1/receipts/list": {"photo": "x"},
    "/v1/policy": {"text": ""},
    "/v1/explain": {"who": "x", "photo": "x"},
    "/v1/attributes": {"who": "x", "attribute": "a=b"},
    "/v1/attributes/off": {"who": "x", "attribute": "a=b"},
    "/v1/attributes/shown": {"attribute": "a=b", "to": "x"},
    "/v1/photos/{photo}/export": {"folder": "/tmp"},
    "/v1/library/import": {"paths": []},
    "/v1/library/tag": {"photos": []},
    "/v1/folders/mirror": {"source": "x", "folder": "/tmp"},
    "/v1/folders/watch": {"folder": "/tmp"},
    "/v1/folders/{kind}/off": {"folder": "/tmp"},
    "/v1/shared-albums": {"name": "x"},
    "/v1/shared-albums/{album}/rename": {"name": "x"},
    "/v1/shared-albums/{album}/invite": {"contact": "x"},
    "/v1/shared-albums/{album}/remove": {"who": "x"},
    "/v1/shared-albums/{album}/drop": {"device": "x"},
    "/v1/shared-albums/{album}/photos/{photo}/comment": {"text": "x"},
    "/v1/shared-albums/{album}/photos/{photo}/caption": {"text": "x"},
    "/v1/shared-albums/{album}/photos/{photo}/place": {"place": "x"},
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", "Anna")[0]


@pytest.fixture
async def daemon(home: Home) -> AsyncGenerator[Daemon]:
    """A locked one."""
    async with Daemon.running(home) as running:
        yield running


@pytest.fixture
def address(daemon: Daemon) -> ApiAddress:
    found = ApiAddress.load(daemon.home)
    assert found is not None
    return found


def by_port(address: ApiAddress, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{address.port}",
        headers=headers,
        trust_env=False,
        timeout=PATIENCE,
    )


def by_socket(address: ApiAddress, **headers: str) -> httpx.AsyncClient:
    assert address.socket is not None
    transport = httpx.AsyncHTTPTransport(uds=address.socket)
    return httpx.AsyncClient(
        transport=transport, base_url="http://kinlight", headers=headers, timeout=PATIENCE
    )


def bearer(address: ApiAddress) -> dict[str, str]:
    return {"Authorization": f"Bearer {address.token}"}


def code_of(response: httpx.Response) -> str:
    """The error's code; its body has exactly the form that is promised."""
    body: dict[str, Any] = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert response.status_code >= 400
    return body["error"]["code"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Pictures


async def test_a_preview_is_a_jpeg_that_no_browser_keeps(home: Home, tmp_path: Path) -> None:
    file = photograph(tmp_path / "beach.jpg", size=(48, 32))
    async with Daemon.running(home, PASSPHRASE), Node.connect(home.path) as node:
        steps = [step async for step in node.import_steps([file])]
        assert steps
        (item,) = await node.search()
        address = ApiAddress.load(home)
        assert address is not None
        async with by_port(address, **bearer(address)) as client:
            for name in ("preview", "thumbnail"):
                response = await client.get(f"/v1/photos/{item.id}/{name}")
                assert response.headers["content-type"] == "image/jpeg"
                assert response.headers["cache-control"] == "no-store"
                assert response.content == await node.rendition(item.id, name)
                assert response.content.startswith(b"\xff\xd8\xff")
            assert code_of(await client.get("/v1/photos/ffff/preview")) == "no-such-photo"
        with pytest.raises(NoSuchPhotoError):
            await node.rendition("ffff", "preview")
        status = await node.status()
        assert status.sandbox not in (None, "off")
        assert {"pillow", "libheif"} <= status.libraries.keys()


# Who may ask


async def test_both_ways_are_for_this_user_only(address: ApiAddress, daemon: Daemon) -> None:
    assert address.socket is not None
    path = Path(address.socket)
    assert [mode(each) for each in (path, path.parent, daemon.home.api)] == [0o600, 0o700, 0o600]


async def test_on_loopback_the_token_is_needed(address: ApiAddress) -> None:
    wrong = ["", "Bearer", "Bearer x", f"Bearer {address.token[:-1]}", f"Basic {address.token}",
             address.token, f"bearer {address.token}", "Bearer \xff"]  # fmt: skip
    async with by_port(address) as client:
        assert code_of(await client.get("/v1/status")) == "token-needed"
        for value in wrong:
            headers = {"Authorization": value.encode("latin-1")}
            response = await client.get("/v1/status", headers=headers)  # type: ignore[arg-type]
            assert code_of(response) == "token-needed"
        answer = await client.get("/v1/status", headers=bearer(address))
        assert answer.status_code == 200


async def test_every_route_needs_it(address: ApiAddress) -> None:
    async with by_port(address) as client:
        for method, path in [("GET", "/"), ("GET", "/openapi.json"), ("POST", "/v1/shutdown"),
                             ("GET", "/nowhere")]:  # fmt: skip
            assert code_of(await client.request(method, path)) == "token-needed"


async def test_on_the_socket_no_token_is_needed(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        assert (await client.get("/v1/status")).json()["locked"] is True


@pytest.mark.parametrize(
    "host",
    ["example.com", "example.com:80", "127.0.0.1.example.com", "kinlight.example.com", "",
     "127.0.0.2", "0.0.0.0", "[::2]", "localhost.", "127.0.0.1@example.com", "evil#127.0.0.1"],
)  # fmt: skip
async def test_a_name_that_was_bent_to_this_machine_is_refused(
    address: ApiAddress, host: str
) -> None:
    """DNS rebinding: the browser sends the attacker's host name to 127.0.0.1."""
    for client in (by_port(address, **bearer(address)), by_socket(address)):
        async with client:
            response = await client.get("/v1/status", headers={"Host": host})
            assert response.status_code in (400, 403)
            if response.status_code == 403:
                assert code_of(response) == "foreign-request"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80"])
async def test_this_machines_own_names_are_let_through(address: ApiAddress, host: str) -> None:
    async with by_port(address, **bearer(address)) as client:
        assert (await client.get("/v1/status", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1", ""])
async def test_whatever_a_web_page_asks_is_refused(address: ApiAddress, origin: str) -> None:
    for client in (by_port(address, **bearer(address)), by_socket(address)):
        async with client:
            for method in ("GET", "POST", "OPTIONS"):
                response = await client.request(method, "/v1/status", headers={"Origin": origin})
                assert code_of(response) == "foreign-request"
                assert "access-control-allow-origin" not in response.headers


async def test_idle_connections_are_bounded_and_let_go(
    address: ApiAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.1)
    idle = [await asyncio.open_connection("127.0.0.1", address.port) for _ in range(8)]
    for reader, _ in idle:
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    for _, writer in idle:
        writer.close()
    async with by_port(address, **bearer(address)) as client:
        assert (await client.get("/v1/status")).status_code == 200


# What a locked node answers


async def test_a_locked_node_answers_status_metrics_and_unlock_and_nothing_else(
    address: ApiAddress,
) -> None:
    async with by_socket(address) as client:
        document = (await client.get("/openapi.json")).json()
        tried = 0
        for path, methods in document["paths"].items():
            for method in methods:
                if path in ANSWERED_LOCKED:
                    continue
                known = path.replace("{kind}", "watch").replace("{rendition}", "preview")
                url = re.sub(r"{\w+}", "abc", known)
                response = await client.request(
                    method.upper(), url, json=ANY_BODY.get(path, {}) if method != "get" else None
                )
                first = json.loads(response.text.splitlines()[0])
                assert first["error"]["code"] == "locked", path
                tried += 1
        assert tried >= 9
        assert (await client.get("/v1/status")).json()["locked"] is True


async def test_it_is_unlocked_by_the_pass_phrase_and_locked_again(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        refused = await client.post("/v1/unlock", json={"passphrase": "open sesame"})
        assert (code_of(refused), refused.status_code) == ("wrong-passphrase", 423)
        assert (await client.post("/v1/unlock", json={"passphrase": PHRASE})).json() == {"ok": True}
        assert (await client.get("/v1/id")).json()["name"] == "Anna"
        assert (await client.post("/v1/lock")).json() == {"ok": True}
        assert code_of(await client.get("/v1/id")) == "locked"


# Forms


async def test_the_api_describes_itself(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        document = (await client.get("/openapi.json")).json()
        assert document["info"]["title"] == "kinlight"
        for methods in document["paths"].values():
            for method in methods.values():
                assert method["description"]
        for page in ("/docs", "/redoc"):
            assert (await client.get(page)).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/unlock", {"passphrase": {"deep": "hunter2"}}),
        ("/v1/unlock", {"passphrase": ["hunter2"]}),
        ("/v1/unlock", {"recovery_words": 7, "passphrase": ["hunter2"]}),
        ("/v1/unlock", ["hunter2"]),
        ("/v1/unlock", "hunter2"),
        ("/v1/unlock", {"recovery_words": "hunter2 hunter2"}),
        ("/v1/unlock", {}),
        ("/v1/pair", {"code": ["hunter2"]}),
        ("/v1/share", {"paths": "hunter2", "to": "hunter2"}),
        ("/v1/share", {"until": "hunter2"}),
        ("/v1/photos/abc/export", {"folder": 3, "keep_both": "hunter2"}),
    ],
)
async def test_what_is_not_understood_is_named_and_never_quoted(
    address: ApiAddress, path: str, body: object
) -> None:
    async with by_socket(address) as client:
        response = await client.post(path, json=body)
        assert code_of(response) in ("bad-request", "wrong-words")
        assert "hunter2" not in response.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"hunter2", b"\xff\xfe", b'{"passphrase": "hunter2']
)
async def test_what_is_no_json_is_a_bad_request_and_not_quoted(
    address: ApiAddress, content: bytes
) -> None:
    async with by_socket(address) as client:
        response = await client.post(
            "/v1/unlock", content=content, headers={"Content-Type": "application/json"}
        )
        assert code_of(response) == "bad-request"
        assert "hunter2" not in response.text


async def test_a_path_that_does_not_exist_is_not_found(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        for method, path, status in [
            ("GET", "/v1/nowhere", 404), ("GET", "/v1/unlock", 405), ("GET", "/v1/contacts/", 404),
            ("GET", "/v1/photos//preview", 404), ("POST", "/v1/inbox//accept", 404),
        ]:  # fmt: skip
            response = await client.request(method, path)
            assert (code_of(response), response.status_code) == ("bad-request", status), path


async def test_what_goes_wrong_unexpectedly_is_logged(
    address: ApiAddress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(_engine: Engine) -> None:
        raise ZeroDivisionError("of somebody's")

    monkeypatch.setattr(Engine, "identity", break_down)
    async with by_socket(address) as client:
        assert code_of(await client.get("/v1/id")) == "internal"
        await client.get("/v1/photos//preview")
    broken, unknown = (r for r in caplog.records if r.name == "kinlight.node.api")
    assert broken.exc_info is not None
    assert broken.exc_info[0] is ZeroDivisionError
    assert unknown.getMessage() == "a GET request fits nothing here: 404"


@pytest.mark.parametrize(
    ("method", "path", "body", "possible"),
    [
        ("GET", "/v1/photos/ffff/huge", None, "rendition is preview or thumbnail"),
        ("POST", "/v1/photos/ffff/export", {"folder": "/", "rendition": "huge"},
         "rendition is preview or thumbnail"),
        ("PATCH", "/v1/contacts/bob", {"metadata": "hunter2"},
         "metadata is original, no-location or clean"),
        ("PATCH", "/v1/contacts/bob", {"accept": "hunter2"}, "accept is ask or always"),
        ("POST", "/v1/library/search", {"near": "hunter2"}, "near is a latitude and a longitude"),
        ("POST", "/v1/library/search", {"near": ["hunter2", 2]}, "near is a latitude and"),
    ],
)  # fmt: skip
async def test_a_value_that_can_not_be_is_answered_with_those_that_can(
    address: ApiAddress, method: str, path: str, body: object, possible: str
) -> None:
    async with by_socket(address) as client:
        response = await client.request(method, path, json=body)
    assert (code_of(response), response.status_code) == ("bad-request", 400)
    assert possible in response.text
    assert "hunter2" not in response.text


async def test_each_kind_of_error_has_a_status(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        await client.post("/v1/unlock", json={"passphrase": PHRASE})
        for path, code, status in [
            ("/v1/contacts/nobody", "no-such-contact", 404),
            ("/v1/photos/zz", "no-such-photo", 404),
        ]:
            response = await client.get(path)
            assert (code_of(response), response.status_code) == (code, status)
        response = await client.post("/v1/inbox/ff/accept")
        assert (code_of(response), response.status_code) == ("no-such-photo", 404)


async def test_the_error_of_a_stream_is_its_last_line(address: ApiAddress) -> None:
    async with by_socket(address) as client:
        await client.post("/v1/unlock", json={"passphrase": PHRASE})
        response = await client.post("/v1/pair", json={"code": "7-maple"})
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert lines[-1]["error"]["code"] == "invalid-code"
        response = await client.post(
            "/v1/share", json={"paths": ["/x"], "to": ["nobody"], "metadata": "original"}
        )
        assert json.loads(response.text)["error"]["code"] == "no-such-contact"


async def test_a_fault_of_ours_is_an_internal_error_without_its_text(
    address: ApiAddress, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> object:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(daemon.engine, "identity", fail)
    async with by_socket(address) as client:
        response = await client.get("/v1/id")
        assert (code_of(response), response.status_code) == ("internal", 500)
        assert "hunter2" not in response.text


async def test_a_code_is_closed_when_who_asked_for_it_is_gone(
    address: ApiAddress, daemon: Daemon
) -> None:
    async with by_socket(address) as client:
        await client.post("/v1/unlock", json={"passphrase": PHRASE})
    for _ in range(2):  # the second one would be refused while the first is open
        async with (
            by_socket(address) as client,
            client.stream("POST", "/v1/pair", json={}) as response,
        ):
            line = json.loads(await anext(response.aiter_lines()))
            assert line["type"] == "PairingCode"
        opened = daemon.engine._unlocked()  # pyright: ignore[reportPrivateUsage]
        await eventually(lambda opened=opened: opened.peers.window is None)


# The daemon


async def test_a_second_daemon_of_the_same_home_is_refused(daemon: Daemon) -> None:
    with pytest.raises(AlreadyRunningError):
        async with Daemon.running(daemon.home):
            pass
    async with Node.connect(daemon.home.path) as node:
        assert (await node.status()).locked


async def test_a_daemon_needs_a_node(tmp_path: Path) -> None:
    with pytest.raises(NoHomeError):
        async with Daemon.running(Home(tmp_path)):
            pass
    assert not Home(tmp_path).log.parent.exists()


async def test_what_a_killed_daemon_left_is_replaced(home: Home) -> None:
    path = home.socket()
    assert path is not None
    path.write_bytes(b"")
    home.api.write_text("{}")
    async with Daemon.running(home), Node.connect(home.path) as node:
        assert (await node.status()).locked
    assert not path.exists()
    assert not home.api.exists()


async def test_shutdown_ends_the_daemon(daemon: Daemon, address: ApiAddress) -> None:
    async with by_socket(address) as client:
        assert (await client.post("/v1/shutdown")).json() == {"ok": True}
    await asyncio.wait_for(daemon.wait(), PATIENCE)


async def test_a_wrong_pass_phrase_at_the_start_leaves_nothing_behind(home: Home) -> None:
    with pytest.raises(WrongPassphraseError):
        async with Daemon.running(home, Secret(b"open sesame")):
            pass
    assert ApiAddress.load(home) is None
    with home.lock():
        pass
