"""The local API's part about guardians of the recovery words."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from . import views_guardians
from .asking_words import parsed
from .engine import Engine

router = APIRouter(prefix="/v1/guardians")


class SplitBody(BaseModel):
    """See `Node.split_words`."""

    recovery_words: SecretStr
    guardians: list[str]
    need: int


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.get("")
async def get_guardians(request: Request) -> views_guardians.Guardians:
    """Who guards our words, and for whom we do."""
    return _engine(request).guarding.view()


@router.post("/split")
async def post_split(request: Request, body: SplitBody) -> views_guardians.Guardians:
    """Split the words among contacts."""
    guarding = _engine(request).guarding  # a locked node looks at no words
    words = parsed(body.recovery_words.get_secret_value())
    return guarding.split(words, body.guardians, body.need)


@router.post("/{contact}/reveal")
async def post_reveal(request: Request, contact: str) -> views_guardians.Guarded:
    """The share that is kept for a contact."""
    return _engine(request).guarding.reveal(contact)
