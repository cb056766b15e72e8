"""Asking a node over its local API: what the parts of `Node` have in common."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

import httpx

from ..crypto.errors import KinlightError
from . import contact_errors, errors, exits, photo_errors
from .errors import NotRunningError
from .views_sharing import ShareItem, ShareProgress

_JSON: Final = {"Content-Type": "application/json"}
_View = TypeVar("_View")
_Item = TypeVar("_Item")

Paths = Path | str | Sequence[Path | str]
"""One path, or several."""


class Client:
    """Sends requests to a node and reads its answers; errors come as the node raised them."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def _get(self, *path: str) -> Any:
        return await self._send("GET", path, None)

    async def _post(self, *path: str, **body: object) -> Any:
        return await self._send("POST", path, body)

    async def _bytes(self, *path: str) -> bytes:
        return await self._body(_url(path))

    async def _body(self, url: str) -> bytes:
        try:
            response = await self._client.get(url)
        except httpx.TransportError:
            raise NotRunningError from None
        if response.is_error:
            _checked(_json(response.content))
            raise errors.InternalError
        return response.content

    async def _send(self, method: str, path: Sequence[str], body: object) -> Any:
        try:
            response = await self._client.request(
                method, _url(path), content=_content(body), headers=_JSON
            )
        except httpx.TransportError:
            raise NotRunningError from None
        answer = _checked(_json(response.content))
        if response.is_error:
            raise errors.InternalError
        return answer

    async def _stream(
        self, *path: str, method: str = "POST", **body: object
    ) -> AsyncGenerator[dict[str, Any]]:
        try:
            async with self._client.stream(
                method,
                _url(path),
                content=_content(body if method == "POST" else None),
                headers=_JSON,
            ) as response:
                async for line in response.aiter_lines():
                    yield _checked(_json(line))
        except httpx.TransportError:
            raise NotRunningError from None


def several(given: Path | str | Sequence[_Item]) -> list[Path | str | _Item]:
    """A list of what was given; a text is one path or one name, never a list of its letters."""
    return [given] if isinstance(given, (str, Path)) else list(given)


def photo_segment(photo: str) -> str:
    """A photo's id as a part of a URL's path; `NoSuchPhotoError` for what can't be one."""
    return _segment(photo, photo_errors.NoSuchPhotoError)


def contact_segment(name: str) -> str:
    """A contact's name as a part of a URL's path; `NoSuchContactError` for what can't be one."""
    return _segment(name, contact_errors.NoSuchContactError)


def ticket_segment(ticket: str) -> str:
    """A ticket's id as a part of a URL's path; `NoSuchTicketError` for what can't be one."""
    return _segment(ticket, contact_errors.NoSuchTicketError)


def link_segment(link: str) -> str:
    """A link's id as a part of a URL's path; `NoSuchLinkError` for what can't be one."""
    return _segment(link, photo_errors.NoSuchLinkError)


def device_segment(device: str) -> str:
    """A device of ours as a part of a URL's path; `NoSuchOwnDeviceError` for what can't be one."""
    return _segment(device, contact_errors.NoSuchOwnDeviceError)


def album_segment(album: str) -> str:
    """An album's name as a part of a URL's path; `NoSuchAlbumError` for what can't be one."""
    return _segment(album, photo_errors.NoSuchAlbumError)


def _segment(text: str, missing: type[KinlightError]) -> str:
    """A part of a URL's path. Nothing, and dots, would lead elsewhere: they name nobody."""
    if text in ("", ".", ".."):
        raise missing(text)
    return text


def absolute(path: Path | str) -> str:
    """The daemon may stand in another folder."""
    return str(Path(path).absolute())


async def last(
    steps: AsyncGenerator[ShareItem | ShareProgress],
    progress: Callable[[ShareProgress], None] | None,
    stands: Callable[[ShareItem], None] | None = None,
) -> list[ShareItem]:
    """How each item stood at the end; `stands` is told of every change before."""
    items: dict[tuple[str, str], ShareItem] = {}
    async for step in steps:
        if isinstance(step, ShareItem):
            items[step.file, step.to] = step
            if stands is not None:
                stands(step)
        elif progress is not None:
            progress(step)
    return list(items.values())


def _url(path: Sequence[str]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _content(body: object) -> bytes | None:
    """JSON in ASCII: the path of a file may hold bytes that are no text."""
    return None if body is None else json.dumps(body).encode("ascii")


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise errors.InternalError from None


def _checked(body: Any) -> Any:
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    if "error" in fields:
        raise exits.from_code(fields["error"]["code"], fields["error"]["message"])
    return body  # pyright: ignore[reportUnknownVariableType]


def read_step(line: dict[str, Any], *kinds: type[_View]) -> _View:
    """A line of a stream as the one of `kinds` that it says it is."""
    name = line.pop("type")
    for kind in kinds:
        if kind.__name__ == name:
            return kind(**line)
    raise errors.InternalError
