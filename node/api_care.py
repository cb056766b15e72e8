"""The local API's part about the node's own health."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from . import metrics
from .api_lines import lines
from .engine import Engine

router = APIRouter()


class DoctorBody(BaseModel):
    """See `Node.doctor`."""

    repair: bool = False
    deep: bool = False


@router.get("/metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """The node in numbers, as OpenMetrics."""
    engine: Engine = request.app.state.engine
    return Response(engine.metrics(), headers={"Content-Type": metrics.CONTENT_TYPE})


@router.post("/v1/doctor")
async def post_doctor(request: Request, body: DoctorBody) -> StreamingResponse:
    """Look through the home: a line for each finding, with progress in between."""
    engine: Engine = request.app.state.engine
    return lines(engine.doctor.run(repair=body.repair, deep=body.deep))
