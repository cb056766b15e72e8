"""The local API: what the command line, the page and scripts talk to (FastAPI, OpenAPI on).

It is served on a Unix socket that only this user can open, and on loopback, where anybody on the
machine can connect, so there every request needs the token of `api.json`. Requests that a web page
could have caused are refused whatever they carry: a foreign Host (DNS rebinding) or any Origin.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, SecretStr
from starlette.exceptions import HTTPException

from ..crypto.errors import KinlightError
from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import (
    api_access,
    api_albums,
    api_archive,
    api_care,
    api_devices,
    api_drops,
    api_guardians,
    api_holding,
    api_library,
    api_recovery,
    api_tickets,
    api_weblinks,
    api_wide,
    errors,
    exits,
    views,
    views_checks,
    views_contacts,
    views_library,
)
from .api_lines import error_body, lines, picture
from .engine import Engine
from .errors import BadRequestError, InternalError
from .version import VERSION

_LOCAL_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]", "kinlight")

_STATUS_OF_EXIT: Final = {
    exits.EXIT_USAGE: 400,
    exits.EXIT_REFUSED: 403,
    exits.EXIT_NOT_RUNNING: 409,
    exits.EXIT_LOCKED: 423,
    exits.EXIT_NOT_FOUND: 404,
    exits.EXIT_FILES: 409,
}

_SUBJECTS: Final = (
    api_library,
    api_access,
    api_albums,
    api_archive,
    api_care,
    api_guardians,
    api_holding,
    api_devices,
    api_recovery,
    api_tickets,
    api_weblinks,
    api_drops,
    api_wide,
)

_VALUES: Final = {"near": "near is a latitude and a longitude in degrees, as 48.14,11.58"}
"""What fields may be whose type does not tell."""

_log = logging.getLogger(__name__)


class UnlockBody(BaseModel):
    """Exactly one of the two."""

    passphrase: SecretStr | None = None
    recovery_words: SecretStr | None = None


class PairBody(BaseModel):
    """`code` is a typed code, the text of a QR code or a ticket; none opens a code here."""

    code: SecretStr | None = None
    at: str | None = None
    name: str | None = None


class ContactBody(BaseModel):
    """What to change; absent fields stay."""

    name: str | None = None
    verified: bool | None = None
    muted: bool | None = None
    blocked: bool | None = None
    accept: Literal["ask", "always"] | None = None
    metadata: Literal["original", "no-location", "clean"] | None = None
    holder: bool | None = None
    backup: bool | None = None
    yes: bool = False
    fingerprint: str | None = None


class ReachBody(BaseModel):
    """Where a contact is, as `host:port`."""

    at: str


class ShareBody(BaseModel):
    """`paths` are absolute paths on this machine, `until` seconds since 1970."""

    paths: list[Path]
    to: list[str]
    metadata: str | None = None
    rehash: bool = False
    check: bool = False
    max_px: int | None = None
    watermark: bool = False
    until: int | None = None
    wait: bool = True


class TraceBody(BaseModel):
    """`paths` are absolute paths on this machine."""

    paths: list[Path]


class ExportBody(BaseModel):
    """`folder` is an absolute path on this machine; `rendition` is written in the photo's place."""

    folder: Path
    keep_both: bool = False
    rendition: Literal["preview", "thumbnail"] | None = None


class Done(BaseModel):
    """It was done."""

    ok: Literal[True] = True


def create_app(engine: Engine, shut_down: Callable[[], None]) -> FastAPI:
    """The API of one engine. `shut_down` ends the daemon."""
    app = FastAPI(
        title="kinlight", version=VERSION, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.engine = engine
    app.state.shut_down = shut_down
    # As they are: `include_router` would make each anew, at the first request of each daemon.
    for router in (_router, *(each.router for each in _SUBJECTS)):
        app.router.routes.extend(router.routes)
    app.add_exception_handler(KinlightError, _failed)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(Exception, _broken)
    return app


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, KinlightError):
        return await _broken(_request, error)
    status = _STATUS_OF_EXIT.get(exits.exit_code(error), 500)
    return JSONResponse(error_body(error), status)


async def _misunderstood(_request: Request, error: Exception) -> JSONResponse:
    # Names the fields and what they may be only: the values may be secrets.
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    fields = dict.fromkeys(_expected(item) for item in found)
    return JSONResponse(error_body(BadRequestError(", ".join(fields))), 400)


def _expected(fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"][1:])
    if fault["type"] == "literal_error":
        expected: str = fault["ctx"]["expected"]
        return f"{field} is {expected.replace(chr(39), '')}"
    return _VALUES.get(field.split(".")[0], field)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    _log.warning("a %s request fits nothing here: %d", request.method, status)
    return JSONResponse(error_body(BadRequestError("there is nothing at that address")), status)


async def _broken(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed: %s", type(error).__name__, exc_info=error)
    return JSONResponse(error_body(InternalError()), 500)


def _engine(request: Request) -> Engine:
    return request.app.state.engine


_router = APIRouter(prefix="/v1")


@_router.get("/status")
async def get_status(request: Request) -> views.Status:
    """How the node is; also while it is locked."""
    return _engine(request).status()


@_router.post("/unlock")
async def post_unlock(request: Request, body: UnlockBody) -> Done:
    """Open the keys with the pass phrase or the recovery words."""
    if body.passphrase is not None:
        secret: Secret | RecoveryWords = Secret(body.passphrase.get_secret_value().encode())
    elif body.recovery_words is not None:
        secret = RecoveryWords.parse(body.recovery_words.get_secret_value())
    else:
        raise BadRequestError("a pass phrase or the recovery words are needed")
    await _engine(request).unlock(secret)
    return Done()


@_router.post("/lock")
async def post_lock(request: Request) -> Done:
    """Forget the keys and end all connections."""
    await _engine(request).lock()
    return Done()


@_router.post("/shutdown")
async def post_shutdown(request: Request) -> Done:
    """End the daemon."""
    request.app.state.shut_down()
    return Done()


@_router.post("/clock/right")
async def post_clock_right(request: Request) -> views.Clock:
    """The system's clock is right."""
    return _engine(request).believe_clock()


@_router.get("/id")
async def get_id(request: Request) -> views.Identity:
    """Who this node is to others."""
    return _engine(request).identity()


@_router.post("/pair")
async def post_pair(request: Request, body: PairBody) -> StreamingResponse:
    """With a code: pair, and give the contact. Without: give a code, then the contact."""
    engine = _engine(request)
    if body.code is None:
        return lines(engine.open_pairing(body.name))
    text = body.code.get_secret_value()

    async def join() -> AsyncGenerator[views_contacts.Contact]:
        yield await engine.join_pairing(text, body.at, body.name)

    return lines(join())


@_router.get("/contacts")
async def get_contacts(request: Request) -> list[views_contacts.Contact]:
    """Everybody this node paired with."""
    return _engine(request).contacts()


@_router.get("/contacts/{name}")
async def get_contact(request: Request, name: str) -> views_contacts.Contact:
    """One of them."""
    return _engine(request).contact(name)


@_router.post("/contacts/{name}/reach")
async def post_reach(request: Request, name: str, body: ReachBody) -> views_contacts.Contact:
    """Connect a contact at an address, and remember it."""
    return await _engine(request).reach(name, body.at)


@_router.patch("/contacts/{name}")
async def patch_contact(request: Request, name: str, body: ContactBody) -> views_contacts.Contact:
    """Rename, verify, mute, block, let hold, or set what is accepted unasked and what is sent."""
    return await _engine(request).update_contact(
        name,
        rename=body.name,
        verified=body.verified,
        muted=body.muted,
        blocked=body.blocked,
        accept=body.accept,
        metadata=body.metadata,
        holder=body.holder,
        backup=body.backup,
        yes=body.yes,
        fingerprint_seen=body.fingerprint,
    )


@_router.post("/share")
async def post_share(request: Request, body: ShareBody) -> StreamingResponse:
    """Share files with contacts; a line for each state of each, and progress."""
    steps = _engine(request).share(
        body.paths,
        body.to,
        metadata=body.metadata,
        max_px=body.max_px,
        watermark=body.watermark,
        rehash=body.rehash,
        check=body.check,
        until=body.until,
        wait=body.wait,
    )
    return lines(steps)


@_router.post("/trace")
async def post_trace(request: Request, body: TraceBody) -> StreamingResponse:
    """Read the invisible marks of files; a line for each mark, or for a file without one."""
    return lines(_engine(request).trace(body.paths))


@_router.get("/inbox")
async def get_inbox(request: Request) -> list[views_library.InboxItem]:
    """Every photo that was offered to this node."""
    return _engine(request).inbox()


@_router.post("/inbox/{photo}/accept")
async def post_accept(request: Request, photo: str) -> views_library.InboxItem:
    """Fetch a photo that waits."""
    return _engine(request).decide(photo, accept=True)


@_router.post("/inbox/{photo}/decline")
async def post_decline(request: Request, photo: str) -> views_library.InboxItem:
    """Decline a photo that waits."""
    return _engine(request).decide(photo, accept=False)


@_router.get("/photos/{photo}")
async def get_photo(request: Request, photo: str) -> views_library.PhotoDetails:
    """All about a photo that is here."""
    return _engine(request).photo(photo)


@_router.post("/photos/{photo}/check")
async def post_check(request: Request, photo: str) -> views_checks.Verdict:
    """Look at a photo for signs of editing, also if that was done before."""
    return await _engine(request).check(photo)


@_router.post("/photos/{photo}/export")
async def post_export(request: Request, photo: str, body: ExportBody) -> views_library.ExportedFile:
    """Write a photo, byte-exact, into a folder of this machine."""
    return await _engine(request).export(
        photo, body.folder, keep_both=body.keep_both, rendition=body.rendition
    )


@_router.get("/photos/{photo}/{rendition}", response_class=Response)
async def get_rendition(
    request: Request, photo: str, rendition: Literal["preview", "thumbnail"]
) -> Response:
    """A JPEG for a screen, or a small one for lists; of a clip, of its first good frame."""
    return picture(await _engine(request).rendition(photo, rendition))


@_router.get("/events")
async def get_events(request: Request) -> StreamingResponse:
    """What happens, a line each, until the connection is closed."""
    engine = _engine(request)

    async def follow() -> AsyncGenerator[views.Event]:
        with engine.events.listen() as news:
            yield views.Event("listening")
            while True:
                yield await news.get()

    return lines(follow())


# Who may ask.

Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]


class Guard:
    """Lets through only who has the token (where one is asked for) and is no web page."""

    def __init__(self, app: AsgiApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await JSONResponse(error_body(refusal), 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> KinlightError | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name not in _LOCAL_HOSTS or b"origin" in headers:
            return errors.ForeignRequestError()
        if self._token is not None:
            shown = headers.get(b"authorization", b"").decode("latin-1")
            if not secrets.compare_digest(shown.encode(), f"Bearer {self._token}".encode()):
                return errors.TokenNeededError()
        return None
