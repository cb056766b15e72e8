"""The key file: one random key that opens everything, and the slots that each give it out.

`keys.bin` holds the device's private keys sealed under a random *store key*, and that key wrapped
once per slot: under a pass phrase by Argon2id, and under the recovery words. A MAC under the store
key covers the whole file, so a slot can't be added, swapped or weakened from outside. Every cost
in the file is bounded before it is paid (docs/spec/keystore.md).
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from . import encoding
from .encoding import Reader, Value
from .errors import (
    KeyFileError,
    MalformedError,
    SealBrokenError,
    WrongPassphraseError,
    WrongWordsError,
)
from .recovery import RecoveryWords
from .secret import Secret
from .wrap import unwrap, wrap

MAX_FILE_BYTES: Final = 64 * 1024
MAX_SLOTS: Final = 16
SALT_BYTES: Final = 16
KEY_BYTES: Final = 32

_PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a kind of slot
_RECOVERY: Final = "recovery"
_SLOT_CONTEXT: Final = b"kinlight/slot1\x00"
_CONTENT_CONTEXT: Final = b"kinlight/keys1"

Entropy = Callable[[int], bytes]
"""Gives so many bytes from the system's random source."""


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What one guess of a pass phrase costs: memory in KiB, passes over it, lanes."""

    memory_kib: int = 256 * 1024
    passes: int = 3
    lanes: int = 4

    def check(self) -> Argon2Cost:
        """Refuse what would freeze the machine (a hostile file may ask for 64 GiB) or is none."""
        if not (
            8 * 1024 <= self.memory_kib <= 1024 * 1024
            and 1 <= self.passes <= 10
            and 1 <= self.lanes <= 8
        ):
            raise KeyFileError("its pass phrase cost is outside the allowed range")
        return self


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to the store key. For `recovery` the salt is empty and there is no cost."""

    kind: str
    salt: bytes
    cost: Argon2Cost | None
    wrapped: bytes

    def to_value(self) -> Value:
        """`[kind, salt, cost, wrapped key]`, to be put inside the file."""
        cost = self.cost
        numbers = [cost.memory_kib, cost.passes, cost.lanes] if cost else []
        return [self.kind, self.salt, numbers, self.wrapped]

    @classmethod
    def from_value(cls, value: Value) -> Slot:
        """The reverse of `to_value`; `MalformedError` or `KeyFileError` for an impossible slot."""
        if not isinstance(value, list):
            raise MalformedError("slot")
        reader = Reader(value, "slot")
        kind = reader.text("kind", 16)
        salt = reader.octets("salt", SALT_BYTES if kind == _PASSPHRASE else 0)
        costs = Reader(reader.array("cost", 3), "cost")
        cost = None
        if kind == _PASSPHRASE:
            cost = Argon2Cost(
                costs.integer("memory"), costs.integer("passes"), costs.integer("lanes")
            ).check()
        elif kind != _RECOVERY:
            raise MalformedError("slot kind")
        costs.end()
        wrapped = reader.octets("wrapped key", maximum=256)
        reader.end()
        return cls(kind, salt, cost, wrapped)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """`keys.bin`, read and bounded but not yet opened."""

    slots: tuple[Slot, ...]
    sealed: bytes
    mac: bytes

    @classmethod
    def create(cls, content: bytes, entropy: Entropy) -> tuple[KeyFile, Secret]:
        """A file without slots around `content`, and its store key."""
        store_key = Secret(entropy(KEY_BYTES))
        sealed = wrap(store_key.derive(b"content"), _CONTENT_CONTEXT, content)
        return cls((), sealed, b"")._with_mac(store_key), store_key

    def with_content(self, store_key: Secret, content: bytes) -> KeyFile:
        """The same slots around other content."""
        sealed = wrap(store_key.derive(b"content"), _CONTENT_CONTEXT, content)
        return replace(self, sealed=sealed)._with_mac(store_key)

    def with_passphrase(
        self, store_key: Secret, passphrase: Secret, entropy: Entropy, cost: Argon2Cost
    ) -> KeyFile:
        """The same file with its pass phrase slot set, in place of an earlier one."""
        salt = entropy(SALT_BYTES)
        key = _passphrase_key(passphrase, salt, cost)
        slot = Slot(_PASSPHRASE, salt, cost, _wrap_store_key(key, _PASSPHRASE, store_key))
        return self._with_slot(store_key, slot)

    def with_recovery_words(self, store_key: Secret, words: RecoveryWords) -> KeyFile:
        """The same file with its recovery slot set."""
        wrapped = _wrap_store_key(words.unlock_key(), _RECOVERY, store_key)
        return self._with_slot(store_key, Slot(_RECOVERY, b"", None, wrapped))

    def open_with_passphrase(self, passphrase: Secret) -> Secret:
        """The store key; takes about a second and 256 MiB. Else `WrongPassphraseError`."""
        for slot in self.slots:
            if slot.cost is not None:
                key = _passphrase_key(passphrase, slot.salt, slot.cost)
                try:
                    return self._checked(_unwrap_store_key(key, slot))
                except SealBrokenError:
                    continue
        raise WrongPassphraseError

    def open_with_recovery_words(self, words: RecoveryWords) -> Secret:
        """The store key; else `WrongWordsError`."""
        for slot in self.slots:
            if slot.kind == _RECOVERY:
                try:
                    return self._checked(_unwrap_store_key(words.unlock_key(), slot))
                except SealBrokenError:
                    continue
        raise WrongWordsError

    def content(self, store_key: Secret) -> bytes:
        """The sealed content."""
        try:
            return unwrap(store_key.derive(b"content"), _CONTENT_CONTEXT, self.sealed)
        except SealBrokenError:
            raise KeyFileError from None

    def encode(self) -> bytes:
        """The bytes of `keys.bin`."""
        return encoding.encode([*self._covered(), self.mac])

    @classmethod
    def decode(cls, data: bytes) -> KeyFile:
        """Read `keys.bin`; `KeyFileError` if it is damaged or asks for absurd costs."""
        try:
            reader = Reader(encoding.decode(data, MAX_FILE_BYTES), "key file")
            reader.literal(1, "keys")
            slots = tuple(Slot.from_value(item) for item in reader.array("slots", MAX_SLOTS))
            sealed = reader.octets("content", maximum=MAX_FILE_BYTES)
            mac = reader.octets("MAC", 32)
            reader.end()
        except MalformedError:
            raise KeyFileError from None
        if len({slot.kind for slot in slots}) != len(slots):
            # Sixteen slots of the highest cost would take minutes to fail.
            raise KeyFileError("it has two slots of a kind")
        return cls(slots, sealed, mac)

    def _covered(self) -> list[Value]:
        return [1, "keys", [slot.to_value() for slot in self.slots], self.sealed]

    def _with_slot(self, store_key: Secret, slot: Slot) -> KeyFile:
        others = tuple(other for other in self.slots if other.kind != slot.kind)
        return replace(self, slots=(*others, slot))._with_mac(store_key)

    def _with_mac(self, store_key: Secret) -> KeyFile:
        return replace(self, mac=self._mac(store_key))

    def _mac(self, store_key: Secret) -> bytes:
        key = store_key.derive(b"mac").reveal()
        return hmac.digest(key, encoding.encode(self._covered()), "sha256")

    def _checked(self, store_key: Secret) -> Secret:
        if not hmac.compare_digest(self._mac(store_key), self.mac):
            raise KeyFileError("somebody changed its slots")
        return store_key


def _passphrase_key(passphrase: Secret, salt: bytes, cost: Argon2Cost) -> Secret:
    cost.check()
    # Keyboards differ in how they compose accents; NFKC makes the same typing the same bytes.
    text = unicodedata.normalize("NFKC", passphrase.reveal().decode("utf-8", "surrogateescape"))
    argon2 = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return Secret(argon2.derive(text.encode("utf-8", "surrogateescape")))


def _wrap_store_key(key: Secret, kind: str, store_key: Secret) -> bytes:
    return wrap(key, _SLOT_CONTEXT + kind.encode(), store_key.reveal())


def _unwrap_store_key(key: Secret, slot: Slot) -> Secret:
    return Secret(unwrap(key, _SLOT_CONTEXT + slot.kind.encode(), slot.wrapped))
