"""Roles in an album, as what they allow, as capabilities and as attributes.

The log of an album says who has which role. The capability that it gives with the role is what is
shown to who serves a photo; the attribute is for grants and rules that speak of an album's members.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from ..crypto.signing import SigningKey
from .attributes import Attestation
from .caveats import Caveats

Role = Literal["viewer", "contributor", "admin", "owner"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "contributor", "admin", "owner")
"""The least first."""
GIVEN: Final = ROLES[:-1]
"""Those that can be given."""
OPERATIONS: Final[Mapping[Role, frozenset[str]]] = {
    "viewer": frozenset(["view"]),
    "contributor": frozenset(["view", "contribute"]),
    "admin": frozenset(["view", "contribute", "reshare"]),
}
"""What the capability of a role allows. An owner needs none."""


def least(roles: Sequence[Role]) -> Role:
    """The role that allows least."""
    return min(roles, key=ROLES.index)


def at_least(role: Role, demanded: Role) -> bool:
    """Whether `role` allows what `demanded` does."""
    return ROLES.index(role) >= ROLES.index(demanded)


def caveats(album: bytes, role: Role) -> Caveats:
    """The conditions of the capability that comes with a role."""
    return Caveats(album=album, operations=OPERATIONS[role])


def attribute(album: bytes) -> str:
    """The name of the attribute whose value is the role in this album."""
    return "album-" + base64.b32encode(album).decode().rstrip("=").lower()


def attest(
    signer: SigningKey,
    issuer: bytes,
    subject: bytes,
    album: bytes,
    role: Role,
    not_before: int,
    not_after: int,
    nonce: bytes,
) -> Attestation:
    """A signed word that `subject` has this role in the album, as `Attestation.issue`."""
    return Attestation.issue(
        signer, issuer, subject, attribute(album), role, not_before, not_after, nonce
    )
