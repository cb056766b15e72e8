"""The local API's part about the library: import, search, albums, folders that are kept up."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from . import views_library
from .api_lines import lines
from .collection import Collection
from .keeping import Keeper

router = APIRouter(prefix="/v1")


class ImportBody(BaseModel):
    """`paths` are absolute paths on this machine."""

    paths: list[Path]
    album: str | None = None
    albums: bool = True
    rehash: bool = False


class SearchBody(BaseModel):
    """What to look for; absent fields look at everything. See `Node.search`."""

    words: str | None = None
    start: str | None = None
    end: str | None = None
    person: str | None = None
    album: str | None = None
    tag: str | None = None
    camera: str | None = None
    near: tuple[float, float] | None = None
    within: float | None = None
    place: str | None = None
    verdict: str | None = None
    limit: int = 100


class TagBody(BaseModel):
    """`photos` are ids; see `Node.tag`."""

    photos: list[str]
    add: list[str] = []
    remove: list[str] = []
    sensitivity: str | None = None


class RemoveBody(BaseModel):
    """With `force` also a photo that is on its way to somebody."""

    force: bool = False


class MirrorBody(BaseModel):
    """`source` is the name of an album or a contact, `folder` an absolute path."""

    source: str
    folder: Path


class WatchBody(BaseModel):
    """`folder` is an absolute path, `to` names contacts; see `Node.watch`."""

    folder: Path
    album: str | None = None
    to: list[str] = []
    metadata: str | None = None


class OffBody(BaseModel):
    """`folder` is an absolute path."""

    folder: Path


def _collection(request: Request) -> Collection:
    return request.app.state.engine.collection


def _keeper(request: Request) -> Keeper:
    return request.app.state.engine.keeper


@router.post("/library/import")
async def post_import(request: Request, body: ImportBody) -> StreamingResponse:
    """Take files and folders into the library; a line for each file, and progress."""
    steps = _collection(request).import_photos(
        body.paths, album=body.album, albums=body.albums, rehash=body.rehash
    )
    return lines(steps)


@router.post("/library/search")
async def post_search(request: Request, body: SearchBody) -> list[views_library.LibraryItem]:
    """The photos that fit, the latest first."""
    return _collection(request).search(**body.model_dump())


@router.post("/library/tag")
async def post_tag(request: Request, body: TagBody) -> list[views_library.LibraryItem]:
    """Give photos words, take others away, say how delicate they are."""
    return request.app.state.engine.tag(
        body.photos, add=body.add, remove=body.remove, sensitivity=body.sensitivity
    )


@router.post("/photos/{photo}/remove")
async def post_remove(request: Request, photo: str, body: RemoveBody) -> views_library.RemovedPhoto:
    """Take a photo out of the library."""
    return await request.app.state.engine.remove(photo, force=body.force)


@router.get("/albums")
async def get_albums(request: Request) -> list[views_library.Album]:
    """All albums, by name."""
    return _collection(request).albums()


@router.get("/folders")
async def get_folders(request: Request) -> list[views_library.Folder]:
    """Every folder that is kept up, and how it is."""
    return _keeper(request).folders()


@router.post("/folders/mirror")
async def post_mirror(request: Request, body: MirrorBody) -> views_library.Folder:
    """Keep a folder up with an album, or with what comes from a contact."""
    return await _keeper(request).mirror(body.source, body.folder)


@router.post("/folders/watch")
async def post_watch(request: Request, body: WatchBody) -> views_library.Folder:
    """Take what appears in a folder, and share it if that is said."""
    return await _keeper(request).watch(
        body.folder, album=body.album, to=body.to, metadata=body.metadata
    )


@router.post("/folders/{kind}/off")
async def post_off(
    request: Request, kind: Literal["mirror", "watch"], body: OffBody
) -> views_library.Folder:
    """Keep a folder up no more; its files stay."""
    return await _keeper(request).off(body.folder, kind)
