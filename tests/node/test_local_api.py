"""Who may ask the local API, and what a locked node answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from kinlight.node import Node, daemon
from kinlight.node.daemon import Daemon
from kinlight.node.home import ApiAddress, Home

PASSPHRASE = "a phrase that no answer may repeat"


class Api:
    """A locked daemon in this process, and both ways to its API."""

    def __init__(self, address: ApiAddress) -> None:
        self.address = address

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None
    ) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.address.port}") as client:
            return await client.request(method, path, headers=headers, json=body)

    @property
    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.address.token}"}

    async def by_socket(self, path: str) -> httpx.Response:
        assert self.address.socket is not None
        transport = httpx.AsyncHTTPTransport(uds=self.address.socket)
        async with httpx.AsyncClient(transport=transport, base_url="http://kinlight") as client:
            return await client.get(path)


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    home = Home(tmp_path / "home")
    Node.create(home.path, passphrase=PASSPHRASE, name="Anna")
    (home.path / "config.toml").write_text("[network]\ndiscovery = false\n")
    async with Daemon.running(home):
        address = ApiAddress.load(home)
        assert address is not None
        yield Api(address)


def _code(response: httpx.Response) -> str:
    return json.loads(response.content)["error"]["code"]


async def test_loopback_answers_only_who_has_the_token(api: Api) -> None:
    assert _code(await api.ask("GET", "/v1/status")) == "token-needed"
    wrong = {"Authorization": "Bearer " + "x" * 43}
    assert _code(await api.ask("GET", "/v1/status", headers=wrong)) == "token-needed"
    assert (await api.ask("GET", "/v1/status", headers=api.token)).json()["locked"] is True


async def test_the_socket_needs_no_token_and_belongs_to_this_user_alone(api: Api) -> None:
    assert (await api.by_socket("/v1/status")).json()["locked"] is True
    assert api.address.socket is not None
    assert os.stat(api.address.socket).st_mode & 0o077 == 0  # noqa: PTH116


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
    ],
)
async def test_what_a_web_page_could_send_is_refused_even_with_the_token(
    api: Api, headers: dict[str, str]
) -> None:
    answer = await api.ask("GET", "/v1/status", headers={**api.token, **headers})
    assert _code(answer) == "foreign-request"


async def test_a_locked_node_answers_status_and_unlock_only(api: Api) -> None:
    document = (await api.ask("GET", "/openapi.json", headers=api.token)).json()
    open_paths = ("/v1/status", "/v1/unlock", "/v1/lock", "/v1/shutdown", "/v1/events")
    bodies: dict[str, Any] = {
        "/v1/pair": {},
        "/v1/share": {"paths": ["/x"], "to": ["x"]},
        "/v1/photos/{photo}/export": {"folder": "/x"},
    }
    asked = 0
    for path, methods in document["paths"].items():
        for method in methods:
            if path in open_paths:
                continue
            url = path.replace("{name}", "x").replace("{photo}", "ab")
            body: Any = bodies.get(path, {} if method == "patch" else None)
            answer = await api.ask(method.upper(), url, headers=api.token, body=body)
            assert _code(answer) == "locked", path
            asked += 1
    assert asked >= 8


async def test_a_wrong_request_is_answered_without_its_values(api: Api) -> None:
    answer = await api.ask(
        "POST", "/v1/unlock", headers=api.token, body={"passphrase": [PASSPHRASE]}
    )
    assert _code(answer) == "bad-request"
    assert PASSPHRASE not in answer.text


async def test_an_idle_connection_is_ended_and_their_number_is_bounded(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(daemon, "REQUEST_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.address.port)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 30)
    writer.close()
