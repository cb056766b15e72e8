"""The part of `Node` about access: grants, attributes, rules, taking back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from . import views_access
from .client import Client, last, read_step, several
from .views_access import Attribute, Explanation, Grant, Policy, Revocation
from .views_sharing import Receipt, ShareItem, ShareProgress


class NodeAccess(Client):
    """Who may see which photo, in which form, until when; see `node.Node`."""

    async def grant(
        self,
        photos: Sequence[str],
        who: Sequence[str] = (),
        *,
        having: Sequence[str] = (),
        by: Sequence[str] = (),
        album: str | None = None,
        operations: Sequence[str] = ("view",),
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """As `share`, for photos that are here, by id or the beginning of it, and of an album.

        `operations` are `view` and, for who may pass it on once, `reshare` (which does not go with
        `having`). A photo that somebody else signed is a `failed` item.

        In place of `who`, `having` names attributes, each `NAME=VALUE`: the photo is for every
        contact of whom all of them are said by one of `by` (contacts, or `me`, which is what none
        means), now and whenever that comes to be said, while the grant holds. It goes without its
        place if `metadata` says nothing else. The result has an item in the state `open` for each
        grant, beside one for each contact who gets it now.
        """
        steps = self.grant_steps(
            photos, who, having=having, by=by, album=album, operations=operations,
            metadata=metadata, max_px=max_px, watermark=watermark, until=until, wait=wait,
        )  # fmt: skip
        return await last(steps, progress)

    async def grant_steps(
        self,
        photos: Sequence[str],
        who: Sequence[str] = (),
        *,
        having: Sequence[str] = (),
        by: Sequence[str] = (),
        album: str | None = None,
        operations: Sequence[str] = ("view",),
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `grant`, but yields every step."""
        async for line in self._stream(
            "grants", photos=several(photos), to=several(who), having=several(having),
            by=several(by), album=album,
            operations=list(operations), metadata=metadata, max_px=max_px, watermark=watermark,
            until=until, wait=wait,
        ):  # fmt: skip
            yield read_step(line, ShareItem, ShareProgress)

    async def delegate(
        self,
        photos: Sequence[str],
        who: Sequence[str],
        *,
        operations: Sequence[str] = ("view",),
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> list[ShareItem]:
        """Pass on photos that others granted with `reshare`, as they came, until `until` or their
        own end, whichever is earlier.

        `device` is the key of the one device of the one contact that gets it. With `max_px` what is
        larger fails: only its author could make it smaller. What may not be passed on is a `failed`
        item: `not-for-passing-on`, `passed-on-enough`, `own-photo`, `passed-back`, or why the grant
        has ended.
        """
        steps = self.delegate_steps(
            photos, who, operations=operations, max_px=max_px, until=until, device=device, wait=wait
        )
        return await last(steps, progress)

    async def delegate_steps(
        self,
        photos: Sequence[str],
        who: Sequence[str],
        *,
        operations: Sequence[str] = ("view",),
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """As `delegate`, but yields every step."""
        async for line in self._stream(
            "delegations", photos=several(photos), to=several(who), operations=list(operations),
            max_px=max_px, until=until, device=device, wait=wait,
        ):  # fmt: skip
            yield read_step(line, ShareItem, ShareProgress)

    async def receipts(self, photo: str, who: str | None = None) -> list[Receipt]:
        """Receipts that came for a photo and the copies of it that went, of all or of one contact.

        Each is a device's signed word that it stored and verified what was sent to it; not that
        anybody saw it. `photo` is its id or the beginning of it. Raises `NoSuchPhotoError`,
        `NoSuchContactError`.
        """
        found = await self._post("receipts", "list", photo=photo, who=who)
        return [Receipt(**item) for item in found]

    async def grants(self, *, who: str | None = None, photo: str | None = None) -> list[Grant]:
        """What was granted since version 0.2.0, the oldest first."""
        found = await self._post("grants", "list", who=who, photo=photo)
        return [Grant(**item) for item in found]

    async def attest(self, who: str, attribute: str, *, until: int | None = None) -> Attribute:
        """Say that a contact has an attribute, `NAME=VALUE`; a role is the attribute `role`.

        It holds for 90 days, or until `until` before that, and can be said again at any time. By
        itself it gives nobody anything: rules and grants ask for it.
        """
        body = await self._post("attributes", who=who, attribute=attribute, until=until)
        return Attribute(**body)

    async def unattest(self, who: str, attribute: str) -> list[Attribute]:
        """Take that back; `NotGrantedError` if it was not said here."""
        found = await self._post("attributes", "off", who=who, attribute=attribute)
        return [Attribute(**item) for item in found]

    async def attributes(self, who: str | None = None) -> list[Attribute]:
        """What is said of a contact, or of everybody."""
        return [Attribute(**item) for item in await self._post("attributes", "list", who=who)]

    async def show_attribute(
        self, attribute: str, to: str, *, by: str | None = None, off: bool = False
    ) -> list[Attribute]:
        """Let a contact know what others say of us, `NAME=VALUE`, so that it can count there.

        That is what its rules and its grants to whoever has an attribute may need. `by` chooses
        one of those who say it; with none, all who say it now. It holds for what they say anew when
        that has ended. `off` ends it; what the contact was told it knows. `NotGrantedError` if
        nobody says it.
        """
        found = await self._post("attributes", "shown", attribute=attribute, to=to, by=by, off=off)
        return [Attribute(**item) for item in found]

    async def policy(self) -> Policy:
        """The owner's rules; an empty text if there are none."""
        return Policy(**await self._get("policy"))

    async def set_policy(self, text: str) -> Policy:
        """Take the rules of a TOML text in place of all others; see docs/policy.md.

        From then on what no rule allows is neither granted nor served. An empty text ends that.
        `BadPolicyError` names the rule and the field, and changes nothing.
        """
        return Policy(**await self._send("PUT", ("policy",), {"text": text}))

    async def explain(
        self, who: str, photo: str, *, operation: str = "view", network: str | None = None
    ) -> Explanation:
        """What would be said to a contact who asks now, and why.

        `network` is `lan` or `internet`; without it, the better of the two.
        """
        body = await self._post(
            "explain", who=who, photo=photo, operation=operation, network=network
        )
        found = [views_access.JudgedGrant(**item) for item in body.pop("grants")]
        return Explanation(**body, grants=found)

    async def revoke(
        self,
        grant: str | None = None,
        *,
        who: str | None = None,
        photo: str | None = None,
        device: str | None = None,
    ) -> list[Revocation]:
        """Take back a grant by its hash, all grants of `photo` to `who`, or a device of ours.

        A grant to whoever has an attribute is taken back from all, by its hash. It counts here at
        once, and at contacts as soon as they hear of it: those who are connected now, the others
        when they come. What was fetched can't be called back; an honest node shows it no more.
        Raises `NotGrantedError`.
        """
        found = await self._post("revoke", grant=grant, who=who, photo=photo, device=device)
        return [Revocation(**item) for item in found]
