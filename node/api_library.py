"""The local API's part about the library: import, search, albums."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from . import views
from .api_lines import lines
from .collection import Collection

router = APIRouter(prefix="/v1")


class ImportBody(BaseModel):
    """`paths` are absolute paths on this machine."""

    paths: list[Path]
    album: str | None = None
    albums: bool = True


class SearchBody(BaseModel):
    """What to look for; absent fields look at everything. See `Node.search`."""

    words: str | None = None
    start: str | None = None
    end: str | None = None
    person: str | None = None
    album: str | None = None
    camera: str | None = None
    near: tuple[float, float] | None = None
    within: float = 5.0
    place: str | None = None
    verdict: str | None = None
    limit: int = 100


def _collection(request: Request) -> Collection:
    return request.app.state.engine.collection


@router.post("/library/import")
async def post_import(request: Request, body: ImportBody) -> StreamingResponse:
    """Take files and folders into the library; a line for each file, and progress."""
    steps = _collection(request).import_photos(body.paths, album=body.album, albums=body.albums)
    return lines(steps)


@router.post("/library/search")
async def post_search(request: Request, body: SearchBody) -> list[views.LibraryItem]:
    """The photos that fit, the latest first."""
    return _collection(request).search(**body.model_dump())


@router.get("/albums")
async def get_albums(request: Request) -> list[views.Album]:
    """All albums, by name."""
    return _collection(request).albums()
