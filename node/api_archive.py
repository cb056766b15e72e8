"""The local API's part about backup files."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from .api_lines import lines
from .engine import Engine

router = APIRouter()


class BackupBody(BaseModel):
    """`file` is an absolute path on this machine, of a file that is not there yet."""

    file: Path


@router.post("/v1/backup")
async def post_backup(request: Request, body: BackupBody) -> StreamingResponse:
    """Write all of the library into a file: lines of progress, then what is in it."""
    engine: Engine = request.app.state.engine
    return lines(engine.archiver.write(body.file))
