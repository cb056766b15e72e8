"""What a router, or who answers in its place, may say when it is asked for a port."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from kinlight.node import own_python, upnp
from kinlight.node.addresses import Address
from kinlight.node.upnp import Forwarding

from .nodes import eventually


def says(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """The child prints that, whatever it is asked."""

    def command(module: str, function: str, *arguments: str) -> list[str]:
        assert (module, function, arguments[0]) in (
            ("upnp_child", "main", "map"),
            ("upnp_child", "main", "unmap"),
        )
        return [sys.executable, "-I", "-S", "-c", f"print({answer!r}, end='')"]

    monkeypatch.setattr(own_python, "command", command)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "nonsense",
        "[]",
        "7",
        '{"host": "203.0.113.1"}',
        '{"host": 7, "port": 4711, "more": 0}',
        '{"host": "router.example", "port": 4711}',
        '{"host": "0.0.0.0", "port": 4711}',
        '{"host": "224.0.0.1", "port": 4711}',
        '{"host": "127.0.0.1", "port": 4711}',
        '{"host": "fe80::1", "port": 4711}',
        '{"host": "2001:db8::1%\\u001b[2J/x", "port": 4711}',
        "[" * 1024,
        '{"host": "203.0.113.1", "port": 0}',
        '{"host": "203.0.113.1", "port": 65536}',
        '{"host": "203.0.113.1", "port": true}',
        '{"host": "203.0.113.1", "port": ' + "1" * 2000 + "}",
    ],
)
async def test_what_is_no_address_is_none(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    says(monkeypatch, answer)
    forwarding = Forwarding(lambda _: None)
    keeping = asyncio.create_task(forwarding.keep(4711))
    await eventually(lambda: forwarding.reason is not None)
    assert forwarding.reason == "the router is not understood"
    assert forwarding.outside is None
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_router_behind_another_one_leads_nobody_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says(monkeypatch, json.dumps({"host": "100.64.0.9", "port": 4712}))
    forwarding = Forwarding(lambda _: None)
    keeping = asyncio.create_task(forwarding.keep(4711))
    await eventually(lambda: forwarding.reason is not None)
    assert (forwarding.outside, forwarding.reason) == (
        None,
        "the router is behind another one itself",
    )
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_an_address_is_told_and_taken_back_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says(monkeypatch, json.dumps({"host": "203.0.113.1", "port": 4712}))
    told: list[Address | None] = []
    keeping = asyncio.create_task(Forwarding(told.append).keep(4711))
    await eventually(lambda: bool(told))
    assert told == [Address("203.0.113.1", 4712)]
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert told[1:] == [None]


async def test_when_the_router_has_gone_so_has_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upnp, "RENEW_SECONDS", 0.05)
    says(monkeypatch, json.dumps({"host": "203.0.113.1", "port": 4712}))
    forwarding = Forwarding(lambda _: None)
    keeping = asyncio.create_task(forwarding.keep(4711))
    await eventually(lambda: forwarding.outside is not None)
    says(monkeypatch, json.dumps({"reason": "no router here opens ports (UPnP)"}))
    await eventually(lambda: forwarding.outside is None)
    assert forwarding.reason == "no router here opens ports (UPnP)"
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
