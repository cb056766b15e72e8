"""Photos, albums and folders of this node, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field

from .views_checks import Verdict
from .views_sharing import DeliveryState


@dataclass(frozen=True, slots=True)
class ImportItem:
    """One file on its way into the library.

    `state` is `imported`, `present` (a photo of the same content was here, under whatever name),
    `unchanged` (it was imported before and not read again) or `failed`; `code` and `message` say
    why. `refused` says why the picture does not open: it is kept as it is all the same.
    """

    file: str
    name: str
    state: str
    id: str | None = None
    bytes: int = 0
    album: str | None = None
    refused: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How many files are done, of how many; while `counting` holds more are being found."""

    done: int
    total: int
    counting: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class LibraryItem:
    """A photo of the library, as lists and searches show it.

    `captured` is ISO 8601, with a zone where the file has one, out of the field that
    `captured_source` names; `width` and `height` are upright. `position` (latitude, longitude in
    degrees) and `place` are shown on this machine only. `people` are the contacts whose photo it
    is, who sent it or to whom it was shared; `own` says that it is this node's. `clip` is the id
    of a live photo's clip, which is no item of its own. `c2pa` is `none`, `valid`,
    `valid-untrusted` or `invalid`; it is None until the picture was looked at. `refused` says why
    the picture does not open. `tags` and `sensitivity` (`low`, `normal`, `high`) are what somebody
    here said of it. `ended` says why a photo of somebody else is not to be seen any more,
    `grant-expired`, `grant-revoked` or `attribute-missing`; its name is empty then, and nothing is
    said of its picture. `verdict` is the word of `Verdict`, None until the photo was checked.
    """

    id: str
    name: str
    media_type: str
    bytes: int
    modified: int
    added: int
    policy: str
    own: bool
    captured: str | None = None
    captured_source: str | None = None
    camera: str | None = None
    width: int | None = None
    height: int | None = None
    position: list[float] | None = None
    place: str | None = None
    c2pa: str | None = None
    refused: str | None = None
    clip: str | None = None
    albums: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    sensitivity: str = "normal"
    people: list[str] = field(default_factory=list[str])
    ended: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Album:
    """Photos that were put together; `photos` counts them, a live photo as one."""

    name: str
    photos: int
    created: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that the node keeps up.

    A `mirror` gets every photo of its `album`, or from its `contact`; its `state` is `up-to-date`,
    `working`, `missing` (the folder is not there; it goes on when it is back) or `failed`. A
    `watch` takes what appears in it, into `album` or those named like its folders, and shares it
    with `to` under the policy `metadata` (None: each contact's own); its state is `watching`,
    `missing` or `failed`. `message` says what went wrong last. `photos` counts those that were
    written, or taken and shared. `there` counts the files that lay in a watched folder when the
    watch was begun; only the answer to that tells.
    """

    path: str
    kind: str
    state: str
    album: str | None = None
    contact: str | None = None
    to: list[str] = field(default_factory=list[str])
    metadata: str | None = None
    photos: int = 0
    message: str | None = None
    there: int | None = None


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A photo that a contact offered.

    `state` is `waiting` (for `accept` or `decline`; nothing was fetched), `accepted` (on its way),
    `stored`, `declined`, `refused`, or `ended` (all grants of what is here have ended or were taken
    back); `code` says why it was refused or has ended, or what delays it. `name`, `sha256` and the
    exact size are told while it is stored; `bytes` is the padded size otherwise. `author` is the
    contact whose photo it is, None if that is nobody known: then `sender` passed it on.
    `author_fingerprint` is of the author in any case. `verdict` is None until the photo is checked.

    With `by_link` a browser offers it by the drop link of that name: then `name`, `sha256` and the
    exact size are what it says, nobody signed anything, and `id` is the photo's once it is stored.
    """

    id: str
    sender: str
    state: str
    bytes: int
    received: int
    expires: int | None
    name: str | None = None
    sha256: str | None = None
    code: str | None = None
    message: str | None = None
    pieces: int | None = None
    pieces_total: int | None = None
    author: str | None = None
    author_fingerprint: str = ""
    verdict: Verdict | None = None
    by_link: bool = False


@dataclass(frozen=True, slots=True)
class PhotoDetails:
    """All that is known about a photo that is here.

    `signature` is `valid`: a photo whose record does not verify is never stored. `author` is the
    contact's name, or None if the author is no contact; `own` says that it is this node's identity.
    `senders` are the contacts who sent it: its author, or who passed it on.
    `deliveries` are those of the photo and of its copies for sharing. `captured` to `place` are as
    in `LibraryItem`. `verdict` is None until the photo was checked. `away` says that it was let go,
    as somebody else has it: `Node.space_fetch` brings it back.
    """

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    modified: int
    policy: str
    own: bool
    author: str | None
    author_fingerprint: str
    author_device: str
    signature: str
    content_id: str
    added: int
    expires: int | None
    deliveries: list[DeliveryState] = field(default_factory=list[DeliveryState])
    captured: str | None = None
    captured_source: str | None = None
    camera: str | None = None
    width: int | None = None
    height: int | None = None
    c2pa: str | None = None
    refused: str | None = None
    clip: str | None = None
    albums: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    sensitivity: str = "normal"
    position: list[float] | None = None
    place: str | None = None
    senders: list[str] = field(default_factory=list[str])
    verdict: Verdict | None = None
    away: bool = False


@dataclass(frozen=True, slots=True)
class RemovedPhoto:
    """A photo that is in the library no more.

    `people` are the contacts to whom it had gone, itself or as a copy: what they have stays.
    """

    id: str
    name: str
    people: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """Where a photo was written; `already` if the very same file was there before.

    `clip` is the clip of a live photo, which was written beside it.
    """

    id: str
    path: str
    sha256: str
    bytes: int
    already: bool
    clip: ExportedFile | None = None


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """A copy of a file under a metadata policy.

    `path` is where it was written, or was `already`, the very same; `left_out` says in words what
    it lacks, and `format` what it is by content. If there is none, `code` and `message` say why.
    """

    file: str
    path: str | None
    policy: str
    left_out: list[str] = field(default_factory=list[str])
    format: str | None = None
    already: bool = False
    code: str | None = None
    message: str | None = None
