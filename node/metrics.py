"""The node in numbers, as OpenMetrics: for Prometheus and the like.

Labels are words out of this program (states, codes), never names, keys, ids or paths.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Final, cast

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import (
    CONTENT_TYPE_LATEST,
    generate_latest,  # pyright: ignore[reportUnknownVariableType]
)
from prometheus_client.registry import Collector, CollectorRegistry

from .counters import Counters
from .database import Database
from .unlocked import Unlocked

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_STATES: Final = {
    "offers": ("waiting", "accepted", "stored", "declined", "refused"),
    "deliveries": ("queued", "offered", "held", "waiting", "delivered", "refused"),
}
"""By table. Those of which there are none are told too, so that a series does not break off."""


class Metrics(Collector):
    """Reads the numbers when it is asked. `process_…` are those of the system, where it has any."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._born = time.monotonic()
        self._opened: Unlocked | None = None

    def text(self, opened: Unlocked | None) -> bytes:
        """All of them, of a node that is unlocked, or locked. To be called on the loop."""
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        self._opened = opened
        try:
            registry.register(self)
            return cast("bytes", generate_latest(registry))
        finally:
            self._opened = None

    def collect(self) -> Iterable[Metric]:
        """For `prometheus_client`."""
        yield _gauge("uptime_seconds", "Since the daemon began.", time.monotonic() - self._born)
        yield _gauge("tasks", "Of asyncio, with the one that asks.", len(asyncio.all_tasks()))
        yield _gauge("unlocked", "1 while the keys are open.", self._opened is not None)
        yield from self._sums()
        if self._opened is not None:
            yield from _unlocked(self._opened)

    def _sums(self) -> Iterator[Metric]:
        counters = self._counters
        yield _sum("sent_bytes", "To other nodes.", counters.bytes_sent)
        yield _sum("received_bytes", "From other nodes.", counters.bytes_received)
        yield _sum("pieces_sent", "Pieces of blobs that were sent.", counters.pieces_sent)
        yield _sum("pieces_received", "Pieces that came and were right.", counters.pieces_received)
        yield _sum("held", "Envelopes that were taken in for others.", counters.held)
        yield _sum("held_released", "And were had, or withdrawn.", counters.released)
        refusals = CounterMetricFamily(
            "kinlight_refusals", "What was refused, and why.", labels=["what", "code"]
        )
        for (what, code), count in sorted(counters.refusals.items()):
            refusals.add_metric([what, code], count)
        yield refusals


def _unlocked(opened: Unlocked) -> Iterator[Metric]:
    database = opened.database
    yield _gauge("links", "Connections to contacts.", len(opened.peers.connections()))
    yield _gauge("contacts", "Contacts.", _count(database, "contacts"))
    yield _gauge("photos", "Photos here, with copies made for sharing.", _count(database, "photos"))
    for table, states in _STATES.items():
        found = GaugeMetricFamily(f"kinlight_{table}", "By state.", labels=["state"])
        counts = dict.fromkeys(states, 0)
        for row in database.rows(f"SELECT state, count(*) FROM {table} GROUP BY state"):  # noqa: S608
            counts[row[0]] = row[1]
        for state, count in counts.items():
            found.add_metric([state], count)
        yield found
    yield _gauge("fetches", "Photos that are being fetched.", opened.inbox.fetching)
    held = opened.hold.held.total()
    yield _gauge("held_items", "Envelopes that are held for others now.", held.items)
    yield _gauge("held_bytes", "Of them and their sealed files.", held.bytes)
    yield _gauge(
        "held_pulls", "Sealed files that are being fetched to be held.", len(opened.hold.pulls)
    )
    yield _gauge("decoder_processes", "That open pictures.", opened.decoder.processes)
    yield _sum("decoder_starts", "Of the service that opens pictures.", opened.decoder.starts)
    # SQLCipher gives the size of a page as text.
    size = int(database.value("PRAGMA page_count")) * int(database.value("PRAGMA page_size"))
    yield _gauge("database_bytes", "Of the library.", size)
    yield _gauge("blob_bytes", "Of sealed files, as the library knows them.", _blob_bytes(database))


def _count(database: Database, table: str) -> int:
    return database.value(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own words


def _blob_bytes(database: Database) -> int:
    # A manifest begins with the length of its blob.
    rows = database.rows("SELECT substr(manifest, 1, 8) FROM blobs")
    return sum(int.from_bytes(row[0]) for row in rows)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"kinlight_{name}", about, value=value)


def _sum(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"kinlight_{name}", about, value=value)
