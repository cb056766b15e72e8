"""What a node says of itself to anybody who asks over libp2p, signed with its transport key.

It names no identity and no user: nothing in it leads from the one key to the other. The challenge
of who asks comes back in it, so it was made just now (docs/spec/profile.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto import signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits

PROFILE_DOMAIN: Final = b"kinlight/profile1"
ROLES: Final = ("lookup", "relay")
"""Takes part in look-ups; lets its contacts be reached through it."""
VERSION: Final = 1

_PEER_PREFIX: Final = bytes.fromhex("002408011220")
"""Of the peer id of an Ed25519 key, which follows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile whose signature was verified. `peer` is a libp2p peer id, `versions` are those of
    the channel that the node speaks; roles that this version does not know are kept.
    """

    peer: bytes
    challenge: bytes
    versions: tuple[int, ...]
    roles: tuple[str, ...]
    signed: Signed

    @classmethod
    def issue(
        cls, key: SigningKey, challenge: bytes, versions: Sequence[int], roles: Sequence[str]
    ) -> Profile:
        """Sign one with a transport key, for who sent `challenge`."""
        body: Value = [
            VERSION, "profile", _PEER_PREFIX + key.public, challenge,
            sorted(versions), sorted(roles),
        ]  # fmt: skip
        return cls.read(key.sign_value(PROFILE_DOMAIN, body))

    @classmethod
    def decode(cls, data: bytes, peer: bytes, challenge: bytes) -> Profile:
        """What came from `peer`, which was asked with `challenge`.

        `MalformedError` for another form, peer or challenge, `BadSignatureError`.
        """
        profile = cls.read(Signed.decode(data, limits.PROFILE_BYTES, "profile"))
        if (profile.peer, profile.challenge) != (peer, challenge):
            raise MalformedError("profile: not what was asked for")
        return profile

    @classmethod
    def read(cls, signed: Signed) -> Profile:
        """Check form and signature."""
        reader = Reader(signed.unverified(), "profile")
        reader.literal(VERSION, "profile")
        peer = reader.octets("peer", len(_PEER_PREFIX) + signing.KEY_BYTES)
        challenge = reader.octets("challenge", maximum=limits.PROFILE_CHALLENGE_BYTES)
        numbers = Reader(reader.array("versions", limits.VERSIONS), "versions")
        words = Reader(reader.array("roles", limits.PROFILE_ROLES), "roles")
        reader.end()
        versions: list[int] = []
        while numbers.more():
            versions.append(numbers.integer("version"))
        roles: list[str] = []
        while words.more():
            roles.append(words.text("role", limits.PROFILE_ROLE_BYTES))
        if not challenge or not peer.startswith(_PEER_PREFIX):
            raise MalformedError("profile: peer or challenge")
        if versions != sorted(set(versions)) or roles != sorted(set(roles)):
            raise MalformedError("profile: the order")
        signing.verify(
            peer.removeprefix(_PEER_PREFIX), PROFILE_DOMAIN, signed.body, signed.signature
        )
        return cls(peer, challenge, tuple(versions), tuple(roles), signed)

    def encode(self) -> bytes:
        """Canonical bytes."""
        return self.signed.encode()
