"""The search: which photos of the library fit, and what a list shows of each.

All of it is answered from the encrypted database; no file is opened and nobody is asked.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Final, cast

from ..protocol.photo import Metadata
from . import catalogue, names
from .catalogue import LISTED
from .database import Database, Row
from .facts import C2PA_STATES, Facts

_EARTH_KM: Final = 6371.0
_DEGREE_KM: Final = math.pi * _EARTH_KM / 180

_TAKEN: Final = (
    "coalesce(facts.captured,"
    " strftime('%Y-%m-%dT%H:%M:%S', photos.modified, 'unixepoch', 'localtime'), '')"
)
"""When a photo was taken, by its camera's clock; else the time of its file, by ours."""

_WITH: Final = """
    photos.author = ?
    OR photos.photo_id IN (SELECT photo_id FROM offers WHERE identity = ?)
    OR photos.photo_id IN (
        SELECT photo_id FROM deliveries WHERE identity = ? AND state <> 'refused'
        UNION ALL SELECT copies.source_id FROM copies JOIN deliveries USING (photo_id)
        WHERE identity = ? AND state <> 'refused')
"""
"""Made, sent or got by an identity, itself or as a copy."""

_IN_ALBUM: Final = """
    photos.photo_id IN (SELECT photo_id FROM album_photos WHERE album_id = ?)
    OR hex(photos.photo_id) IN (SELECT value FROM json_each(?))
    OR photos.photo_id IN (
        SELECT source_id FROM copies WHERE hex(photo_id) IN (SELECT value FROM json_each(?)))
"""

_DETAILS: Final = """
    SELECT photos.author, photos.metadata, photos.added, facts.facts, clips.clip_id,
        (SELECT json_group_array(name) FROM (
            SELECT albums.name FROM album_photos JOIN albums USING (album_id)
            WHERE album_photos.photo_id = photos.photo_id ORDER BY albums.name)) AS albums,
        (SELECT json_group_array(name) FROM (
            SELECT name FROM contacts WHERE identity IN (
                SELECT photos.author
                UNION ALL SELECT identity FROM offers WHERE offers.photo_id = photos.photo_id
                UNION ALL SELECT identity FROM deliveries
                WHERE deliveries.photo_id = photos.photo_id AND state <> 'refused'
                UNION ALL SELECT identity FROM copies JOIN deliveries USING (photo_id)
                WHERE copies.source_id = photos.photo_id AND state <> 'refused')
            ORDER BY name)) AS people
    FROM photos LEFT JOIN facts USING (photo_id)
    LEFT JOIN clips ON clips.still_id = photos.photo_id
    WHERE photos.photo_id = ?
"""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None looks at everything.

    `words` must all be in the name. `start` and `end` are the beginning of an ISO 8601 local time
    (`2026`, `2026-07`, `2026-07-14T09:30`) and belong to the span. `person` is an identity:
    author, sender or receiver. `album_id` is an album of this node, `photos` are those of albums
    that several people keep: a photo may be in either, itself or as a copy. `tags` are the ways in
    which one tag is spelled. `near` is (latitude, longitude) in degrees, `within` in km.
    """

    words: str | None = None
    start: str | None = None
    end: str | None = None
    person: bytes | None = None
    album_id: int | None = None
    photos: frozenset[bytes] | None = None
    tags: list[str] | None = None
    camera: str | None = None
    near: tuple[float, float] | None = None
    within: float = 5.0
    place: str | None = None
    verdict: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A photo of the library as a list shows it; `people` are names of contacts."""

    photo_id: bytes
    author: bytes
    metadata: Metadata
    added: int
    facts: Facts | None
    clip: bytes | None
    albums: list[str]
    people: list[str]


class Search:
    """Answers questions about the library."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, query: Query) -> list[Found]:
        """What fits, the latest first."""
        conditions, values = _conditions(query)
        where = " AND ".join([LISTED, *conditions])
        # A distance is measured here, so the database can't count off what is near.
        limit = -1 if query.near is not None else query.limit
        rows = self._db.rows(
            "SELECT photos.photo_id, facts.latitude, facts.longitude FROM photos"  # noqa: S608
            f" LEFT JOIN facts USING (photo_id) WHERE {where}"
            f" ORDER BY {_TAKEN} DESC, photos.photo_id LIMIT ?",
            *values, limit,
        )  # fmt: skip
        near = [row[0] for row in rows if query.near is None or _is_near(row, query)]
        return [self.details(photo_id) for photo_id in near[: query.limit]]

    def details(self, photo_id: bytes) -> Found:
        """What a list shows of a photo that is here."""
        (row,) = self._db.rows(_DETAILS, photo_id)
        return Found(
            photo_id,
            row["author"],
            Metadata.decode(row["metadata"]),
            row["added"],
            None if row["facts"] is None else catalogue.unpacked(row["facts"]),
            row["clip_id"],
            cast("list[str]", json.loads(row["albums"])),
            cast("list[str]", json.loads(row["people"])),
        )


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    """SQL conditions over photos and facts, and their values in the same order."""
    conditions: list[str] = []
    values: list[object] = []

    def need(condition: str, *given: object) -> None:
        conditions.append(f"({condition})")
        values.extend(given)

    for word in names.folded(query.words or "").split():
        need("instr(photos.name, ?)", word)
    if query.start is not None:
        need(f"{_TAKEN} >= ?", query.start)
    if query.end is not None:
        need(f"substr({_TAKEN}, 1, length(?)) <= ?", query.end, query.end)
    if query.person is not None:
        need(_WITH, *[query.person] * 4)
    if query.album_id is not None or query.photos is not None:
        ids = json.dumps([photo_id.hex().upper() for photo_id in query.photos or ()])
        need(_IN_ALBUM, query.album_id, ids, ids)
    if query.tags is not None:
        marks = ", ".join("?" * len(query.tags))
        need(
            f"photos.photo_id IN (SELECT photo_id FROM tags WHERE tag IN ({marks}))",  # noqa: S608 - question marks alone
            *query.tags,
        )
    for column, text in (("camera", query.camera), ("place", query.place)):
        if text is not None:
            need(f"instr(facts.{column}, ?)", names.folded(text))
    if query.near is not None:
        degrees = query.within / _DEGREE_KM
        need("abs(facts.latitude - ?) <= ?", query.near[0], degrees)
    if query.verdict in C2PA_STATES:
        need("facts.c2pa = ?", query.verdict)
    elif query.verdict is not None:
        need("photos.photo_id IN (SELECT photo_id FROM checks WHERE verdict = ?)", query.verdict)
    return conditions, values


def _is_near(row: Row, query: Query) -> bool:
    """Great-circle distance by the haversine formula, good to half a percent."""
    if query.near is None:
        return True
    (lat1, lon1), (lat2, lon2) = (
        (math.radians(latitude), math.radians(longitude))
        for latitude, longitude in (query.near, (row["latitude"], row["longitude"]))
    )
    half = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(half))) <= query.within
