"""The local API's part about the devices of this person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, SecretStr

from ..crypto.recovery import RecoveryWords
from . import views_devices, views_siblings
from .api_lines import lines
from .asking_words import parsed
from .engine import Engine

router = APIRouter(prefix="/v1/devices")


class AddBody(BaseModel):
    """See `Node.add_device`."""

    name: str | None = None
    may_certify: bool = False
    recovery_words: SecretStr | None = None


class MeetBody(BaseModel):
    """See `Node.meet_device`."""

    code: SecretStr
    at: str | None = None


class RenameBody(BaseModel):
    """See `Node.rename_device`."""

    name: str


class RevokeBody(BaseModel):
    """See `Node.revoke_device`."""

    keep: list[str] = []
    recovery_words: SecretStr | None = None


class WordsBody(BaseModel):
    """The 24 words."""

    recovery_words: SecretStr


def _engine(request: Request) -> Engine:
    return request.app.state.engine


def _words(given: SecretStr | None) -> RecoveryWords | None:
    return None if given is None else parsed(given.get_secret_value())


class KeepBody(BaseModel):
    """See `Node.device_keep`."""

    what: str | None = None
    space: int | None = None


class PhotosBody(BaseModel):
    """Photos, by how their ids begin."""

    photos: list[str]


@router.get("")
async def get_devices(request: Request) -> list[views_devices.OwnDevice]:
    """The devices of this person, revoked ones among them."""
    return _engine(request).our_devices.list()


@router.post("/add")
async def post_add(request: Request, body: AddBody) -> StreamingResponse:
    """Give a code for a new device, then the device that used it."""
    engine = _engine(request)
    _ = engine.our_devices  # a locked node looks at no words
    words = _words(body.recovery_words)
    return lines(engine.add_device(body.name, words, may_certify=body.may_certify))


@router.post("/meet")
async def post_meet(request: Request, body: MeetBody) -> views_devices.OwnDevice:
    """Link with another device of the same identity by its code."""
    return await _engine(request).meet_device(body.code.get_secret_value(), body.at)


@router.post("/allow")
async def post_allow(request: Request, body: WordsBody) -> views_devices.OwnDevice:
    """Let this device add and revoke others."""
    engine = _engine(request)
    _ = engine.our_devices
    return await engine.allow_device(parsed(body.recovery_words.get_secret_value()))


@router.post("/{device}/rename")
async def post_rename(request: Request, device: str, body: RenameBody) -> views_devices.OwnDevice:
    """Call one something else; `device` is its name, or begins its key."""
    return _engine(request).our_devices.rename(device, body.name)


@router.post("/{device}/revoke")
async def post_revoke(
    request: Request, device: str, body: RevokeBody
) -> list[views_devices.OwnDevice]:
    """Take one back, and what it added."""
    ours = _engine(request).our_devices
    return ours.revoke(device, _words(body.recovery_words), body.keep)


@router.post("/{device}/restore")
async def post_restore(request: Request, device: str, body: WordsBody) -> views_devices.OwnDevice:
    """Let one count again."""
    ours = _engine(request).our_devices
    return ours.restore(device, parsed(body.recovery_words.get_secret_value()))


@router.post("/keep")
async def post_keep(request: Request, body: KeepBody) -> views_siblings.DeviceKeeping:
    """Choose what of the photos is kept on this device, or see it."""
    return _engine(request).device_photos.keep(body.what, body.space)


@router.post("/pin")
async def post_pin(request: Request, body: PhotosBody) -> views_siblings.DeviceKeeping:
    """Keep these here whatever else."""
    return _engine(request).device_photos.pin(body.photos, pinned=True)


@router.post("/unpin")
async def post_unpin(request: Request, body: PhotosBody) -> views_siblings.DeviceKeeping:
    """Keep these as all others."""
    return _engine(request).device_photos.pin(body.photos, pinned=False)


@router.get("/photos")
async def get_away(request: Request) -> list[views_siblings.AwayPhoto]:
    """Photos whose originals are on other devices alone."""
    return _engine(request).device_photos.away()


@router.get("/removed")
async def get_removed(request: Request) -> list[views_siblings.TrashedPhoto]:
    """Photos that were removed on another device and can be brought back."""
    return _engine(request).device_photos.removed()


@router.post("/bring-back")
async def post_bring_back(request: Request, body: PhotosBody) -> list[str]:
    """Have them again."""
    return _engine(request).device_photos.bring_back(body.photos)
