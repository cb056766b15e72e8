"""What a daemon holds on to, so that a leak shows as a difference.

before = footprint.resting(anna)
...
footprint.resting(anna, no_more_than=before)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from kinlight.node import Node
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families,  # pyright: ignore[reportUnknownVariableType]
)

from .household import PATIENCE, Person

DESCRIPTORS_OF_A_CHILD = 2
"""Its socket, and from Python 3.12 on one by which asyncio sees it end."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Open descriptors, asyncio tasks, resident bytes and children of the daemon at one moment."""

    descriptors: int
    tasks: int
    resident: int
    children: int
    opened: tuple[str, ...] = field(default=(), compare=False)
    """What the descriptors are, for who must find out which of them is one too many."""

    def within(self, other: Footprint) -> bool:
        """Whether it holds no more than `other`; memory is for who looks at many of these.

        The process that opens pictures stays for a minute after the last one. It is not a leak.
        """
        more = max(self.children - other.children, 0)
        return (
            self.descriptors <= other.descriptors + DESCRIPTORS_OF_A_CHILD * more
            and self.tasks <= other.tasks
        )


def opened(pid: int) -> tuple[str, ...]:
    """What each descriptor of a process is: a path, or a socket with its two addresses."""
    process = psutil.Process(pid)
    ends = {
        each.fd: f"{each.laddr} {each.raddr} {each.status}" for each in process.net_connections()
    }
    found: list[str] = []
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - links, of which some lead nowhere
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(ends.get(int(name)) or os.readlink(f"/proc/{pid}/fd/{name}"))  # noqa: PTH115
    return tuple(sorted(found))


def more_opened(later: Footprint, before: Footprint) -> list[str]:
    """What `later` has more of, in words that stay the same from one moment to the next."""
    more = Counter(map(_kind, later.opened)) - Counter(map(_kind, before.opened))
    return sorted(more.elements())


def _kind(opened: str) -> str:
    return re.sub(r"(?<=\[)\d+(?=\])|port=\d+", "", opened)


def numbers(text: str) -> dict[str, float]:
    """The metrics by name, without the prefix, and label values."""
    return {
        " ".join([sample.name.removeprefix("kinlight_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def has_work(found: dict[str, float]) -> bool:
    """Whether photos are on their way, or are to be."""
    names = ("fetches", "deliveries queued", "deliveries offered", "offers accepted")
    return any(found[name] for name in names)


def sealed_files(person: Person) -> list[Path]:
    """All files in the blob folder, also those that are only on their way."""
    return [path for path in (person.home / "blobs").rglob("*") if path.is_file()]


def resting(person: Person, *, no_more_than: Footprint | None = None) -> Footprint:
    """Its footprint once all of its work is done, and it is not more than that.

    By then nothing is on its way in the blob folder, and what lies there is what the library names.
    """
    return person.ask(lambda node: _resting(node, person, no_more_than))


async def _resting(node: Node, person: Person, bound: Footprint | None) -> Footprint:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = numbers(await node.metrics())
        files = sealed_files(person)
        names = opened(person.pid)
        held = Footprint(
            len(names),
            int(found["tasks"]),
            int(found["process_resident_memory_bytes"]),
            len(psutil.Process(person.pid).children()),
            names,
        )
        unnamed = sum(file.stat().st_size for file in files) - found["blob_bytes"]
        if not has_work(found) and not unnamed and (bound is None or held.within(bound)):
            return held
        assert time.monotonic() < deadline, (
            f"{person.name} holds {held}, not {bound}; {unnamed} bytes that nothing names; {found}"
        )
        await asyncio.sleep(0.2)  # no event tells that the last descriptor was closed
