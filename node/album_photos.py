"""Photos of albums as they travel: which are to be fetched, by which grant, and who may have them.

A member shows the capability that the log gave to it with its role. Who serves looks at the log as
well: whoever is not in the album now gets nothing, whatever it shows (docs/spec/album.md).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator

from ..crypto.blob import Kind
from ..crypto.errors import SealBrokenError
from ..crypto.identity import DeviceChain
from ..protocol.album_errors import AlbumDeniedError, NoAlbumKeyError
from ..protocol.album_feed import Photo as PhotoAct
from ..protocol.album_log import Member
from ..protocol.album_roles import caveats
from ..protocol.album_view import AlbumPhoto
from ..protocol.capability import Audience, Capability, Request
from ..protocol.errors import (
    DeniedError,
    GoneError,
    RevokedGrantError,
    StaleRevocationsError,
    UnknownPeerError,
)
from ..protocol.opening import Entropy, LocalDevice
from .album_shelf import SharedAlbum, Shelf
from .album_storage import AlbumStore
from .copies import Copies
from .database import Database
from .library import IncomingOffer, Library, Photo
from .papers import Papers
from .rules import Rules

_log = logging.getLogger(__name__)


class AlbumPhotos:
    """Notes what is to come, and judges who asks for what is here."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        store: AlbumStore,
        shelf: Shelf,
        copies: Copies,
        papers: Papers,
        rules: Rules,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._library = library
        self._store = store
        self._shelf = shelf
        self._copies = copies
        self._papers = papers
        self._rules = rules
        self._entropy = entropy
        self._now = now
        self._own: dict[bytes, Capability] = {}

    # What is to come.

    def expect(self, shared: SharedAlbum) -> None:
        """Note the photos of an album that we joined and of which the keys are here."""
        if shared.state != "joined":
            return
        hidden = self._store.hidden(shared.album_id)
        new: list[IncomingOffer] = []
        for photo_id, photo in shared.album.view.photos.items():
            if photo.added.digest in shared.expected:
                continue
            try:
                offer = self._offer(shared, photo)
            except NoAlbumKeyError:
                continue  # it comes
            except SealBrokenError:
                _log.info("the keys of a photo in an album do not open")
                offer = None
            shared.expected.add(photo.added.digest)
            own = photo.photo.record.device == self._device.signing.public
            if offer is not None and photo_id not in hidden and not own:
                new.append(offer)
        if new:
            with self._db.transaction():
                for offer in new:
                    self._store.expect(offer)

    def _offer(self, shared: SharedAlbum, photo: AlbumPhoto) -> IncomingOffer:
        entry, now = photo.added, self._now()
        keys = shared.keys.unwrap_photo(photo.photo)
        return IncomingOffer(
            envelope_hash=entry.digest,
            photo_id=photo.photo.record.photo_id,
            identity=entry.identity,
            device=entry.device,
            record=photo.photo.record,
            capability=b"",
            content_key=keys[Kind.ORIGINAL],
            metadata_key=keys[Kind.METADATA],
            state="accepted",
            code=None,
            received=min(entry.time, now),
            updated=now,
            album=shared.album_id,
        )

    def is_wanted(self, offer: IncomingOffer) -> bool:
        """Whether a photo that was noted is still to come."""
        shared = self._shelf.get(offer.album or b"")
        return (
            shared is not None
            and shared.state == "joined"
            and offer.photo_id in shared.album.view.photos
        )

    def bringers(self, photo_id: bytes) -> dict[bytes, bytes]:
        """The devices that may have a photo which came by an album, and what we show to each."""
        found: dict[bytes, bytes] = {}
        for album_id in self._store.came_by(photo_id):
            shared = self._shelf.get(album_id)
            with contextlib.suppress(AlbumDeniedError):
                grant = self.grant(album_id)
                if shared is not None:
                    found |= dict.fromkeys(shared.album.view.devices, grant)
        found.pop(self._device.signing.public, None)
        return found

    # By which grant we ask.

    def grant(self, album_id: bytes) -> bytes:
        """What this node shows: the newest capability that the log gave to us; as the owner, one of
        our own. Raises `AlbumDeniedError` if we are not in the album.
        """
        shared, us = self._shelf.get(album_id), self._device.identity
        if shared is None or us not in shared.album.view.members:
            raise AlbumDeniedError
        graph, counting = shared.album.graph, shared.album.authority.counting
        if us == graph.owner:
            return self._as_owner(album_id).encoded
        for number in range(len(graph.entries) - 1, -1, -1):
            for op in graph.entries[number].ops:
                if counting >> number & 1 and isinstance(op, Member) and op.identity == us:
                    return op.capability.encoded
        raise AlbumDeniedError

    def _as_owner(self, album_id: bytes) -> Capability:
        if album_id not in self._own:
            us = self._device.identity
            self._own[album_id] = Capability.grant(
                self._device.signing,
                us,
                Audience("identity", us),
                caveats(album_id, "admin"),
                self._entropy(16),
            )
        return self._own[album_id]

    # Who asks.

    @staticmethod
    def is_of_album(capability: Capability) -> bool:
        """Whether a chain is for an album, and not for photos by name."""
        first = capability.links[0].caveats
        return first.album is not None and first.photos is None

    def serve(
        self, capability: Capability, peer: DeviceChain, photo_id: bytes, network: str
    ) -> Photo:
        """The photo, if this peer may have it now by a role in an album; else raises why not.

        Who is not in the album is told no more than of an album that there is not.
        """
        found = self._admit(self._shown_in(capability, peer), capability, peer, photo_id, network)
        photo = self._library.photo(photo_id)
        if photo is None or photo.record.signed != found.photo.record.signed:
            raise GoneError
        return photo

    def previews(
        self, capability: Capability, peer: DeviceChain, entries: Iterable[bytes], network: str
    ) -> Iterator[tuple[bytes, bytes]]:
        """Of these entries, which add photos, the previews that are here and that this peer may
        have, each with its entry; as `serve`.
        """
        shared = self._shown_in(capability, peer)
        for digest in entries:
            entry = shared.album.feeds.entries.get(digest)
            if entry is None or not isinstance(entry.act, PhotoAct):
                continue
            with contextlib.suppress(DeniedError, GoneError):
                photo_id = entry.act.record.photo_id
                self._admit(shared, capability, peer, photo_id, network)
                sealed = self._store.preview(shared.album_id, digest)
                if sealed is not None:
                    yield digest, sealed

    def _shown_in(self, capability: Capability, peer: DeviceChain) -> SharedAlbum:
        """The album of a capability that this peer shows, in which it is now."""
        shared = self._shelf.get(capability.links[0].caveats.album or b"")
        if shared is None or not shared.has(peer):
            raise UnknownPeerError
        self._verify(shared, capability)
        return shared

    def _admit(
        self,
        shared: SharedAlbum,
        capability: Capability,
        peer: DeviceChain,
        photo_id: bytes,
        network: str,
    ) -> AlbumPhoto:
        """The photo of the album, if it counts and the peer may have it. Our own rules are about
        what is ours.
        """
        self._judge(shared, capability, peer, photo_id, network)
        found = shared.album.view.photos.get(photo_id)
        if found is None:
            raise GoneError
        if found.photo.record.author != self._device.identity:
            return found
        if not self._store.is_here(photo_id):
            raise GoneError
        photo = self._library.photo(photo_id) if self._rules.there else None
        if photo is not None:
            given = self._copies.rendition(photo)
            self._rules.serve(photo_id, peer.identity, peer.device, network, given)
        return found

    @staticmethod
    def _verify(shared: SharedAlbum, capability: Capability) -> None:
        graph = shared.album.graph
        signers = {
            link.signer: link.issuer
            for link in capability.links
            if (link.issuer, link.signer) in graph.let_in
            or link.signer == link.issuer == graph.owner
        }
        capability.verify(graph.owner, signers)

    def _judge(
        self,
        shared: SharedAlbum,
        capability: Capability,
        peer: DeviceChain,
        photo_id: bytes,
        network: str,
    ) -> None:
        request = Request(
            identity=peer.identity,
            device=peer.device,
            photo_id=photo_id,
            operation="view",
            rendition=shared.album.view.tier,
            now=self._now(),
            albums=frozenset([shared.album_id]),
            network=network,
        )
        verdict = capability.judge(request)
        # The log was just asked who is in the album, and no list of revocations is newer.
        if verdict.error is not StaleRevocationsError:
            verdict.enforce()
        revoked = self._papers.revocations.revokes
        for link in capability.links:
            if any(revoked(issuer, link.signed.digest()) for issuer in capability.issuers):
                raise RevokedGrantError
