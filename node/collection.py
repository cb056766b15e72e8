"""The library as its owner uses it: import, search, albums."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ..protocol.opening import LocalDevice
from . import names, searching, times, views_library
from .catalogue import Catalogue
from .check_wire import WORDS
from .checks import Checks
from .errors import BadRequestError
from .facts import C2PA_STATES
from .importing import Importer
from .judge import Judge
from .library import Library, Photo
from .marks import Marks
from .photo_errors import NoSuchAlbumError
from .searching import Found, Search

if TYPE_CHECKING:
    from .albums import Albums

ALL = 2**31
"""More than any album holds."""
DEFAULT_KM = 5.0
FARTHEST_KM = 20_040.0
"""Half way round the earth."""


class _InAlbum(TypedDict, total=False):
    album_id: int
    photos: frozenset[bytes]


class Collection:
    """What can be done with the library of an unlocked node."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        catalogue: Catalogue,
        marks: Marks,
        search: Search,
        importer: Importer,
        judge: Judge,
        checks: Checks,
        shared: Callable[[], Albums],
    ) -> None:
        """`shared` are the albums that several people keep."""
        self._device = device
        self._library = library
        self._catalogue = catalogue
        self._marks = marks
        self._search = search
        self._importer = importer
        self._judge = judge
        self._checks = checks
        self._shared = shared

    async def import_photos(
        self, paths: list[Path], *, album: str | None, albums: bool, rehash: bool = False
    ) -> AsyncGenerator[views_library.ImportItem | views_library.ImportProgress]:
        """Take files and the photos in folders into the library; see `Importer.run`."""
        if not paths:
            raise BadRequestError("say what to import")
        async for step in self._importer.run(
            paths, album=album_name(album), albums=albums, rehash=rehash
        ):
            yield step

    def albums(self) -> list[views_library.Album]:
        """All albums, by name."""
        return [
            views_library.Album(album.name, album.photos, album.created)
            for album in self._catalogue.albums()
        ]

    def search(
        self,
        *,
        words: str | None = None,
        start: str | None = None,
        end: str | None = None,
        person: str | None = None,
        album: str | None = None,
        tag: str | None = None,
        camera: str | None = None,
        near: tuple[float, float] | None = None,
        within: float | None = None,
        place: str | None = None,
        verdict: str | None = None,
        limit: int = 100,
    ) -> list[views_library.LibraryItem]:
        """The photos that fit, the latest first; see `Node.search`."""
        if verdict not in (None, *WORDS, *C2PA_STATES):
            raise BadRequestError(f"verdict is one of {', '.join((*WORDS, *C2PA_STATES))}")
        if near is not None and not (abs(near[0]) <= 90 and abs(near[1]) <= 180):
            raise BadRequestError("near is a latitude and a longitude in degrees, as 48.14,11.58")
        if within is not None and near is None:
            raise BadRequestError("within says how near, so near is needed as well")
        within = DEFAULT_KM if within is None else within
        if not 0 < within <= FARTHEST_KM or limit < 1:
            raise BadRequestError("within and limit are more than 0")
        first = None if start is None else times.parse_day(start)
        last = None if end is None else times.parse_day(end)
        # July lies in its year: they are compared as far as both are given.
        if first is not None and last is not None and first[: len(last)] > last[: len(first)]:
            raise BadRequestError("the first day is after the last one")
        query = searching.Query(
            words=words,
            start=first,
            end=last,
            person=None if person is None else self._library.contact(person).identity,
            **self._in_album(album),
            tags=None if tag is None else self._marks.spelled(tag),
            camera=camera,
            near=near,
            within=within,
            place=place,
            verdict=verdict,
            limit=limit,
        )
        return [self._item(found) for found in self._search.find(query)]

    def _in_album(self, album: str | None) -> _InAlbum:
        """What to search for in an album of that name, one of this node or one of several people.

        Raises `NoSuchAlbumError`.
        """
        if album is None:
            return {}
        shared = self._shared().photos_in(album)
        found: _InAlbum = {} if shared is None else {"photos": frozenset(shared)}
        with contextlib.nullcontext() if shared is None else contextlib.suppress(NoSuchAlbumError):
            found["album_id"] = self._catalogue.album_id(album)
        return found

    def photos_in(self, album: str) -> list[Photo]:
        """The photos in an album."""
        everything = searching.Query(**self._in_album(album), limit=ALL)
        found = [self._library.photo(item.photo_id) for item in self._search.find(everything)]
        return [photo for photo in found if photo is not None]

    def tag(
        self, photos: list[Photo], *, add: list[str], remove: list[str], sensitivity: str | None
    ) -> list[views_library.LibraryItem]:
        """Give photos words, take others away, say how delicate they are; see `Node.tag`."""
        if not photos:
            raise BadRequestError("say which photos")
        found = list(dict.fromkeys(photo.photo_id for photo in photos))
        self._marks.change(found, add=add, remove=remove, sensitivity=sensitivity)
        return [self.item(photo_id) for photo_id in found]

    def item(self, photo_id: bytes) -> views_library.LibraryItem:
        """A photo that is here, as lists show it."""
        return self._item(self._search.details(photo_id))

    def _item(self, found: Found) -> views_library.LibraryItem:
        metadata, facts = found.metadata, found.facts
        ended = self._ended(found)
        if ended is not None:
            facts = None  # what it shows is not to be seen either
        width, height = (None, None) if facts is None else facts.upright or (None, None)
        return views_library.LibraryItem(
            id=found.photo_id.hex(),
            name=metadata.name if ended is None else "",
            media_type=metadata.media_type,
            bytes=metadata.length,
            modified=metadata.modified // 10**9,
            added=found.added,
            policy=metadata.policy,
            own=found.author == self._device.identity,
            captured=facts and facts.captured,
            captured_source=facts and facts.captured_source,
            camera=facts and facts.camera,
            width=width,
            height=height,
            position=None if facts is None or facts.position is None else list(facts.position),
            place=facts and facts.place,
            c2pa=facts and facts.c2pa,
            refused=facts and facts.refused,
            ended=ended,
            clip=None if found.clip is None else found.clip.hex(),
            albums=list(dict.fromkeys((*found.albums, *self._shared().names_of(found.photo_id)))),
            tags=self._marks.tags(found.photo_id),
            sensitivity=self._marks.sensitivity(found.photo_id),
            people=found.people,
            verdict=None if ended is not None else self._checks.verdict(found.photo_id),
        )

    def _ended(self, found: Found) -> str | None:
        """Why a photo of somebody else is not to be seen any more."""
        photo = (
            None if found.author == self._device.identity else self._library.photo(found.photo_id)
        )
        reason = None if photo is None else self._judge.ended(photo)
        return None if reason is None else reason.code


def album_name(name: str | None) -> str | None:
    """A name that the user gives an album; `BadRequestError` if it can't be shown as it is."""
    if name is not None and name != names.album_name(name):
        raise BadRequestError(f"an album's name is one line of at most {names.MAX_ALBUM_CHARS}")
    return name
