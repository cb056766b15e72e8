"""A process that does nothing but discovery: a JSON object a line for each event and log line.

Commands on standard input: `slot N`, `slot`, `state`, `close`; with `--step` also `look`, which
lets the next look at the interfaces happen (otherwise one comes every `--interval` seconds).
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import sys
from typing import Any

from kinlight.node.discovery import Discovery, Gone
from kinlight.node.surroundings import Surroundings


def say(kind: str, **values: Any) -> None:
    print(json.dumps({"kind": kind, **values}), flush=True)


class Tell(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say("log", level=record.levelname, logger=record.name, text=record.getMessage())


async def tell_events(discovery: Discovery) -> None:
    async for event in discovery.events():
        if isinstance(event, Gone):
            say("gone", instance=event.instance)
        else:
            say(type(event).__name__.lower(), **dataclasses.asdict(event.sighting))


async def obey(discovery: Discovery, looks: asyncio.Queue[None]) -> None:
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        match line:
            case ["slot", number]:
                await discovery.announce_slot(int(number))
            case ["slot"]:
                await discovery.announce_slot(None)
            case ["look"]:
                looks.put_nowait(None)
            case ["state"]:
                names = [each.name for each in discovery.interfaces]
                say("state", state=discovery.state, reason=discovery.reason, interfaces=names)
            case _:
                return


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=4711)
    parser.add_argument("--interface", action="append")
    parser.add_argument("--interval", type=float, default=0.1)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--host-ttl", type=int, default=120)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, handlers=[Tell()])

    looks: asyncio.Queue[None] = asyncio.Queue()

    async def pause(_: float) -> None:
        await (looks.get() if options.step else asyncio.sleep(options.interval))
        if options.step:
            say("looking")

    surroundings = Surroundings(pause=pause)
    discovery = Discovery(
        options.port, options.interface, surroundings=surroundings, host_ttl=options.host_ttl
    )
    await discovery.start()
    surroundings.start()
    say("started", instance=discovery.instance, state=discovery.state)
    telling = asyncio.create_task(tell_events(discovery))
    await obey(discovery, looks)
    await surroundings.close()
    await discovery.close()
    await telling
    say("closed")


asyncio.run(main())
