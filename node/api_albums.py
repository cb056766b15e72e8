"""The local API's part about albums that several people keep."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from .albums import SHOWN, Albums
from .api_lines import lines, picture
from .engine import Engine
from .views_albums import AlbumDetails, AlbumLogEntry, AlbumSummary

router = APIRouter(prefix="/v1/shared-albums")
_PHOTO = "/{album}/photos/{photo}"


class CreateBody(BaseModel):
    """See `Node.album_create`."""

    name: str
    history: str = "all"
    metadata: str = "no-location"
    max_px: int | None = None


class ShowBody(BaseModel):
    """How many photos to show."""

    limit: int = SHOWN


class NameBody(BaseModel):
    """What to call it."""

    name: str


class FormBody(BaseModel):
    """See `Node.album_form`."""

    metadata: str = "no-location"
    max_px: int | None = None


class InviteBody(BaseModel):
    """See `Node.album_invite`."""

    contact: str
    role: str | None = None


class WhoBody(BaseModel):
    """A member: the name of a contact, or a fingerprint."""

    who: str


class DeviceBody(BaseModel):
    """A device: the hex digits of its key, or how they begin."""

    device: str


class AddBody(BaseModel):
    """`paths` are absolute paths on this machine, `photos` ids."""

    paths: list[Path] = []
    photos: list[str] = []


class TextBody(BaseModel):
    """What to say about a photo."""

    text: str


class FavouriteBody(BaseModel):
    """Whether it is one."""

    chosen: bool = True


class PlaceBody(BaseModel):
    """Where a photo stands."""

    place: str


class OriginalId(BaseModel):
    """A photo of the library."""

    id: str


def _albums(request: Request) -> Albums:
    engine: Engine = request.app.state.engine
    return engine.albums


@router.get("")
async def get_albums(request: Request) -> list[AlbumSummary]:
    """All albums, the oldest first."""
    return _albums(request).all()


@router.post("")
async def post_album(request: Request, body: CreateBody) -> AlbumSummary:
    """Found an album."""
    return _albums(request).create(
        body.name, history=body.history, metadata=body.metadata, max_px=body.max_px
    )


@router.post("/{album}/show")
async def post_show(request: Request, album: str, body: ShowBody) -> AlbumDetails:
    """Who is in an album, and the first photos in it."""
    return _albums(request).show(album, limit=body.limit)


@router.get("/{album}/log")
async def get_log(request: Request, album: str) -> list[AlbumLogEntry]:
    """What admins did."""
    return _albums(request).log(album)


@router.post("/{album}/rename")
async def post_rename(request: Request, album: str, body: NameBody) -> AlbumSummary:
    """Call it otherwise."""
    return _albums(request).rename(album, body.name)


@router.post("/{album}/form")
async def post_form(request: Request, album: str, body: FormBody) -> AlbumSummary:
    """In which form photos are added."""
    return _albums(request).set_form(album, body.metadata, body.max_px)


@router.post("/{album}/invite")
async def post_invite(request: Request, album: str, body: InviteBody) -> AlbumDetails:
    """Let a contact in, or give a member another role."""
    return _albums(request).invite(album, body.contact, role=body.role)


@router.post("/{album}/join")
async def post_join(request: Request, album: str) -> AlbumSummary:
    """Take part in it."""
    return _albums(request).join(album)


@router.post("/{album}/leave")
async def post_leave(request: Request, album: str) -> AlbumSummary:
    """Ask to be taken out."""
    return _albums(request).leave(album)


@router.post("/{album}/remove")
async def post_remove(request: Request, album: str, body: WhoBody) -> AlbumDetails:
    """Take somebody out."""
    return _albums(request).remove(album, body.who)


@router.post("/{album}/drop")
async def post_drop(request: Request, album: str, body: DeviceBody) -> AlbumDetails:
    """Take a device out."""
    return _albums(request).drop(album, body.device)


@router.post("/{album}/rotate")
async def post_rotate(request: Request, album: str) -> AlbumSummary:
    """Change the key."""
    return _albums(request).rotate(album)


@router.post("/{album}/add")
async def post_add(request: Request, album: str, body: AddBody) -> StreamingResponse:
    """Add files and photos that are here."""
    return lines(_albums(request).add(album, paths=body.paths, photos=body.photos))


@router.get(_PHOTO + "/preview", response_class=Response)
async def get_preview(request: Request, album: str, photo: str) -> Response:
    """A JPEG of a photo, which may have come or not."""
    return picture(await _albums(request).preview(album, photo))


@router.post(_PHOTO + "/comment")
async def post_comment(request: Request, album: str, photo: str, body: TextBody) -> AlbumDetails:
    """Say something about a photo."""
    return _albums(request).comment(album, photo, body.text)


@router.post(_PHOTO + "/caption")
async def post_caption(request: Request, album: str, photo: str, body: TextBody) -> AlbumDetails:
    """Write the text under a photo."""
    return _albums(request).caption(album, photo, body.text)


@router.post(_PHOTO + "/favourite")
async def post_favourite(
    request: Request, album: str, photo: str, body: FavouriteBody
) -> AlbumDetails:
    """Mark a photo, or not."""
    return _albums(request).favourite(album, photo, chosen=body.chosen)


@router.post(_PHOTO + "/cover")
async def post_cover(request: Request, album: str, photo: str) -> AlbumDetails:
    """Put a photo on the album."""
    return _albums(request).set_cover(album, photo)


@router.post(_PHOTO + "/place")
async def post_place(request: Request, album: str, photo: str, body: PlaceBody) -> AlbumDetails:
    """Say where a photo stands."""
    return _albums(request).place(album, photo, body.place)


@router.post(_PHOTO + "/ask-delete")
async def post_ask_delete(request: Request, album: str, photo: str) -> AlbumDetails:
    """Ask everybody to delete a photo."""
    return _albums(request).ask_delete(album, photo)


@router.post(_PHOTO + "/ask-original")
async def post_ask_original(request: Request, album: str, photo: str) -> AlbumDetails:
    """Ask the author of a photo for its original."""
    return _albums(request).ask_original(album, photo)


@router.get(_PHOTO + "/original")
async def get_original(request: Request, album: str, photo: str) -> OriginalId:
    """Of which photo of ours one in the album was made."""
    return OriginalId(id=_albums(request).original(album, photo).hex())


@router.post(_PHOTO + "/hide")
async def post_hide(request: Request, album: str, photo: str) -> AlbumDetails:
    """Delete a photo for us."""
    return await _albums(request).hide(album, photo)


@router.post(_PHOTO + "/unhide")
async def post_unhide(request: Request, album: str, photo: str) -> AlbumDetails:
    """Have it again."""
    return _albums(request).unhide(album, photo)
