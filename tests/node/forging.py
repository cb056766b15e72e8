"""Photos of somebody hostile, of which each part can be made wrong before it is sent."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO

from kinlight.crypto import blob
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.identity import DeviceChain
from kinlight.crypto.secret import Secret
from kinlight.node.mallory import Mallory
from kinlight.protocol import limits
from kinlight.protocol.capability import Audience, Capability, Caveats
from kinlight.protocol.messages import Credit, Fetch, ManifestPart, Message, Offer, Piece
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import KINDS, Envelope, Metadata, PhotoRecord, photo_id
from kinlight.protocol.transfer import Upload

Answer = Callable[[Message], list[Message]]


@dataclass
class Forgery:
    """A photo by `device` for `recipient`. Change a field, then ask for `offer()`."""

    device: LocalDevice
    recipient: DeviceChain
    content: bytes = b"a cat" * 400
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    metadata: Metadata | None = None
    caveats: Caveats | None = None
    record: PhotoRecord | None = None
    capability: Capability | None = None
    keys: dict[Kind, Secret] = field(
        default_factory=lambda: {kind: Secret(secrets.token_bytes(32)) for kind in KINDS}
    )
    blobs: dict[bytes, tuple[Manifest, bytes]] = field(
        default_factory=dict[bytes, tuple[Manifest, bytes]]
    )

    @classmethod
    def by(cls, mallory: Mallory) -> Forgery:
        assert mallory.victim is not None
        return cls(mallory.device, mallory.victim.chain)

    @property
    def photo_id(self) -> bytes:
        return photo_id(self.device.identity, self.nonce)

    def true_metadata(self) -> Metadata:
        digest = hashlib.sha256(self.content).digest()
        return Metadata("cat.jpg", "image/jpeg", 0, len(self.content), digest, "original")

    def describe(self, **changes: object) -> None:
        """Metadata that differ from the true ones."""
        self.metadata = replace(self.true_metadata(), **changes)  # type: ignore[arg-type]

    def seal(self, content: bytes, kind: Kind) -> Manifest:
        sink = BytesIO()
        manifest = blob.seal(
            BytesIO(content), len(content), sink, self.keys[kind], kind, self.photo_id
        )
        self.blobs[manifest.content_id] = (manifest, sink.getvalue())
        return manifest

    def sealed_record(self) -> PhotoRecord:
        if self.record is None:
            original = self.seal(self.content, Kind.ORIGINAL)
            encoded = (self.metadata or self.true_metadata()).encode()
            described = self.seal(encoded, Kind.METADATA)
            self.record = PhotoRecord.sign(
                self.device.signing, self.device.identity, self.nonce, original,
                described.content_id,
            )  # fmt: skip
        return self.record

    def grant(self) -> Capability:
        if self.capability is None:
            caveats = self.caveats or Caveats()
            self.capability = Capability.grant(
                self.device.signing,
                self.device.identity,
                Audience("identity", self.recipient.identity),
                replace(
                    caveats,
                    photos=caveats.photos or frozenset([self.sealed_record().photo_id]),
                    operations=caveats.operations or frozenset(["view"]),
                ),
                secrets.token_bytes(16),
            )
        return self.capability

    def offer(self) -> Offer:
        return Offer(
            Envelope.seal(
                self.device,
                self.recipient.device,
                self.recipient.kem,
                self.sealed_record(),
                self.grant(),
                self.keys,
                self.device.chain.certificates,
            )
        )

    # Serving it.

    def of_original(self, fetch: Fetch) -> bool:
        return fetch.content_id == self.sealed_record().content_id

    def manifest(self, fetch: Fetch) -> ManifestPart:
        return ManifestPart(fetch.request, self.blobs[fetch.content_id][0].encode())

    def pieces(self, fetch: Fetch) -> Iterator[Piece]:
        manifest, sealed = self.blobs[fetch.content_id]
        for index in range(manifest.pieces):
            start = blob.piece_offset(index)
            piece = sealed[start : start + manifest.piece_length(index)]
            yield Piece(fetch.request, index, piece)

    def truly(self, fetch: Fetch) -> list[Message]:
        manifest = [self.manifest(fetch)] if fetch.manifest else []
        return [*manifest, *self.pieces(fetch)]

    def serve(self, original: Callable[[Fetch], list[Message]] | None = None) -> Answer:
        """Answers fetches truly, but those of the original with `original`."""

        def react(message: Message) -> list[Message]:
            if not isinstance(message, Fetch):
                return []
            if original is not None and self.of_original(message):
                return original(message)
            return self.truly(message)

        return react

    def properly(self) -> Answer:
        """Answers fetches as a proper node does: what was asked for, within the credit."""
        uploads: dict[int, tuple[Fetch, Upload]] = {}

        def more(fetch: Fetch, upload: Upload) -> list[Message]:
            pieces = list(self.pieces(fetch))
            found: list[Message] = []
            while (index := upload.take()) is not None:
                found.append(pieces[index])
            return found

        def react(message: Message) -> list[Message]:
            match message:
                case Fetch():
                    pieces = self.blobs[message.content_id][0].pieces
                    upload = Upload(pieces, message.ranges, message.credit)
                    uploads[message.request] = message, upload
                    manifest = [self.manifest(message)] if message.manifest else []
                    return [*manifest, *more(message, upload)]
                case Credit():
                    fetch, upload = uploads[message.request]
                    upload.add_credit(message.pieces)
                    return more(fetch, upload)
                case _:
                    return []

        return react


def whole(photo: bytes, content: bytes, capability: bytes, request: int = 1) -> Fetch:
    """A fetch of all of a small blob."""
    return Fetch(request, photo, content, capability, True, ((0, 4),), limits.CREDIT)
