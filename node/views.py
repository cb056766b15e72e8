"""How the node is and what happens there: values of the Python API, and the JSON of the local API.

Ids, keys and hashes are lower-case hex, times whole seconds since 1970 UTC, sizes bytes. Names and
file names that came from other people may hold any character: show them with `names.shown`. All
of this goes for the other modules of that name too, which have what is shown of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .views_recovery import Readiness
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
