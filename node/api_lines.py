"""Answers of the local API that are more than JSON: lines, and pictures; and errors in it."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi.responses import Response, StreamingResponse

from ..crypto.errors import KinlightError
from .errors import InternalError

NDJSON: Final = "application/x-ndjson"

_log = logging.getLogger(__name__)


def error_body(error: KinlightError) -> dict[str, object]:
    """How an error looks in JSON, here and on the command line."""
    return {"error": {"code": error.code, "message": str(error)}}


def picture(jpeg: bytes) -> Response:
    """A JPEG that was drawn here."""
    # The photo lies sealed on this disk; a browser's cache would keep it open beside.
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


def lines(items: AsyncGenerator[object]) -> StreamingResponse:
    """One JSON object a line; an error is the last line."""

    async def encode() -> AsyncGenerator[bytes]:
        try:
            async for item in items:
                yield _line(item)
        except KinlightError as error:
            yield json.dumps(error_body(error)).encode() + b"\n"
        except Exception as error:
            _log.exception("a stream failed: %s", type(error).__name__)
            yield json.dumps(error_body(InternalError())).encode() + b"\n"
        finally:
            await items.aclose()

    return StreamingResponse(encode(), media_type=NDJSON)


def _line(item: Any) -> bytes:
    return json.dumps({"type": type(item).__name__, **dataclasses.asdict(item)}).encode() + b"\n"
