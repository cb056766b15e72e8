"""The node's keys on disk: made once, opened by a pass phrase or the recovery words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..crypto import encoding
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, KeyFileError, MalformedError
from ..crypto.identity import (
    MAX_CERTIFICATE_BYTES,
    MAX_CHAIN_BYTES,
    MAX_DEVICE_CERTIFICATES,
    DeviceCertificate,
    DeviceChain,
    issue_identity,
    issue_kem,
)
from ..crypto.keystore import MAX_FILE_BYTES, Argon2Cost, KeyFile
from ..crypto.recovery import ENTROPY_BYTES, RecoveryWords
from ..crypto.secret import Secret
from ..crypto.signing import Signed, SigningKey
from ..crypto.wrap import KemKey
from ..protocol import limits
from ..protocol.joining import NewDevice
from ..protocol.opening import Entropy, LocalDevice
from .archive_errors import RestoreUnfinishedError, WordsNeededError
from .config import TEMPLATE
from .errors import HomeExistsError, HomeUnusableError, NoHomeError
from .home import Home, write_file

_SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class UnlockedKeys:
    """What is in memory while the node is unlocked."""

    device: LocalDevice
    store_key: Secret

    @property
    def library_key(self) -> Secret:
        """Raw key of the database."""
        return self.store_key.derive(b"library")

    @property
    def fingerprint_key(self) -> Secret:
        """Key of the hash by which a photo's content is found again. Never leaves the device."""
        return self.store_key.derive(b"fingerprint")

    @property
    def holding_key(self) -> Secret:
        """Key of the names of folders in which lies what is held. Never leaves the device."""
        return self.store_key.derive(b"holding")


@dataclass(frozen=True, slots=True)
class NewDeviceKeys:
    """Seeds of a device that has no papers yet."""

    signing_seed: Secret
    kem_seed: Secret
    name: str

    @property
    def device(self) -> NewDevice:
        """The same as keys."""
        return NewDevice(SigningKey(self.signing_seed), KemKey(self.kem_seed), self.name)


def create(
    home: Home,
    passphrase: Secret,
    name: str,
    *,
    entropy: Entropy,
    now: int,
    cost: Argon2Cost | None = None,
    show: Callable[[RecoveryWords], None],
) -> None:
    """Make an identity and this device's keys in `home`; takes about a second.

    `show` gets the recovery words before anything is written: if it fails, no node exists. The
    words, and the root key that they make, are kept nowhere.
    """
    check_free(home)
    words = RecoveryWords(Secret(entropy(ENTROPY_BYTES)))
    _make(home, words, passphrase, name, entropy, now, 1, cost, lambda: show(words))


def recreate(
    home: Home,
    words: RecoveryWords,
    passphrase: Secret,
    name: str,
    *,
    entropy: Entropy,
    now: int,
    cost: Argon2Cost | None = None,
) -> None:
    """Make keys in `home` of one more device of the identity of `words`; takes about a second.

    Nobody knows how many certificates the root key made before, and their numbers have to rise: so
    this one's is the time, which is beyond what any device could count to.
    """
    check_free(home)
    _make(home, words, passphrase, name, entropy, now, max(now, 2), cost, lambda: None)


def adopt(
    home: Home,
    new: NewDeviceKeys,
    chain: DeviceChain,
    passphrase: Secret,
    name: str,
    *,
    entropy: Entropy,
    cost: Argon2Cost | None = None,
    before: Callable[[UnlockedKeys], None],
) -> None:
    """Keep keys in `home` that another device of the same identity has certified; takes about a
    second. The words open them only once they were given here (`with_chain`).

    `before` gets the keys before a node exists: what has to be there with it.
    """
    check_free(home)
    key_file, store_key = KeyFile.create(
        _content(new.signing_seed, new.kem_seed, chain, name), entropy
    )
    key_file = key_file.with_passphrase(store_key, passphrase, entropy, cost or Argon2Cost())
    device = new.device
    local = LocalDevice(device.signing, device.kem, chain, name)
    before(UnlockedKeys(local, store_key))
    write_file(home.config, TEMPLATE.encode())
    write_file(home.keys, key_file.encode())  # last: a home with keys is a node


def with_chain(
    home: Home, keys: UnlockedKeys, chain: DeviceChain, words: RecoveryWords | None = None
) -> UnlockedKeys:
    """The same keys with other papers for them; words that are given open them from now on, too."""
    key_file = _read(home)
    body = encoding.decode(key_file.content(keys.store_key), MAX_FILE_BYTES)
    device_seed, kem_seed, _, name = _read_content(body)
    changed = key_file.with_content(keys.store_key, _content(device_seed, kem_seed, chain, name))
    if words is not None:
        changed = changed.with_recovery_words(keys.store_key, words)
    write_file(home.keys, changed.encode())
    return replace(keys, device=replace(keys.device, chain=chain))


def new_device(name: str, entropy: Entropy) -> NewDeviceKeys:
    """Keys of a device that has no papers yet."""
    return NewDeviceKeys(Secret(entropy(_SEED_BYTES)), Secret(entropy(_SEED_BYTES)), name)


def _content(device_seed: Secret, kem_seed: Secret, chain: DeviceChain, name: str) -> bytes:
    return encoding.encode(
        [1, "device", device_seed.reveal(), kem_seed.reveal(), chain.encoded, name]
    )


def check_free(home: Home) -> None:
    """Make the folders; `HomeExistsError` if there is a node in them."""
    home.prepare()
    if home.exists:
        raise HomeExistsError
    if home.restoring.exists():
        raise RestoreUnfinishedError
    with contextlib.suppress(OSError):
        home.joined.unlink(missing_ok=True)  # of a try that was cut off: no keys open it


def _make(
    home: Home,
    words: RecoveryWords,
    passphrase: Secret,
    name: str,
    entropy: Entropy,
    now: int,
    seq: int,
    cost: Argon2Cost | None,
    before: Callable[[], None],
) -> None:
    """A new device, certified by the root key; `before` is called before anything is written."""
    device_seed, kem_seed = Secret(entropy(_SEED_BYTES)), Secret(entropy(_SEED_BYTES))
    device, root = SigningKey(device_seed), SigningKey(words.root_seed())
    certificate = DeviceCertificate.issue(
        root, root.public, device.public, not_before=now, seq=seq, may_certify=True
    )
    chain = DeviceChain.assemble(
        issue_identity(words), [certificate], issue_kem(device, KemKey(kem_seed).public)
    )
    key_file, store_key = KeyFile.create(_content(device_seed, kem_seed, chain, name), entropy)
    key_file = key_file.with_passphrase(store_key, passphrase, entropy, cost or Argon2Cost())
    key_file = key_file.with_recovery_words(store_key, words)
    before()
    write_file(home.config, TEMPLATE.encode())
    write_file(home.keys, key_file.encode())  # last: a home with keys is a node


@dataclass(frozen=True, slots=True)
class Successor:
    """Another device of the same identity, and its key file, not written yet."""

    keys: UnlockedKeys
    key_file: bytes


def succeed(
    former: UnlockedKeys,
    former_file: KeyFile,
    words: RecoveryWords | None,
    passphrase: Secret,
    *,
    entropy: Entropy,
    now: int,
    cost: Argon2Cost,
) -> Successor:
    """Keys of a further device, certified by the root key of `words`, else by the `former` device.

    `WordsNeededError` if that one may not certify. Its number is the time, as in `recreate`.
    Without the words nothing could make a slot of them for a new store key, so the former one
    stays, with the slots of its file.
    """
    device_seed, kem_seed = Secret(entropy(_SEED_BYTES)), Secret(entropy(_SEED_BYTES))
    device, chain = SigningKey(device_seed), former.device.chain
    way: list[DeviceCertificate] = []
    issuer = former.device.signing if words is None else SigningKey(words.root_seed())
    if words is None:
        way = list(chain.certificates)
        if len(way) == MAX_DEVICE_CERTIFICATES or not way[-1].may_certify:
            raise WordsNeededError
    certificate = DeviceCertificate.issue(
        issuer, chain.identity, device.public,
        not_before=now, seq=max(now, 2), may_certify=words is not None,
    )  # fmt: skip
    identity = Signed.from_value(
        Reader(encoding.decode(chain.encoded, MAX_CHAIN_BYTES), "device chain").array("id", 2),
        MAX_CERTIFICATE_BYTES, "identity certificate",
    )  # fmt: skip
    new = DeviceChain.assemble(
        identity, [*way, certificate], issue_kem(device, KemKey(kem_seed).public)
    )
    name = former.device.name
    content = encoding.encode(
        [1, "device", device_seed.reveal(), kem_seed.reveal(), new.encoded, name]
    )
    if words is None:
        store_key = former.store_key
        key_file = former_file.with_content(store_key, content)
    else:
        key_file, store_key = KeyFile.create(content, entropy)
        key_file = key_file.with_passphrase(store_key, passphrase, entropy, cost)
        key_file = key_file.with_recovery_words(store_key, words)
    local = LocalDevice(device, KemKey(kem_seed), new, name)
    return Successor(UnlockedKeys(local, store_key), key_file.encode())


def unlock(home: Home, secret: Secret | RecoveryWords) -> UnlockedKeys:
    """Open the key file with the pass phrase (about a second) or the recovery words."""
    return open_key_file(_read(home), secret)


def open_key_file(key_file: KeyFile, secret: Secret | RecoveryWords) -> UnlockedKeys:
    """The same with one that was read, of a home or of a backup."""
    if isinstance(secret, RecoveryWords):
        store_key = key_file.open_with_recovery_words(secret)
    else:
        store_key = key_file.open_with_passphrase(secret)
    try:
        body = encoding.decode(key_file.content(store_key), MAX_FILE_BYTES)
        device_seed, kem_seed, chain, name = _read_content(body)
    except (MalformedError, BadCertificateError):
        raise KeyFileError from None
    device = LocalDevice(SigningKey(device_seed), KemKey(kem_seed), chain, name)
    return UnlockedKeys(device, store_key)


def _read_content(body: list[Value]) -> tuple[Secret, Secret, DeviceChain, str]:
    reader = Reader(body, "device keys")
    reader.literal(1, "device")
    device_seed = Secret(reader.octets("device seed", _SEED_BYTES))
    kem_seed = Secret(reader.octets("KEM seed", _SEED_BYTES))
    chain = DeviceChain.decode(reader.octets("chain", maximum=MAX_CHAIN_BYTES))
    name = reader.text("name", limits.NAME_BYTES)
    reader.end()
    return device_seed, kem_seed, chain, name


def _read(home: Home) -> KeyFile:
    try:
        data = home.keys.read_bytes()
    except FileNotFoundError:
        raise NoHomeError from None
    except OSError as error:
        raise HomeUnusableError(error.strerror or "") from None
    return KeyFile.decode(data)
