"""The local API's part about getting everything back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from . import views_recovery
from .asking_words import parsed
from .engine import Engine

router = APIRouter(prefix="/v1/recovery")


class RecoverBody(BaseModel):
    """See `Node.recover`."""

    recovery_words: SecretStr
    without: list[str] = []


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.get("")
async def get_recovery(request: Request) -> views_recovery.Recovery:
    """What came back, and what was found."""
    return _engine(request).recovery.view()


class WordsBody(BaseModel):
    """The 24 words."""

    recovery_words: SecretStr


@router.post("/check-words")
async def post_check_words(request: Request, body: WordsBody) -> views_recovery.Readiness:
    """Note that a person has the words of this node's identity."""
    readiness = _engine(request).readiness
    readiness.check_words(parsed(body.recovery_words.get_secret_value()))
    return readiness.view()


@router.post("/begin")
async def post_begin(request: Request, body: RecoverBody) -> views_recovery.Recovery:
    """Ask contacts for what they keep of this identity's."""
    recovery = _engine(request).recovery  # a locked node looks at no words
    return recovery.begin(parsed(body.recovery_words.get_secret_value()), body.without)


@router.post("/stop")
async def post_stop(request: Request) -> views_recovery.Recovery:
    """Ask for nothing more."""
    return _engine(request).recovery.stop()
