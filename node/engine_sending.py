"""Photos that go, as the API asks for it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

from ..protocol import errors as protocol_errors
from . import forms, grants, views_marks, views_sharing
from .engine_state import EngineState
from .errors import BadRequestError
from .following import EVENTS, Following
from .photo_errors import EndedGrantError
from .sharing import OpenWish, Wish
from .unlocked import Unlocked


class EngineSending(EngineState):
    """Photos out."""

    async def share(
        self,
        paths: list[Path],
        to: list[str],
        *,
        metadata: str | None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None,
        rehash: bool = False,
        check: bool = False,
        wait: bool,
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress]:
        """Seal, queue and, if `wait`, follow each photo until it is there or is going nowhere.

        `metadata` is the policy for all of them; None takes that of each contact. With `check` each
        photo is looked at for signs of editing before it is queued, whatever that comes to.

        Yields one item per file and contact when it is queued and one more for each change, with
        progress in between.
        """
        opened = self._unlocked()
        wish = self._wish(to, metadata, max_px, until, watermark=watermark)
        if not paths:
            raise BadRequestError("say what to share and with whom")
        async with contextlib.aclosing(
            self._follow(opened.sharing.run(paths, wish, rehash=rehash, check=check), wait=wait)
        ) as steps:
            async for step in steps:
                yield step

    async def grant(
        self,
        photos: list[str],
        to: list[str],
        *,
        album: str | None = None,
        operations: list[str] | None = None,
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        wait: bool = True,
        having: list[str] | None = None,
        by: list[str] | None = None,
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress]:
        """As `share`, for photos that are here: those of ids, and all of an album.

        `having` are attributes, in place of `to`: whoever has them all by the word of one of `by`.
        """
        opened = self._unlocked()
        chosen = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        if album is not None:
            chosen += opened.collection.photos_in(album)
        unique = list({photo.photo_id: photo for photo in chosen}.values())
        may = grants.operations(operations)
        if having:
            if to:
                raise BadRequestError("say either to whom, or what they must have")
            if watermark:
                raise protocol_errors.UnmadeRenditionError(
                    "a mark names one person, and this is for several"
                )
            whoever = self._open_wish(having, by, metadata, max_px, until, may)
            sharing = opened.sharing.grant_open(unique, whoever)
        else:
            wish = self._wish(to, metadata, max_px, until, may, watermark=watermark)
            sharing = opened.sharing.grant(unique, wish)
        if not chosen or (by and not having):
            raise BadRequestError("say which photos to grant and to whom")
        async with contextlib.aclosing(self._follow(sharing, wait=wait)) as steps:
            async for step in steps:
                yield step

    async def delegate(
        self,
        photos: list[str],
        to: list[str],
        *,
        operations: list[str] | None = None,
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress]:
        """As `grant`, for photos of others that they granted for passing on."""
        opened = self._unlocked()
        chosen = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        wish = self._wish(to, None, max_px, until, grants.operations(operations))
        if not chosen:
            raise BadRequestError("say which photos to pass on and to whom")
        key = None if device is None else _device_key(device, wish)
        unique = list({photo.photo_id: photo for photo in chosen}.values())
        async with contextlib.aclosing(
            self._follow(opened.delegating.run(unique, wish, key), wait=wait)
        ) as steps:
            async for step in steps:
                yield step

    def _wish(
        self,
        to: list[str],
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        operations: frozenset[str] = grants.VIEW,
        *,
        watermark: bool = False,
    ) -> Wish:
        opened = self._unlocked()
        self._check_terms(metadata, max_px, until, watermark=watermark)
        contacts = [opened.library.contact(name) for name in dict.fromkeys(to)]
        for contact in contacts:
            opened.doubts.check(contact)
        if not contacts:
            raise BadRequestError("say what to share and with whom")
        return Wish(contacts, metadata, max_px, until, operations, watermark=watermark)

    def _open_wish(
        self,
        having: list[str],
        by: list[str] | None,
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        operations: frozenset[str],
    ) -> OpenWish:
        self._check_terms(metadata, max_px, until)
        if operations != grants.VIEW:
            raise BadRequestError(
                "what is for whoever has an attribute can't be passed on: who gets it then could"
                " not know whether the one before has it"
            )
        demands, to = self._unlocked().granting.whoever(having, by or [])
        return OpenWish(demands, to, metadata, max_px, until, operations)

    def _check_terms(
        self,
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        *,
        watermark: bool = False,
    ) -> None:
        forms.check(metadata, max_px, watermark)
        if until is not None and until <= self._unlocked().clock():
            raise EndedGrantError

    async def _follow(
        self,
        sharing: AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress],
        *,
        wait: bool,
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress]:
        """The steps of a share as they come, and what becomes of each item after that."""
        opened = self._unlocked()
        async with contextlib.aclosing(self._steps(opened, sharing, wait=wait)) as steps:
            async for step in steps:
                yield (
                    _with_holders(opened, step)
                    if isinstance(step, views_sharing.ShareItem)
                    else step
                )

    async def _steps(
        self,
        opened: Unlocked,
        sharing: AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress],
        *,
        wait: bool,
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress]:
        with self.events.listen(EVENTS) as news:
            following = Following(news, opened.outbox.states)
            async with contextlib.aclosing(sharing):
                async for step in sharing:
                    yield step
                    if isinstance(step, views_sharing.ShareItem):
                        following.add(step)
                    for news_step in following.drain():
                        yield news_step
            opened.peers.nudge()
            if wait:
                async for step in following.until_settled(opened.peers.connected_names):
                    yield step

    async def trace(self, paths: list[Path]) -> AsyncGenerator[views_marks.TracedMark]:
        """Read the invisible marks of files: those of this library, and those that all can read."""
        async with contextlib.aclosing(self._unlocked().tracer.run(paths)) as found:
            async for mark in found:
                yield mark


def _device_key(device: str, wish: Wish) -> bytes:
    """A device of the one contact that is to have something, as it was typed."""
    if len(wish.contacts) != 1:
        raise BadRequestError("a device is of one contact")
    try:
        return bytes.fromhex(device)
    except ValueError:
        raise BadRequestError("a device is the 64 hex digits of its key") from None


def _with_holders(opened: Unlocked, item: views_sharing.ShareItem) -> views_sharing.ShareItem:
    """An item, with the names of those who hold it where it is held."""
    if item.state != "held" or item.photo_id is None:
        return item
    deliveries = opened.outbox.states(bytes.fromhex(item.photo_id))
    holders = {
        holder
        for to, delivery in deliveries
        if to == item.to and delivery.state == "held"
        for holder in opened.deposits.holders(delivery.envelope_hash)
    }
    return dataclasses.replace(item, held_by=sorted(holders))
