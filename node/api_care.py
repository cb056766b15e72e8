"""The local API's part about the node's own health."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from . import metrics
from .api_lines import lines
from .engine import Engine
from .views_space import SpaceItem, SpaceUse

router = APIRouter()


class DoctorBody(BaseModel):
    """See `Node.doctor`."""

    repair: bool = False
    deep: bool = False


class CleanBody(BaseModel):
    """See `Node.space_clean`."""

    keep: int | None = None
    older_than: int | None = None
    own: bool = False
    dry_run: bool = False


class FetchBody(BaseModel):
    """Photos by their ids; all that were let go if there is none."""

    photos: list[str] = []


@router.get("/metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """The node in numbers, as OpenMetrics."""
    engine: Engine = request.app.state.engine
    return Response(engine.metrics(), headers={"Content-Type": metrics.CONTENT_TYPE})


@router.get("/v1/space")
async def get_space(request: Request) -> SpaceUse:
    """What photos take here."""
    engine: Engine = request.app.state.engine
    return await engine.space.use()


@router.post("/v1/space/clean")
async def post_clean(request: Request, body: CleanBody) -> StreamingResponse:
    """Make room: a line for each photo that was looked at."""
    engine: Engine = request.app.state.engine
    return lines(
        engine.space.clean(
            keep=body.keep, older_than=body.older_than, own=body.own, dry_run=body.dry_run
        )
    )


@router.post("/v1/space/fetch")
async def post_fetch(request: Request, body: FetchBody) -> list[SpaceItem]:
    """Have photos again that were let go."""
    engine: Engine = request.app.state.engine
    return await engine.fetch_away(body.photos)


@router.post("/v1/doctor")
async def post_doctor(request: Request, body: DoctorBody) -> StreamingResponse:
    """Look through the home: a line for each finding, with progress in between."""
    engine: Engine = request.app.state.engine
    return lines(engine.doctor.run(repair=body.repair, deep=body.deep))
