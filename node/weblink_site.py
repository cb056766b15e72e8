"""The page of links, and nothing else: what a browser can ask of it over HTTP.

    GET  /l/TOKEN         the page                GET  /l/TOKEN/state   whether it opens
    GET  /s/NAME          its files               POST /l/TOKEN/offer   how a channel is made

It is written out by hand as an ASGI application, since everybody in the network may ask here: no
path is ever made into a file's name, and what is not in the table above does not exist. It knows
no part of the owner's API.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from ..crypto.errors import KinlightError, PeerError
from ..crypto.link_keys import TAG_BYTES, TOKEN_BYTES, VISIT_BYTES, Signals
from ..protocol import limits, weblink
from ..protocol.weblink_errors import (
    LinkBusyError,
    LinkKeyError,
    LinkOfferError,
    UnknownLinkError,
)
from .addresses import source_of
from .errors import InternalError

WINDOW_SECONDS: Final = 60.0
WRONG_EACH: Final = 20
"""Wrong tokens and keys from one address in `WINDOW_SECONDS`."""
WRONG: Final = 200
"""The same from all."""
OFFERS_EACH: Final = 20
OFFERS: Final = 100
SOURCES: Final = 1024
"""Addresses that are counted at a time; while there are more, new ones wait."""
BODY_SECONDS: Final = 10.0
_BODY_BYTES: Final = 2 * limits.LINK_OFFER_BYTES

_WEB: Final = Path(__file__).parent / "web"
_HTML: Final = "text/html; charset=utf-8"
_SCRIPTS: Final = (
    "page.js",
    "receiver.js",
    "blobs.js",
    "primitives.js",
    "store.js",
    "archive.js",
    "noble-ciphers/aes.js",
    "noble-ciphers/utils.js",
    "noble-ciphers/_polyval.js",
    "noble-hashes/sha2.js",
    "noble-hashes/hmac.js",
    "noble-hashes/utils.js",
    "noble-hashes/_md.js",
    "noble-hashes/_u64.js",
)
FILES: Final = {
    "page.css": "text/css; charset=utf-8",
    **dict.fromkeys(_SCRIPTS, "text/javascript; charset=utf-8"),
}
"""What is served of the page, and as what: there is no other file."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, str, bytes]


class Patience:
    """Counts what comes from each address, and in all, within `WINDOW_SECONDS`."""

    def __init__(self, each: int, most: int, clock: Callable[[], float]) -> None:
        self._each = each
        self._most = most
        self._clock = clock
        self._all: deque[float] = deque()
        self._sources: dict[str, deque[float]] = {}

    def has(self, source: str) -> bool:
        """Whether one more may come from there."""
        self._forget()
        if source not in self._sources and len(self._sources) >= SOURCES:
            return False
        return len(self._all) < self._most and len(self._sources.get(source, ())) < self._each

    def count(self, source: str) -> None:
        """One came."""
        now = self._clock()
        self._all.append(now)
        self._sources.setdefault(source, deque()).append(now)

    def _forget(self) -> None:
        before = self._clock() - WINDOW_SECONDS
        while self._all and self._all[0] <= before:
            self._all.popleft()
        for source, times in list(self._sources.items()):
            while times and times[0] <= before:
                times.popleft()
            if not times:
                del self._sources[source]


class Site:
    """The ASGI application of one place: `authorities` are the hosts, with ports, that it is."""

    def __init__(
        self,
        *,
        known: Callable[[bytes], Signals | None],
        why_not: Callable[[bytes], PeerError | None],
        answer: Callable[[Signals, bytes, str, str], Awaitable[str]],
        wrong: Patience,
        offers: Patience,
        authorities: Iterable[str],
        secure: bool,
    ) -> None:
        """`answer(link, visit, offer, source)` makes the answer to an offer that was proved."""
        self._known = known
        self._why_not = why_not
        self._answer = answer
        self._wrong = wrong
        self._offers = offers
        self._authorities = frozenset(each.lower() for each in authorities)
        self._origins = {f"{'https' if secure else 'http'}://{each}" for each in self._authorities}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        try:
            status, media_type, body = await self._respond(scope, receive)
        except PeerError as error:
            status, media_type, body = _failed(error)
        except Exception as error:
            _log.exception("a request to the page of links failed: %s", type(error).__name__)
            status, media_type, body = _failed(InternalError())
        fields = {**HEADERS, "content-type": media_type, "content-length": str(len(body))}
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if _is_head(scope) else body})

    async def _respond(self, scope: Scope, receive: Receive) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self._authorities:
            # A foreign page whose name leads here (DNS rebinding) must not become its own origin.
            return _plain(421, "There is nothing here.")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in self._origins:
            return _plain(403, "There is nothing here for other pages.")
        path = scope["raw_path"].split(b"?")[0].decode("latin-1")
        source = source_of((scope.get("client") or ("", 0))[0])
        reading = scope["method"] in ("GET", "HEAD")
        if path.startswith("/s/") and reading and path[3:] in FILES:
            return 200, FILES[path[3:]], _file(path[3:])
        match path.split("/"):
            case ["", "l", token] if reading:
                return self._page(token, source)
            case ["", "l", token, "state"] if reading:
                return self._state(token, source)
            case ["", "l", token, "offer"] if scope["method"] == "POST":
                if headers.get(b"content-type") != b"application/json":
                    raise LinkOfferError
                return await self._offer(token, source, scope, receive)
            case _:
                return _plain(404, "There is nothing here.")

    def _find(self, text: str, source: str) -> Signals:
        if not self._wrong.has(source):
            raise LinkBusyError
        token = weblink.data(text, TOKEN_BYTES)
        found = None if token is None else self._known(token)
        if found is None:
            self._wrong.count(source)
            raise UnknownLinkError
        return found

    def _page(self, token: str, source: str) -> Answer:
        try:
            self._find(token, source)
        except PeerError as error:
            return _STATUS.get(error.code, 400), _HTML, _file("none.html")
        return 200, _HTML, _file("page.html")

    def _state(self, token: str, source: str) -> Answer:
        ended = self._why_not(self._find(token, source).link)
        return _json({"state": "open"} if ended is None else _body(ended))

    async def _offer(self, token: str, source: str, scope: Scope, receive: Receive) -> Answer:
        signals = self._find(token, source)
        if not self._offers.has(source):
            raise LinkBusyError
        self._offers.count(source)
        visit, offer, tag = _read_offer(await _read(receive))
        if not signals.is_proved(visit, offer.encode(), tag):
            self._wrong.count(source)
            raise LinkKeyError
        answer = await self._answer(signals, visit, offer, scope["client"][0])
        proof = signals.answer_tag(visit, offer.encode(), answer.encode())
        return _json({"answer": answer, "tag": weblink.text(proof)})


_STATUS: Final = {
    "link-unknown": 404, "link-busy": 429, "link-expired": 410, "link-revoked": 410,
    "link-used-up": 410, "link-key": 403, "internal": 500,
}  # fmt: skip


@cache
def _file(name: str) -> bytes:
    """One of the page's files. Only names that stand in this module come here."""
    return (_WEB / name).read_bytes()


def _is_head(scope: Scope) -> bool:
    return scope["method"] == "HEAD"


def _plain(status: int, text: str) -> Answer:
    return status, "text/plain; charset=utf-8", text.encode()


def _json(value: object, status: int = 200) -> Answer:
    return status, "application/json", json.dumps(value).encode()


def _body(error: KinlightError) -> dict[str, object]:
    # Without a detail: that is for the owner.
    return {"error": {"code": error.code, "message": error.sentence()}}


def _failed(error: KinlightError) -> Answer:
    return _json(_body(error), _STATUS.get(error.code, 400))


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise LinkOfferError
                body += message.get("body", b"")
                if len(body) > _BODY_BYTES:
                    raise LinkOfferError
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise LinkOfferError from None


def _read_offer(body: bytes) -> tuple[bytes, str, bytes]:
    """The visit, the offer as text, and the tag."""
    try:
        found: Any = json.loads(body)
        visit = weblink.data(found["visit"], VISIT_BYTES)
        tag = weblink.data(found["tag"], TAG_BYTES)
        offer = found["offer"]
        if visit is None or tag is None or not isinstance(offer, str):
            raise LinkOfferError
        offer.encode()  # lone surrogates are no text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LinkOfferError from None
    return visit, offer, tag
