"""What goes out: files become sealed photos, photos become offers, offers become deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mimetypes
import os
import stat
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from ..crypto.blob import Kind
from ..crypto.errors import KinlightError, SourceChangedError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.capability import Audience, Capability, Caveats
from ..protocol.errors import (
    BusyError,
    PeerFailedError,
    StorageFullError,
    UnsupportedGrantError,
    from_wire,
)
from ..protocol.messages import Offer, OfferRefused, OfferTaken, Stored
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.photo import POLICIES, Envelope, Metadata, PhotoRecord, photo_id
from . import names
from .blobstore import BlobStore
from .errors import (
    BadRequestError,
    BlockedContactError,
    FileTooLargeError,
    NoDeviceError,
    UnreadableFileError,
)
from .events import Events
from .library import Contact, Delivery, Library, Photo, StoredBlob
from .link import Link
from .views import ShareItem, ShareProgress

OFFERS_ON_THE_WAY: Final = 256
"""Offers sent on a link and not yet answered."""
PROGRESS_SECONDS: Final = 0.2
FINAL_STATES: Final = ("delivered", "refused")

MEDIA_SUFFIXES: Final = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".avif", ".heic", ".heif", ".hif"),
        *(".tif", ".tiff", ".bmp", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
        *(".orf", ".rw2", ".raf", ".pef", ".srw"),
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".3gp", ".mts"),
    ]
)
"""What is taken from a folder. A file that is named itself is taken whatever it is."""

_HASH_STEP: Final = 1024 * 1024
_RETRIED: Final = (StorageFullError, BusyError, PeerFailedError)
"""Refusals that are about the moment, not about the photo: offered again on the next link."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, from any thread."""


def check_policy(policy: str | None) -> str:
    """The metadata policy to use. This version can only send originals, and never tacitly."""
    if policy == "original":
        return policy
    if policy is None:
        raise UnsupportedGrantError(
            "it can only send a file as it is, with place, time and camera if they are in it."
            " Say `--metadata original` if that is meant"
        )
    if policy in POLICIES:
        raise UnsupportedGrantError(f"`--metadata {policy}` needs a later version; only `original`")
    raise BadRequestError(f"metadata is one of {', '.join(POLICIES)}")


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that `paths` mean: files themselves, media files in folders and below."""
    for path in paths:
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(files):
                    file = Path(folder, name)
                    # A link in a folder that came from elsewhere could lead to any file.
                    if _is_media(name) and not file.is_symlink():
                        yield file
        else:
            yield path


def _is_media(name: str) -> bool:
    return Path(name).suffix.lower() in MEDIA_SUFFIXES and not name.startswith(".")


class Outbox:
    """Seals, signs, queues and keeps track of what goes out."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        blobs: BlobStore,
        events: Events,
        fingerprint_key: Secret,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._blobs = blobs
        self._events = events
        self._fingerprint_key = fingerprint_key
        self._entropy = entropy
        self._now = now
        self._news: dict[bytes, asyncio.Event] = {}
        self._answers: dict[bytes, asyncio.Event] = {}
        self._unanswered: dict[bytes, set[bytes]] = {}

    # Sharing.

    async def share(
        self, paths: list[Path], contacts: list[Contact], policy: str, until: int | None
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """Seal and queue each file for each contact; yields one item per file and contact.

        A file that can't be shared yields `failed` items and the others go on.
        """
        for contact in contacts:
            if contact.blocked:
                raise BlockedContactError(contact.name)
        for path in files_in(paths):
            yield ShareProgress(str(path), None, 0, 1)
            importing = _Importing(str(path))
            try:
                async for step in importing.follow(self._import(path, policy, importing.report)):
                    yield step
                photo = importing.photo()
                items = [self._queue(path, photo, contact, until) for contact in contacts]
            except KinlightError as error:
                items = [
                    ShareItem(
                        str(path), path.name, contact.name, "failed",
                        code=error.code, message=str(error),
                    )
                    for contact in contacts
                ]  # fmt: skip
            for item in items:
                yield item

    async def _import(self, path: Path, policy: str, progress: Progress) -> Photo:
        """The photo for a file: an earlier one with the same content and name, or a new one."""
        source, status = await asyncio.to_thread(_open, path)
        with source:
            length = status.st_size
            if length > limits.PHOTO_BYTES:
                raise FileTooLargeError(names.shown(path.name))
            digest = await asyncio.to_thread(_hash, source, progress, 2 * length)
            metadata = Metadata(
                name=_sendable_name(path),
                media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                modified=max(status.st_mtime_ns, 0),
                length=length,
                sha256=digest,
                policy=policy,
            )
            fingerprint = hmac.digest(self._fingerprint_key.reveal(), digest, "sha256")
            for photo in self._library.own_photo_like(self._device.identity, fingerprint):
                if photo.metadata == metadata and photo.record.content_id in self._blobs:
                    return photo
            return await self._seal(source, metadata, fingerprint, progress)

    async def _seal(
        self, source: BinaryIO, metadata: Metadata, fingerprint: bytes, progress: Progress
    ) -> Photo:
        author = self._device.identity
        nonce = self._entropy(16)
        new_id = photo_id(author, nonce)
        content_key, metadata_key = Secret(self._entropy(32)), Secret(self._entropy(32))
        source.seek(0)
        checked = _CheckedSource(source, progress, metadata.length)
        manifest = await asyncio.to_thread(
            self._blobs.seal, checked, metadata.length, content_key, Kind.ORIGINAL, new_id
        )
        if checked.digest() != metadata.sha256:
            self._blobs.remove(manifest.content_id)
            raise SourceChangedError
        encoded = metadata.encode()
        metadata_manifest = await asyncio.to_thread(
            self._blobs.seal, BytesIO(encoded), len(encoded), metadata_key, Kind.METADATA, new_id
        )
        record = PhotoRecord.sign(
            self._device.signing, author, nonce, manifest, metadata_manifest.content_id
        )
        now = self._now()
        self._library.add_photo(
            record,
            metadata,
            [
                StoredBlob(
                    record.content_id, Kind.ORIGINAL, new_id, manifest.encode(), content_key
                ),
                StoredBlob(
                    record.metadata_id, Kind.METADATA, new_id,
                    metadata_manifest.encode(), metadata_key,
                ),
            ],
            fingerprint,
            now,
        )  # fmt: skip
        return Photo(new_id, author, record, metadata, now)

    def _queue(self, path: Path, photo: Photo, contact: Contact, until: int | None) -> ShareItem:
        """Grant the photo to the contact and queue an envelope for each of its devices."""
        standing = [
            delivery
            for delivery in self._library.deliveries(photo.photo_id)
            if delivery.identity == contact.identity
            and delivery.expires == until
            and delivery.state != "refused"
        ]
        if not standing:
            capability = Capability.grant(
                self._device.signing,
                self._device.identity,
                Audience("identity", contact.identity),
                Caveats(
                    photos=frozenset([photo.photo_id]),
                    operations=frozenset(["view"]),
                    before=until,
                    rendition="original",
                ),
                self._entropy(16),
            )
            standing = self._address(photo, contact, capability)
        for delivery in standing:
            self._event_for(self._news, delivery.device).set()
        return self.outgoing(str(path), contact.name, photo, standing[0])

    def _address(self, photo: Photo, contact: Contact, capability: Capability) -> list[Delivery]:
        content = self._library.blob(photo.record.content_id)
        metadata = self._library.blob(photo.record.metadata_id)
        if content is None or metadata is None:
            raise UnreadableFileError("its sealed copy is missing")
        now = self._now()
        deliveries: list[Delivery] = []
        for chain in self._library.devices(contact.identity):
            if chain.kem_not_after <= now:
                continue  # its key is over; it shows a new one when it next connects
            envelope = Envelope.seal(
                self._device,
                chain.device,
                chain.kem,
                photo.record,
                capability,
                {Kind.ORIGINAL: content.key, Kind.METADATA: metadata.key},
                self._device.chain.certificates,
            )
            deliveries.append(
                Delivery(
                    envelope_hash=hashlib.sha256(envelope).digest(),
                    photo_id=photo.photo_id,
                    identity=contact.identity,
                    device=chain.device,
                    envelope=envelope,
                    expires=capability.expires,
                    state="queued",
                    code=None,
                    created=now,
                    updated=now,
                )
            )
        if not deliveries:
            raise NoDeviceError(contact.name)
        self._library.add_deliveries(deliveries)
        return deliveries

    def outgoing(self, file: str, to: str, photo: Photo, delivery: Delivery) -> ShareItem:
        """How a delivery looks from outside."""
        return ShareItem(
            file,
            photo.metadata.name,
            to,
            delivery.state,
            photo.photo_id.hex(),
            photo.metadata.sha256.hex(),
            photo.metadata.length,
            delivery.code,
        )

    # Delivering over one link.

    async def deliver(self, link: Link) -> None:
        """Offer everything open to the device at the other end, and what comes up later."""
        device = link.peer.device
        news = self._event_for(self._news, device)
        answers = self._event_for(self._answers, device)
        unanswered = self._unanswered[device] = set[bytes]()
        offered: set[bytes] = set()
        while True:
            news.clear()
            for delivery in self._library.open_deliveries(device):
                if delivery.envelope_hash in offered:
                    continue
                while len(unanswered) >= OFFERS_ON_THE_WAY:
                    answers.clear()
                    await answers.wait()
                offered.add(delivery.envelope_hash)
                unanswered.add(delivery.envelope_hash)
                await link.send(Offer(delivery.envelope))
            await news.wait()

    @staticmethod
    def _event_for(events: dict[bytes, asyncio.Event], device: bytes) -> asyncio.Event:
        return events.setdefault(device, asyncio.Event())

    def taken(self, device: bytes, message: OfferTaken) -> None:
        """The device keeps the offer."""
        self._answer(device, message.envelope_hash, "waiting" if message.waiting else "offered")

    def stored(self, device: bytes, message: Stored) -> None:
        """The device has the photo, whole and verified."""
        self._answer(device, message.envelope_hash, "delivered")

    def refused(self, device: bytes, message: OfferRefused) -> None:
        """The device doesn't take the photo, now or ever."""
        error = from_wire(message.code)
        state = "offered" if isinstance(error, _RETRIED) else "refused"
        self._answer(device, message.envelope_hash, state, error.code)

    def _answer(
        self, device: bytes, envelope_hash: bytes, state: str, code: str | None = None
    ) -> None:
        delivery = self._library.delivery(envelope_hash)
        if delivery is None or delivery.device != device:
            return  # nobody can move another device's delivery
        if device in self._unanswered:
            self._unanswered[device].discard(envelope_hash)
            self._event_for(self._answers, device).set()
        if delivery.state in FINAL_STATES or (delivery.state, delivery.code) == (state, code):
            return
        now = self._now()
        self._library.set_delivery_state(envelope_hash, state, code, now)
        contact = self._library.contact_of(delivery.identity)
        self._events.publish(
            "delivery",
            photo=delivery.photo_id.hex(),
            to=contact.name if contact else "",
            state=state,
            code=code,
        )

    def states(self, photo: bytes) -> list[tuple[str, Delivery]]:
        """(contact's name, delivery) for each delivery of a photo."""
        found: list[tuple[str, Delivery]] = []
        for delivery in self._library.deliveries(photo):
            contact = self._library.contact_of(delivery.identity)
            found.append((contact.name if contact else "", delivery))
        return found


class _Importing:
    """Runs an import and hands out its progress, which comes from threads, in between."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._latest: tuple[int, int] = (0, 1)
        self._task: asyncio.Task[Photo] | None = None

    def report(self, done: int, total: int) -> None:
        """Called from any thread; only the latest counts."""
        self._latest = (done, total)

    async def follow(self, work: Coroutine[None, None, Photo]) -> AsyncGenerator[ShareProgress]:
        """Run `work`; yields progress about five times a second. Errors show in `photo`."""
        task = self._task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PROGRESS_SECONDS)
                yield ShareProgress(self._file, None, *self._latest)
        finally:
            if not task.done():
                task.cancel()

    def photo(self) -> Photo:
        """The result of `follow`, or its error."""
        if self._task is None:
            raise ValueError("not followed")
        return self._task.result()


def _open(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a regular file for reading. A pipe or a device is let go without waiting for it."""
    shown = names.shown(str(path))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise UnreadableFileError(f"{shown} is not a file")
        return os.fdopen(descriptor, "rb"), status
    except OSError as error:
        raise UnreadableFileError(f"{shown}, {error.strerror}") from None


def _hash(source: BinaryIO, progress: Progress, total: int) -> bytes:
    digest = hashlib.sha256()
    done = 0
    try:
        while block := source.read(_HASH_STEP):
            digest.update(block)
            done += len(block)
            progress(done, total)
    except OSError as error:
        raise UnreadableFileError(error.strerror or "") from None
    return digest.digest()


def _sendable_name(path: Path) -> str:
    """The file's name as metadata: lone surrogates (bytes that are no UTF-8) are replaced."""
    name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(name.encode()) <= limits.NAME_BYTES:
        return name
    return names.file_name(name)


class _CheckedSource:
    """Reads through to a file and hashes what goes by, so that a change is noticed."""

    def __init__(self, source: BinaryIO, progress: Progress, length: int) -> None:
        self._source = source
        self._progress = progress
        self._length = length
        self._done = length  # the first half of the work was the hash
        self._digest = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """The next bytes of the file."""
        try:
            block = self._source.read(size)
        except OSError as error:
            raise UnreadableFileError(error.strerror or "") from None
        self._digest.update(block)
        self._done += len(block)
        self._progress(self._done, 2 * self._length)
        return block

    def digest(self) -> bytes:
        """SHA-256 of what was read."""
        return self._digest.digest()
