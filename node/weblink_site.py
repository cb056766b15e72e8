"""The page of links, and nothing else: what a browser can ask of it over HTTP.

    GET  /l/TOKEN         the page                GET  /l/TOKEN/state   whether it opens
    GET  /s/NAME          its files               POST /l/TOKEN/offer   how a channel is made

The same under /d/ for drop links, and `GET /d/TOKEN/worker`, a script that makes an app of it.

It is written out by hand as an ASGI application, since everybody in the network may ask here: no
path is ever made into a file's name, and what is not in the table above does not exist. It knows
no part of the owner's API.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
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
    "drop.js",
    "looking.js",
    "queue.js",
    "sender.js",
    "way.js",
    "words.js",
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
    **dict.fromkeys(("icon-180.png", "icon-192.png", "icon-512.png"), "image/png"),
    **dict.fromkeys(_SCRIPTS, "text/javascript; charset=utf-8"),
}
"""What is served of the page, and as what: there is no other file."""
_BASE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "
)
_POLICY: Final = _BASE_POLICY + "img-src blob:; media-src blob:; trusted-types 'none'"
_DROP_POLICY: Final = _BASE_POLICY + (
    # Its app has an icon, and a worker: the one script that a page may name by its address.
    "img-src 'self' blob:; manifest-src blob:; worker-src 'self'; trusted-types worker"
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


LINK: Final = "l"
DROP: Final = "d"
_PAGES: Final = {LINK: "page.html", DROP: "drop.html"}


@dataclass(frozen=True, slots=True)
class Door:
    """One sort of links. `answer(link, visit, offer, source)` makes the answer to an offer that was
    proved.
    """

    known: Callable[[bytes], Signals | None]
    why_not: Callable[[bytes], PeerError | None]
    answer: Callable[[Signals, bytes, str, str], Awaitable[str]]


class Site:
    """The ASGI application of one place: `authorities` are the hosts, with ports, that it is."""

    def __init__(
        self,
        *,
        doors: Mapping[str, Door],
        wrong: Patience,
        offers: Patience,
        authorities: Iterable[str],
        secure: bool,
    ) -> None:
        """`doors` by the first part of their paths."""
        self._doors = doors
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
        if scope["raw_path"].startswith(b"/d/"):
            fields["content-security-policy"] = _DROP_POLICY
            if scope["raw_path"].endswith(b"/worker"):
                # It is to see the page itself, which lies beside it and not below.
                fields["service-worker-allowed"] = scope["raw_path"][: -len("/worker")].decode()
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
            case ["", sort, token] if reading and sort in self._doors:
                return self._page(sort, token, source)
            case ["", sort, token, "state"] if reading and sort in self._doors:
                return self._state(sort, token, source)
            case ["", sort, token, "offer"] if scope["method"] == "POST" and sort in self._doors:
                if headers.get(b"content-type") != b"application/json":
                    raise LinkOfferError
                return await self._offer(sort, token, source, scope, receive)
            case ["", "d", token, "worker"] if reading and DROP in self._doors:
                self._find(DROP, token, source)
                return 200, "text/javascript; charset=utf-8", _file("worker.js")
            case _:
                return _plain(404, "There is nothing here.")

    def _find(self, sort: str, text: str, source: str) -> Signals:
        if not self._wrong.has(source):
            raise LinkBusyError
        token = weblink.data(text, TOKEN_BYTES)
        found = None if token is None else self._doors[sort].known(token)
        if found is None:
            self._wrong.count(source)
            raise UnknownLinkError
        return found

    def _page(self, sort: str, token: str, source: str) -> Answer:
        try:
            self._find(sort, token, source)
        except PeerError as error:
            return _STATUS.get(error.code, 400), _HTML, _file("none.html")
        return 200, _HTML, _file(_PAGES[sort])

    def _state(self, sort: str, token: str, source: str) -> Answer:
        ended = self._doors[sort].why_not(self._find(sort, token, source).link)
        return _json({"state": "open"} if ended is None else _body(ended))

    async def _offer(
        self, sort: str, token: str, source: str, scope: Scope, receive: Receive
    ) -> Answer:
        signals = self._find(sort, token, source)
        if not self._offers.has(source):
            raise LinkBusyError
        self._offers.count(source)
        visit, offer, tag = _read_offer(await _read(receive))
        if not signals.is_proved(visit, offer.encode(), tag):
            self._wrong.count(source)
            raise LinkKeyError
        answer = await self._doors[sort].answer(signals, visit, offer, scope["client"][0])
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
