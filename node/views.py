"""What the node shows: the values of the Python API, and the JSON of the local API and of `--json`.

Ids, keys and hashes are lower-case hex, times whole seconds since 1970 UTC, sizes bytes. Names and
file names that came from other people may hold any character: show them with `names.shown`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .views_siblings import DeviceStanding


@dataclass(frozen=True, slots=True)
class Connection:
    """A contact that is connected now; `path` is `lan`, `direct`, `relay` or `webrtc`.

    `address` is the other end, `interface` the network interface of this machine that leads there
    (where it is known), and `since` when the connection came up.
    """

    contact: str
    path: str
    address: str
    interface: str | None
    since: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A contact that is not connected and not blocked, and how it was looked for.

    `last_seen` is when one of their devices was last here. `address` is where they were tried last,
    `tried` when, and `outcome` how that went: `no-answer`, `refused` (nobody listens there),
    `no-way` (this machine's network does not lead there), `unknown-name`, `somebody-else` (another
    node answered), `broken-off`, or `reached`. All null before the first try of this start.
    """

    contact: str
    last_seen: int | None
    address: str | None = None
    tried: int | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """The time: `now` is what grants and rules are judged by, `system` what this machine says.

    `witnessed` is a moment that this node saw and that lies more than five minutes after `system`:
    one of the two clocks was wrong. It is shown and not judged by; null is how it should be.
    """

    now: int
    system: int
    witnessed: int | None = None


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A node that is asked first in look-ups; `reason` says why it can't be used, if it can't."""

    address: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """How the node is. A locked node tells only that, its version and its process.

    `discovery` is `mdns`, `blocked` (then `discovery_reason` says why) or `off`; in its first
    seconds it is `looking`, and that no other node was seen says nothing. `sandbox` is how
    pictures are caged when they are opened: `seccomp`, `rlimits` or `process`; `off` for the first
    seconds. `libraries` are those that open them, by name and version. `wide` says whether the wide
    area is `off`, `starting`, `on` or `failed` (then `wide_reason` says why); `wide_addresses` are
    those by which this node can be reached there, as far as it can know, `wide_bootstraps` those
    whom it asks first where contacts are. `invitations` counts the shared albums that somebody let
    this node into and that nobody here has joined or left yet. `devices` are the others of this
    person. `readiness` is what there is to get everything back with.
    """

    version: str
    pid: int
    home: str
    locked: bool
    name: str | None = None
    port: int | None = None
    discovery: str | None = None
    discovery_reason: str | None = None
    nodes_seen: int = 0
    looking: bool = False
    sandbox: str | None = None
    libraries: dict[str, str] = field(default_factory=dict[str, str])
    clock: Clock | None = None
    connections: list[Connection] = field(default_factory=list[Connection])
    absent: list[Absent] = field(default_factory=list[Absent])
    wide: str = "off"
    wide_reason: str | None = None
    wide_addresses: list[str] = field(default_factory=list[str])
    wide_bootstraps: list[Bootstrap] = field(default_factory=list[Bootstrap])
    invitations: int = 0
    devices: list[DeviceStanding] = field(default_factory=list[DeviceStanding])
    readiness: Readiness | None = None


@dataclass(frozen=True, slots=True)
class RecoveryHolder:
    """A contact that was asked for what it keeps of ours.

    `state` is `listing` while it shows that, `here`, `away`, or `done` once it is over. `entries`
    are those that opened; `refused` says how many did not count, by the code of why.
    """

    contact: str
    state: str
    entries: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class RecoveryDevice:
    """A device that left entries; times are seconds since 1970, by its own clock."""

    device: str
    entries: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RecoveryMissing:
    """A photo that does not come back, why, and whom that was asked of."""

    id: str
    code: str
    message: str
    holders: list[str]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came back from the words, and what was found.

    `state` is `off` if that was never wanted; `waiting` until a holder shows an entry; `running`;
    `incomplete` while what misses is not to be had from who is here; `done` or `stopped`, and then
    since `ended`. `bytes` are those of sealed photos. With `forked` two devices left different
    contacts, of which the later count; with `contacts_damaged` parts of them miss. Of
    `albums_found` shared albums this device is in `albums`, and `albums_waiting` have to let it in.
    """

    state: str
    photos: int = 0
    photos_found: int = 0
    bytes: int = 0
    bytes_found: int = 0
    contacts: int = 0
    contacts_found: int = 0
    contacts_damaged: bool = False
    albums: int = 0
    albums_found: int = 0
    albums_waiting: int = 0
    forked: bool = False
    ended: int | None = None
    holders: list[RecoveryHolder] = field(default_factory=list[RecoveryHolder])
    devices: list[RecoveryDevice] = field(default_factory=list[RecoveryDevice])
    missing: list[RecoveryMissing] = field(default_factory=list[RecoveryMissing])


def readiness(body: dict[str, Any]) -> Readiness:
    """A `Readiness` from its JSON."""
    holders = [ReadyHolder(**each) for each in body.pop("holders")]
    return Readiness(**body, holders=holders)


def recovery(body: dict[str, Any]) -> Recovery:
    """A `Recovery` from its JSON."""
    holders = [RecoveryHolder(**each) for each in body.pop("holders")]
    devices = [RecoveryDevice(**each) for each in body.pop("devices")]
    missing = [RecoveryMissing(**each) for each in body.pop("missing")]
    return Recovery(**body, holders=holders, devices=devices, missing=missing)


@dataclass(frozen=True, slots=True)
class ReadyHolder:
    """A contact that keeps a backup, of so many `photos`; `whole` is when it last said that it has
    all that was here, None if it never did.
    """

    contact: str
    photos: int
    whole: int | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What there is to get everything back with: when a person last showed that they have the
    words, when a backup `file` was last written, and who keeps one, of the `photos` here.
    """

    words_checked: int | None
    file: int | None
    photos: int
    holders: list[ReadyHolder] = field(default_factory=list[ReadyHolder])


@dataclass(frozen=True, slots=True)
class WideArea:
    """This node in the wide area. `state` is `off`, `starting`, `on` or `failed`, and then `reason`
    says why; at `addresses` it can be reached there, as far as it can know.

    With `relaying` contacts reach each other through it: `reachable` names those who can be reached
    so now, over `circuits` went `bytes_relayed`, both ways, since the wide area was turned on. It
    keeps so many sealed `notices`, by which contacts of its own find each other again.

    With `lookup` it takes part in look-ups, where `known` is how many other nodes it knows. It asks
    `bootstraps` first, and tries again those that can't be used.

    `forwarded` is where a router said that it can be dialled for this node, `forwarded_reason` why
    there is no such place.
    """

    state: str
    reason: str | None
    addresses: list[str]
    relaying: bool
    reachable: list[str]
    circuits: int
    bytes_relayed: int
    notices: int = 0
    lookup: bool = False
    known: int = 0
    bootstraps: list[Bootstrap] = field(default_factory=list[Bootstrap])
    forwarded: str | None = None
    forwarded_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be in the home, found by `doctor`.

    `severity` is `damage`, `leftover` or `warning`. `file` is in the home; `photo` is an id, `name`
    the photo's. `state` is `found`, `repaired`, `waiting` (for a contact who has it) or `lost`;
    `remedy` says what repairs it, or what did.
    """

    kind: str
    severity: str
    state: str
    remedy: str
    file: str | None = None
    photo: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorProgress:
    """So many files of all (with `deep`: so many bytes of them) were looked at."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is to others."""

    name: str
    fingerprint: str
    identity: str
    device: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody this node paired with.

    `accept` is `ask` or `always`. `metadata` is the policy for what is sent to them: `original`,
    `no-location` or `clean`. `holder` is `offered` if they would hold for this node what comes
    while it is away, `chosen` if they are let, else `no`; `backup` is the same for a backup of this
    node, of which they have `backed_up` photos.

    Where two keys were seen for one, `doubt` is `secret` (another key had the secret that you two
    share), `name` (somebody new has that name) or `fork` (a device of theirs was copied, or lies),
    since `doubt_since`; `doubt_seen` is the fingerprint of the other key, or the device. Of a fork
    `doubt_proof` has two signed heads and the certificates, in hex. Nothing goes either way then.
    """

    name: str
    fingerprint: str
    safety_number: str
    verified: bool
    muted: bool
    blocked: bool
    accept: str
    metadata: str
    connected: bool
    added: int
    holder: str = "no"
    backup: str = "no"
    backed_up: int = 0
    doubt: str | None = None
    doubt_since: int | None = None
    doubt_seen: str | None = None
    doubt_proof: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class HeldFor:
    """What this node holds for a contact, sealed: `items` envelopes, of `bytes` with their files,
    since `oldest`. `left_items` and `left_bytes` are what the contact left here for others.

    `holds` if more is taken in for it, and `lets` if the contact lets this node hold for it;
    `backup` if it may keep things here without end.
    """

    name: str
    holds: bool
    lets: bool
    backup: bool
    items: int
    bytes: int
    oldest: int | None
    left_items: int
    left_bytes: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What this node holds for others: for `everybody` but for those of whom something else was
    said. No more than `quota` bytes in all and `per_contact` for one and from one, for `days`.
    """

    everybody: bool
    quota: int
    per_contact: int
    days: int
    items: int
    bytes: int
    contacts: list[HeldFor]


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device of this node's person. Times are in seconds since 1970.

    `device` is its key, `added_by` the name of the device that certified it; None if the words did.
    `last_seen` is None if it was never here; it says nothing of `this` one. With `may_certify` it
    can add and revoke others.
    """

    name: str
    device: str
    added: int
    added_by: str | None
    last_seen: int | None
    this: bool
    connected: bool
    may_certify: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class JoinedDevice:
    """What a new device became: its name, whose it is, and the device that added it."""

    name: str
    fingerprint: str
    device: str
    added_by: str


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A code to read out and the text of its QR twin; both end at `expires`."""

    code: str
    invitation: str
    expires: int

    def __repr__(self) -> str:
        return f"PairingCode(expires={self.expires})"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that this node made. `text` is what to pass on; only who made it just now sees it.

    `state` is `open`, `used-up`, `expired` or `revoked`. `used` of `uses` are over; `by` names the
    contacts who used it, `name` is what to call who does. `addresses` are where it says that this
    node may be reached, `relays` where it may be asked for.
    """

    id: str
    state: str
    issued: int
    expires: int
    uses: int
    used: int
    by: list[str]
    name: str | None
    addresses: list[str]
    relays: list[str]
    text: str | None = None

    def __repr__(self) -> str:
        return f"Ticket(id={self.id}, state={self.state})"


@dataclass(frozen=True, slots=True)
class TicketDetails:
    """What a ticket says, whoever made it. Its signature was checked.

    `state` is `valid`, `expired` or `not-yet`, by this machine's clock; whether it was revoked or
    used up its maker knows alone. `fingerprint` is of its maker's `identity`, `device` signed it.
    """

    id: str
    state: str
    fingerprint: str
    identity: str
    device: str
    issued: int
    expires: int
    uses: int
    addresses: list[str]
    relays: list[str]


@dataclass(frozen=True, slots=True)
class ShareItem:
    """One file on its way to one contact; or, in the state `open`, granted to whoever has what `to`
    says.

    `state` is `queued` (the contact has not taken it yet), `offered` (it is being fetched), `held`
    (by somebody else until the contact comes), `waiting` (for a person at the other side),
    `delivered` (whole, verified and on disk there), `refused` or `failed`; `code` and `message` say
    why for the last two, or what delays it. `policy` is what was kept to; `leaves` says in words
    what the photo tells beside what it shows (`place`, `time`, `camera`, as far as that is known),
    `left_out` what a changed copy lacks. `name`, `sha256` and `bytes` are of what goes: the copy,
    where there is one; `max_px` is the longest side that it may have, and `watermarked` says that
    it bears a mark that names who gets it. `file` is the photo's id where it was granted out of the
    library.
    `grant` is the hash of the grant, by which it can be taken back. `held_by` names those who hold
    what is `held`. `verdict` is the word of `Verdict` where the photo was to be checked first.
    """

    file: str
    name: str
    to: str
    state: str
    photo_id: str | None = None
    sha256: str | None = None
    bytes: int = 0
    policy: str | None = None
    leaves: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])
    code: str | None = None
    message: str | None = None
    max_px: int | None = None
    watermarked: bool = False
    grant: str | None = None
    held_by: list[str] = field(default_factory=list[str])
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a contact may do with a photo, and in which form it has it.

    `hash` names the grant, `photo` is the id of what went and `of` of the photo it was made of.
    `operations` are of `view` and `reshare`; `max_px` is the longest side (None: as it is) and
    `location` is `kept` or `removed` and `watermarked` says whether it bears a mark, as the grant
    demands it. `until` ends it. `state` is that of
    its delivery, as in `ShareItem`, or `expired` or `revoked`. For a grant to whoever has an
    attribute `to` says what that is and by whose word, `state` is `open` in place of a delivery's,
    and `went_to` names the contacts who were offered the photo by it. `author` is whose photo it
    is: `me`, a contact's name, or the key of somebody else; where it was passed on, `parent` is the
    hash of the grant under which.
    """

    hash: str
    photo: str
    of: str
    name: str
    to: str
    operations: list[str]
    max_px: int | None
    location: str
    until: int | None
    state: str
    created: int
    went_to: list[str] = field(default_factory=list[str])
    author: str = "me"
    parent: str | None = None
    watermarked: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """What `by` says of `who`: contacts' names, `me`, or keys of people who are no contacts.

    `hash` names the statement. `state` is `valid`, `not-yet`, `expired` or `revoked`. `shown_to`
    names the contacts who may know of what is said of us.
    """

    hash: str
    who: str
    name: str
    value: str
    by: str
    since: int
    until: int
    state: str
    shown_to: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Revocation:
    """Something that was taken back; its `hash` stands in our list, which contacts get.

    `kind` is `grant`, `what` then the id of the photo that went and `who` the contact; or `device`,
    `what` then its key.
    """

    hash: str
    kind: str
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class JudgedGrant:
    """A grant that was asked: `code` says why it denies, None that it allows; with what it used."""

    hash: str
    code: str | None
    facts: list[list[str]] = field(default_factory=list[list[str]])


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a contact may have a photo or not.

    `allowed` says what a fetch would come to now; if not, `code` says why: `policy-denied`, that of
    a grant, or `not-granted`. `policy` is what the owner's rules say, `allow` or `deny` (None:
    there are none), by the `rule` of that name (None: no rule allows it), in a form of at most
    `max_px` pixels a side with the `location` `kept` or `removed`, perhaps `watermarked`. `facts`
    are what that rule looked at, name and value; `grants` are all that were given for this photo
    and its copies.
    """

    who: str
    photo: str
    operation: str
    allowed: bool
    code: str | None
    policy: str | None
    rule: str | None
    max_px: int | None
    location: str
    facts: list[list[str]] = field(default_factory=list[list[str]])
    grants: list[JudgedGrant] = field(default_factory=list[JudgedGrant])
    watermarked: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's rules: their text, and their names in its order.

    `missing_albums` are named in them and are not here (yet): the rule waits for them.
    """

    text: str
    rules: list[str] = field(default_factory=list[str])
    missing_albums: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class ShareProgress:
    """How far the sealing of a file, or its sending to a contact, has come."""

    file: str
    to: str | None
    done: int
    total: int


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
class Region:
    """An area that looks edited: `box` is left, top, width and height in pixels of the upright
    picture, `score` 0 to 1.
    """

    box: list[int]
    score: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is signed: `signature` is `valid` of a photo that is here and `none` of a file, which
    carries none; `c2pa` is `none`, `valid`, `valid-untrusted` or `invalid`.
    """

    signature: str
    c2pa: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that a verdict rests on. `kind` is `signature`, `c2pa` or `network`, `says` one
    word of it, and `text` a sentence for people.
    """

    kind: str
    says: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a picture bears signs of having been edited; `evidence` comes strongest first.

    `verdict` is `no-sign`, `signs` or `cannot-tell`. Signatures and C2PA go before what the network
    saw. No sign proves nothing, and a sign is a reason to look. `score` (0 to 1, the higher the
    more like an edit; no probability) is None if the network was not asked, and so is `model`, the
    SHA-256 of its weights. `reason` says why it can't tell, or what goes before the network.
    `seconds` is how long it took and `checked` when that was (None of a file).
    """

    verdict: str
    score: float | None
    reason: str
    regions: list[Region]
    provenance: Provenance
    model: str | None
    seconds: float
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    checked: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The verdict on a file, or why it was refused: then `code` says so, and the verdict is
    `cannot-tell`. `map` is where the map was written, if one was asked for and could be made.
    """

    file: str
    verdict: Verdict
    map: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Transform:
    """What was done to a picture since it was marked, as far as it shows.

    It was `mirrored` and then turned by `turn` degrees anticlockwise. `scale` is that of the mark
    to the one that the picture's size tells: under 1 where something was cut away, over 1 where a
    border was added; that it was made smaller or larger does not show.
    """

    turn: int
    mirrored: bool
    scale: float


@dataclass(frozen=True, slots=True)
class TracedMark:
    """An invisible mark that was read in a file; or, without a `payload`, that there is none.

    `payload` is in hex, as it was set. `confidence` is how far its signs agree, from 0 to 1: of a
    copy that nobody touched 0.5 to 0.95, and no probability. `false_claim_bound` is: at most so
    often is a picture without a mark of that key taken for one with this one. `recipient` is for
    whom this node set it: a contact's name, or the fingerprint of one who is none any more; None
    where it did not. `receipt` is theirs for that copy, if there is one. `code` says why a file
    could not be read. A file with several marks is told of as often.
    """

    file: str
    payload: str | None = None
    confidence: float | None = None
    recipient: str | None = None
    receipt: Receipt | None = None
    false_claim_bound: float | None = None
    transform: Transform | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """A file that was marked: where the copy with that `payload` was written, and what it lacks."""

    file: str
    copy: str
    payload: str
    format: str
    left_out: list[str] = field(default_factory=list[str])


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
class DeliveryState:
    """What became of a photo at one device of a contact; `policy` is what went: the original, or a
    copy. `receipt` is since when the device has it, by its own clock and signed; None: no receipt.
    `held_by` are those who hold it for the device, by name.
    """

    to: str
    state: str
    code: str | None
    expires: int | None
    updated: int
    policy: str
    device: str = ""
    receipt: int | None = None
    held_by: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Receipt:
    """A device's signed word that it has a photo, stored and verified: not that anybody saw it.

    `device` is its key, `sender` the identity that the photo came from and `content_id` what was
    sealed; it has that since `time`, by its own clock. `encoded` is the receipt itself, in hex. Of
    one that was kept here `photo` is the id of what went, `name` that photo's (empty where it is
    not to be seen any more), `to` the contact with the device and `fingerprint` theirs, and it came
    when `received` says. `clock_differs` says that `time` is more than five minutes before what was
    sent, or after what was received.
    """

    device: str
    sender: str
    sender_fingerprint: str
    content_id: str
    time: int
    commitment: str
    encoded: str
    photo: str | None = None
    name: str | None = None
    to: str | None = None
    fingerprint: str | None = None
    received: int | None = None
    clock_differs: bool = False


@dataclass(frozen=True, slots=True)
class PhotoDetails:
    """All that is known about a photo that is here.

    `signature` is `valid`: a photo whose record does not verify is never stored. `author` is the
    contact's name, or None if the author is no contact; `own` says that it is this node's identity.
    `senders` are the contacts who sent it: its author, or who passed it on.
    `deliveries` are those of the photo and of its copies for sharing. `captured` to `place` are as
    in `LibraryItem`. `verdict` is None until the photo was checked.
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


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The node as a service of its user.

    `system` is `systemd` or `launchd`, `file` where the service is written down, for the node in
    `home`. `installed` means that it is; `current` that the file is what this version would write,
    `confined` that nothing of the confinement was left out. `running` is None where nobody can say:
    then `start_with` are the commands that start it. `other` says whose file has its place.
    """

    system: str
    file: str
    home: str
    installed: bool
    current: bool
    confined: bool
    enabled: bool
    running: bool | None
    start_with: list[str]
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; docs/cli.md lists the names."""

    name: str
    data: dict[str, object] = field(default_factory=dict[str, object])
