"""The local API's part about access: grants, attributes, rules, revocations."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from . import views_access, views_sharing
from .api_lines import lines
from .engine import Engine

router = APIRouter(prefix="/v1")


class GrantBody(BaseModel):
    """`photos` are ids, `to` names contacts, `until` is seconds since 1970; see `Node.grant`."""

    photos: list[str] = []
    to: list[str] = []
    having: list[str] = []
    by: list[str] = []
    album: str | None = None
    operations: list[str] | None = None
    metadata: str | None = None
    max_px: int | None = None
    watermark: bool = False
    until: int | None = None
    wait: bool = True


class DelegationBody(BaseModel):
    """`photos` are ids, `to` names contacts, `device` is a key; see `Node.delegate`."""

    photos: list[str]
    to: list[str]
    operations: list[str] | None = None
    max_px: int | None = None
    until: int | None = None
    device: str | None = None
    wait: bool = True


class GrantsBody(BaseModel):
    """Absent fields list everything."""

    who: str | None = None
    photo: str | None = None


class ReceiptsBody(BaseModel):
    """`photo` begins an id, `who` names a contact; see `Node.receipts`."""

    photo: str
    who: str | None = None


class AttributeBody(BaseModel):
    """`attribute` is `NAME=VALUE`; see `Node.attest`."""

    who: str
    attribute: str
    until: int | None = None


class AttributesBody(BaseModel):
    """Absent fields list everything."""

    who: str | None = None


class ShownBody(BaseModel):
    """`attribute` is `NAME=VALUE`; see `Node.show_attribute`."""

    attribute: str
    to: str
    by: str | None = None
    off: bool = False


class PolicyBody(BaseModel):
    """TOML; see docs/policy.md."""

    text: str


class ExplainBody(BaseModel):
    """See `Node.explain`."""

    who: str
    photo: str
    operation: str = "view"
    network: str | None = None


class RevokeBody(BaseModel):
    """See `Node.revoke`."""

    grant: str | None = None
    who: str | None = None
    photo: str | None = None
    device: str | None = None


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.post("/grants")
async def post_grants(request: Request, body: GrantBody) -> StreamingResponse:
    """Grant photos that are here; a line for each state of each, and progress."""
    steps = _engine(request).grant(
        body.photos,
        body.to,
        album=body.album,
        operations=body.operations,
        metadata=body.metadata,
        max_px=body.max_px,
        watermark=body.watermark,
        until=body.until,
        wait=body.wait,
        having=body.having,
        by=body.by,
    )
    return lines(steps)


@router.post("/delegations")
async def post_delegations(request: Request, body: DelegationBody) -> StreamingResponse:
    """Pass photos of others on; lines as those of a grant."""
    steps = _engine(request).delegate(
        body.photos,
        body.to,
        operations=body.operations,
        max_px=body.max_px,
        until=body.until,
        device=body.device,
        wait=body.wait,
    )
    return lines(steps)


@router.post("/grants/list")
async def post_grants_list(request: Request, body: GrantsBody) -> list[views_access.Grant]:
    """What was granted."""
    return _engine(request).granting.grants(body.who, body.photo)


@router.post("/receipts/list")
async def post_receipts_list(request: Request, body: ReceiptsBody) -> list[views_sharing.Receipt]:
    """Who signed that it has a photo."""
    return _engine(request).receipts.find(body.photo, body.who)


@router.post("/attributes")
async def post_attributes(request: Request, body: AttributeBody) -> views_access.Attribute:
    """Say that a contact has an attribute."""
    return _engine(request).granting.attest(body.who, body.attribute, body.until)


@router.post("/attributes/off")
async def post_attributes_off(
    request: Request, body: AttributeBody
) -> list[views_access.Attribute]:
    """Take back what was said."""
    return _engine(request).granting.unattest(body.who, body.attribute)


@router.post("/attributes/list")
async def post_attributes_list(
    request: Request, body: AttributesBody
) -> list[views_access.Attribute]:
    """What is said of a contact, or of everybody."""
    return _engine(request).granting.attributes(body.who)


@router.post("/attributes/shown")
async def post_attributes_shown(request: Request, body: ShownBody) -> list[views_access.Attribute]:
    """Let a contact know what others say of us, or no longer."""
    granting = _engine(request).granting
    return granting.show(body.attribute, body.to, body.by, off=body.off)


@router.get("/policy")
async def get_policy(request: Request) -> views_access.Policy:
    """The owner's rules."""
    return _engine(request).rules.view()


@router.put("/policy")
async def put_policy(request: Request, body: PolicyBody) -> views_access.Policy:
    """Other rules in place of all."""
    rules = _engine(request).rules
    rules.put(body.text)
    return rules.view()


@router.post("/explain")
async def post_explain(request: Request, body: ExplainBody) -> views_access.Explanation:
    """Why a contact may have a photo or not."""
    return _engine(request).explainer.explain(body.who, body.photo, body.operation, body.network)


@router.post("/revoke")
async def post_revoke(request: Request, body: RevokeBody) -> list[views_access.Revocation]:
    """Take something back."""
    return _engine(request).granting.revoke(**body.model_dump())
