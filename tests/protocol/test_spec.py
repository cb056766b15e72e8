"""The pages of docs/spec say what the code does: tables, diagram and example bytes."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kinlight.crypto import encoding, merkle, pairing
from kinlight.crypto.encoding import Value
from kinlight.crypto.identity import DeviceCertificate, DeviceChain, issue_kem
from kinlight.crypto.pairing import Code, CodeExchange, Invitation, PairingKey, identity_hash
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.crypto.wrap import KemKey, seal_to, unwrap
from kinlight.protocol import album_roles, backup, delivery, limits, messages, rendezvous
from kinlight.protocol.album import Album
from kinlight.protocol.album_errors import AlbumRefusedError
from kinlight.protocol.album_feed import FeedEntry
from kinlight.protocol.album_keys import KeyRing
from kinlight.protocol.album_log import LogEntry
from kinlight.protocol.attributes import Attestation
from kinlight.protocol.capability import Capability, Link
from kinlight.protocol.device_messages import DEVICE_WORK, DeviceGift
from kinlight.protocol.devices import OwnSecret
from kinlight.protocol.errors import WIRE_CODES
from kinlight.protocol.framing import frame
from kinlight.protocol.messages import Message
from kinlight.protocol.opening import HELLO_DOMAIN
from kinlight.protocol.photo import RECORD_DOMAIN, Metadata, PhotoRecord, photo_id
from kinlight.protocol.profile import Profile
from kinlight.protocol.receipt import Receipt
from kinlight.protocol.revocation import RevocationList, Standing
from kinlight.protocol.sibling_ledger import Merge, merged
from kinlight.protocol.siblings import SiblingRecord, absent, next_moment, present
from kinlight.protocol.ticket import Ticket
from nacl import bindings as sodium

from .diagram import ROLES, diagram

SPEC = Path(__file__).parents[2] / "docs" / "spec"
Example = dict[str, str]
_un = bytes.fromhex


def page(name: str) -> str:
    return (SPEC / name).read_text("utf-8")


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its first two lines."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    lines = [line for line in rest.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("role", ROLES)
def test_the_diagram_on_the_page_is_drawn_from_the_table(role: str) -> None:
    assert diagram("dialer" if role == "dialer" else "listener") in page("channel.md")


def test_the_page_lists_every_message_with_its_number_and_fields() -> None:
    listed = {
        (int(number), name.strip("`"), tuple(re.findall(r"`([a-z_0-9]+)`", fields)))
        for number, name, fields in table(page("channel.md"), "Messages")
    }
    kinds = [
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
    ]
    assert listed == {
        (
            kind.number,
            kind.__name__,
            tuple(field.name for field in dataclasses.fields(kind)),  # type: ignore[arg-type]
        )
        for kind in kinds
    }


def test_the_page_lists_every_refusal_code() -> None:
    rows = table(page("channel.md"), "Refusal codes")
    assert [(int(number), code.strip("`")) for number, code, _ in rows] == [
        (number, kind.code) for number, kind in WIRE_CODES.items()
    ]


@pytest.mark.parametrize(
    ("name", "fewest"),
    [
        ("channel.md", 9),
        ("ticket.md", 7),
        ("rendezvous.md", 10),
        ("profile.md", 4),
        ("devices.md", 5),
    ],
)
def test_the_page_gives_the_limits_as_they_are(name: str, fewest: int) -> None:
    rows = table(page(name), "Limits")
    assert len(rows) >= fewest
    for name, value, _ in rows:
        assert float(value.replace(",", "")) == getattr(limits, name.strip("`"))


def test_the_page_of_albums_gives_the_limits_as_they_are() -> None:
    rows = {name.strip("`"): value for name, value, _ in table(page("album.md"), "Limits")}
    assert {name: int(value.replace(",", "")) for name, value in rows.items()} == {
        name: value for name, value in vars(limits).items() if name.startswith("ALBUM_")
    }


def test_the_page_of_albums_names_every_reason_that_there_is() -> None:
    text = page("album.md")
    codes = {kind.code for kind in AlbumRefusedError.__subclasses__()}
    assert set(re.findall(r"`(album-[a-z-]+)`", text)) - {"album-key-due", "album-"} == codes


# Examples. Each function gets the values that the page gives and returns those that follow.


def example_of(name: str) -> Example:
    block = page(name).partition("\n```example\n")[2].partition("\n```\n")[0]
    pairs = (line.rsplit(" = ", 1) for line in block.splitlines())
    return {left.strip(): value for left, value in pairs}


def hello_body(example: Example) -> Value:
    return [
        1, "hello", "contact", "dialer", _un(example["X"]),
        _un(example["SHA-256 of chain"]), _un(example["peer identity"]),
    ]  # fmt: skip


def channel_page(example: Example) -> Example:
    secret, exporter = _un(example["pair_secret"]), _un(example["X"])
    device = SigningKey(Secret(_un(example["device seed"])))
    signed = device.sign_value(HELLO_DOMAIN, hello_body(example))
    dial_tag = hmac.digest(secret, b"dial" + exporter, "sha256")
    assert dial_tag == pairing.dial_tag(Secret(secret), exporter)
    goodbye = messages.Bye(0).encode()
    return {
        "dial tag": dial_tag.hex(),
        "accept tag": pairing.accept_tag(Secret(secret), exporter).hex(),
        "hello body": signed.body.hex(),
        "hello signature": signed.signature.hex(),
        "Bye, code 0": goodbye.hex(),
        "frame of Bye, without its zeros": frame(goodbye)[:7].hex(),
        "bytes of that frame": str(len(frame(goodbye))),
        "Welcome": messages.Welcome(1, pairing.accept_tag(Secret(secret), exporter)).encode().hex(),
    }


def hkdf(key: bytes, info: bytes, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=info).derive(key)


def scalar(number: int) -> bytes:
    return (number % ORDER).to_bytes(32, "little")


ORDER = 2**252 + 27742317777372353535851937790883648493


def spake2(example: Example) -> Example:
    """The run of the page by libsodium's arithmetic, which the package does not use."""
    password = b"maple-orbit"
    w = int.from_bytes(hkdf(password, b"SPAKE2 pw", 48)) % ORDER
    x = int.from_bytes(_un(example["dialer's 64 random bytes"])) % ORDER
    y = int.from_bytes(_un(example["listener's 64 random bytes"])) % ORDER
    m, n = _un(example["M"]), _un(example["N"])

    def times(number: int, point: bytes) -> bytes:
        return sodium.crypto_scalarmult_ed25519_noclamp(scalar(number), point)

    def base(number: int) -> bytes:
        return sodium.crypto_scalarmult_ed25519_base_noclamp(scalar(number))

    add, subtract = sodium.crypto_core_ed25519_add, sodium.crypto_core_ed25519_sub
    from_dialer, from_listener = add(base(x), times(w, m)), add(base(y), times(w, n))
    shared = times(x, subtract(from_listener, times(w, n)))
    assert shared == times(y, subtract(from_dialer, times(w, m)))
    exporter = _un(example["X"])
    hashes = (
        hashlib.sha256(part).digest() for part in (password, b"A" + exporter, b"B" + exporter)
    )
    key = hashlib.sha256(b"".join(hashes) + from_dialer + from_listener + shared).digest()
    return {
        "w": scalar(w).hex(),
        "dialer's message": (b"A" + from_dialer).hex(),
        "listener's message": (b"B" + from_listener).hex(),
        "SPAKE2 key": key.hex(),
    }


def pairing_page(example: Example) -> Example:
    run = spake2(example)
    exporter = _un(example["X"])
    sides = {
        name: CodeExchange(
            Code.parse("7-maple-orbit"),
            dialer=name == "dialer",
            exporter=exporter,
            entropy=lambda _, name=name: _un(example[f"{name}'s 64 random bytes"]),
        )
        for name in ("dialer", "listener")
    }
    assert sides["dialer"].message.hex() == run["dialer's message"]
    assert sides["listener"].message.hex() == run["listener's message"]
    secret = sides["dialer"].finish(sides["listener"].message)
    assert secret.reveal().hex() == run["SPAKE2 key"]
    assert sides["listener"].finish(sides["dialer"].message) == secret
    derived = hkdf(secret.reveal(), b"kinlight/pair-key1" + exporter)
    key = PairingKey(secret, exporter)
    digests = _un(example["SHA-256 of dialer's chain"]), _un(example["SHA-256 of listener's chain"])
    confirmation = hmac.digest(derived, b"A" + exporter + b"".join(digests), "sha256")
    assert confirmation == key.confirmation(*digests, dialer=True)
    one, other = _un(example["one identity"]), _un(example["the other identity"])
    pair_secret = key.pair_secret(one, other).reveal()
    assert pair_secret == hkdf(derived, b"pair1" + one + other)
    invitation = Invitation(
        identity_hash(one), Secret(_un(example["QR secret"])), ("192.0.2.7:4430",), 1_800_000_000
    )
    return run | {
        "K": derived.hex(),
        "dialer's confirmation": confirmation.hex(),
        "listener's confirmation": key.confirmation(*digests, dialer=False).hex(),
        "pair_secret": pair_secret.hex(),
        "invitation of one identity, 192.0.2.7:4430, until 1800000000": str(invitation),
    }


def record_page(example: Example) -> Example:
    author = SigningKey(Secret(_un(example["root seed"]))).public
    device = SigningKey(Secret(_un(example["device seed"])))
    photo = photo_id(author, _un(example["nonce"]))
    assert photo == hashlib.sha256(b"kinlight/pid1" + author + _un(example["nonce"])).digest()[:16]
    body: Value = [
        1, "photo", author, _un(example["nonce"]), 1, _un(example["content_id"]), 5000,
        _un(example["metadata_id"]), device.public,
    ]  # fmt: skip
    signed = device.sign_value(RECORD_DOMAIN, body)
    assert PhotoRecord.read(signed).photo_id == photo
    metadata = Metadata("a.jpg", "image/jpeg", 1, 5, hashlib.sha256(b"photo").digest(), "original")
    kem_digest = _un(example["SHA-256 of kem"])
    return {
        "author": author.hex(),
        "photo_id": photo.hex(),
        "record body (ciphertext_length 5000)": signed.body.hex(),
        "record signature": signed.signature.hex(),
        "metadata (a.jpg, image/jpeg, 1, 5, of the 5 bytes `photo`, original)": (
            metadata.encode().hex()
        ),
        "info": encoding.encode(["kinlight/env1", device.public, kem_digest]).hex(),
    }


def capability_page(example: Example) -> Example:
    device = SigningKey(Secret(_un(example["device seed"])))
    body: Value = [
        1, "cap", b"", _un(example["issuer"]), device.public,
        ["identity", _un(example["audience"])],
        [["before", 1_800_000_000], ["ops", ["view"]], ["photos", [_un(example["photo id"])]]],
        _un(example["nonce"]),
    ]  # fmt: skip
    signed = device.sign_value(b"kinlight/cap1", body)
    encoded = encoding.encode([signed.to_value()])
    capability = Capability.decode(encoded)
    capability.verify(_un(example["issuer"]), {device.public: _un(example["issuer"])})
    assert capability.links == (Link.read(Signed(signed.body, signed.signature)),)
    return {
        "signer": device.public.hex(),
        "link body (before 1800000000, ops view)": signed.body.hex(),
        "link signature": signed.signature.hex(),
        "SHA-256 of the link, a next link's parent": signed.digest().hex(),
        "capability": encoded.hex(),
    }


def attestation_page(example: Example) -> Example:
    device = SigningKey(Secret(_un(example["device seed"])))
    body: Value = [
        1, "attest", _un(example["issuer"]), device.public, _un(example["subject"]),
        "role", "family", 1_800_000_000, 1_807_776_000, _un(example["nonce"]),
    ]  # fmt: skip
    signed = device.sign_value(b"kinlight/attest1", body)
    attestation = Attestation.decode(signed.encode())
    attestation.verify({device.public: _un(example["issuer"])})
    assert attestation.holds(1_800_000_000)
    return {
        "signer": device.public.hex(),
        "body (role family, 1800000000 to 1807776000)": signed.body.hex(),
        "signature": signed.signature.hex(),
        "SHA-256 of the attestation, as a list of revocations names it": signed.digest().hex(),
    }


def revocation_page(example: Example) -> Example:
    device = SigningKey(Secret(_un(example["device seed"])))
    revoked = hashlib.sha256(
        b"kinlight/revoked-device1\x00" + _un(example["revoked device"])
    ).digest()
    hashes = sorted([_un(example["hash"]), revoked])
    body: Value = [
        1, "revs", _un(example["issuer"]), device.public, 7, 1_800_000_000, hashes,
    ]  # fmt: skip
    signed = device.sign_value(b"kinlight/revs1", body)
    found = RevocationList.decode(signed.encode())
    found.verify({device.public: _un(example["issuer"])})
    assert Standing(found).revokes_device(_un(example["revoked device"]))
    return {
        "signer": device.public.hex(),
        "hash of the revoked device": revoked.hex(),
        "body (seq 7, as of 1800000000, both hashes)": signed.body.hex(),
        "signature": signed.signature.hex(),
    }


def receipt_page(example: Example) -> Example:
    device = SigningKey(Secret(_un(example["device seed"])))
    sender, content_id = _un(example["sender"]), _un(example["content_id"])
    body: Value = [1, "rcpt", device.public, sender, content_id, 1_800_000_000, b""]
    signed = device.sign_value(b"kinlight/receipt1", body)
    receipt = Receipt.decode(encoding.encode([signed.body, signed.signature]))
    assert receipt.acknowledges(device.public, sender, content_id)
    assert receipt == Receipt.sign(device, sender, content_id, 1_800_000_000)
    return {
        "recipient": device.public.hex(),
        "body (time 1800000000, no commitment)": signed.body.hex(),
        "signature": signed.signature.hex(),
        "receipt": receipt.encoded.hex(),
    }


def devices_page(example: Example) -> Example:
    secret = OwnSecret(1, Secret(_un(example["own secret"])))
    one, other = _un(example["one device"]), _un(example["other device"])
    key, exporter = Secret(_un(example["SPAKE2 key"])), _un(example["X"])
    invitation = Invitation(
        identity_hash(one), Secret(bytes(16)), ("192.0.2.7:4430",), 1_800_000_000, "device"
    )
    return {
        "listener secret of one device": secret.listener(bytes(32), one).pair_secret.reveal().hex(),
        "pair secret of both": secret.pair(one, other).reveal().hex(),
        "K": key.derive(b"kinlight/device-key1" + exporter).reveal().hex(),
        "confirmation of the dialer, both digests zero": PairingKey(key, exporter, "device")
        .confirmation(bytes(32), bytes(32), dialer=True)
        .hex(),
        "invitation of one device as identity, secret zero, 192.0.2.7:4430, until 1800000000": str(
            invitation
        ),
    }


def test_the_page_of_devices_lists_its_messages() -> None:
    listed = {
        (int(number), name.strip("`"), tuple(re.findall(r"`([a-z_]+)`", fields)))
        for number, name, fields in table(page("devices.md"), "Messages")
    }
    assert listed == {
        (kind.number, kind.__name__, tuple(field.name for field in dataclasses.fields(kind)))  # type: ignore[arg-type]
        for kind in (*DEVICE_WORK, DeviceGift)
    }


def ticket_page(example: Example) -> Example:
    root = SigningKey(Secret(_un(example["root seed"])))
    device = SigningKey(Secret(_un(example["device seed"])))
    paper = DeviceCertificate.issue(
        root, root.public, device.public, not_before=1_700_000_000, seq=1, may_certify=False
    )
    secret = Secret(_un(example["secret"]))
    body: Value = [
        1, "ticket", [paper.signed.to_value()], secret.reveal(), 1_800_000_000, 1_800_003_600, 1,
        ["192.0.2.7:4430"], [],
    ]  # fmt: skip
    signed = device.sign_value(b"kinlight/ticket1", body)
    data = encoding.encode([signed.body, signed.signature])
    checksum = hashlib.sha256(b"kinlight/ticket-check1\x00" + data).digest()[:4]
    text = "kinlight:ticket/" + base64.b32encode(data + checksum).decode().rstrip("=").lower()
    ticket = Ticket.parse(text)
    assert (ticket.identity, str(ticket)) == (root.public, text)
    tag = hmac.digest(secret.reveal(), b"ticket" + _un(example["X"]), "sha256")
    assert tag == pairing.ticket_tag(secret, _un(example["X"]))
    rendezvous = hkdf(secret.reveal(), b"kinlight/ticket-rendezvous1")
    assert ticket.rendezvous_secret == Secret(rendezvous)
    return {
        "body": signed.body.hex(),
        "signature": signed.signature.hex(),
        "ticket_id": hashlib.sha256(data).digest()[:8].hex(),
        "text": text,
        "ticket tag": tag.hex(),
        "rendezvous_secret": rendezvous.hex(),
    }


def rendezvous_page(example: Example) -> Example:
    root = SigningKey(Secret(_un(example["root seed"])))
    device = SigningKey(Secret(_un(example["device seed"])))
    secret = Secret(_un(example["pair_secret"]))
    address = "/ip4/192.0.2.7/tcp/4711/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    value: Value = [1, "notice", root.public, device.public, 1_800_000_000, [address]]
    body = encoding.encode(value)
    tag = rendezvous.tag_of(secret, 20_833)
    key = Secret(hkdf(secret.reveal(), b"kinlight/rendezvous-key1"))
    notice = rendezvous.Notice(root.public, device.public, 1_800_000_000, (address,))
    filled = unwrap(key, b"kinlight/rendezvous-record1\x00" + tag, notice.seal(secret))
    assert filled == (len(body).to_bytes(2) + body).ljust(1976, b"\0")
    return {"tag(20833)": tag.hex(), "key": key.reveal().hex(), "body": body.hex()}


def profile_page(example: Example) -> Example:
    key = SigningKey(Secret(_un(example["seed of the transport key"])))
    challenge = _un(example["challenge"])
    peer = bytes.fromhex("002408011220") + key.public
    body: Value = [1, "profile", peer, challenge, [1, 2, 3], ["relay"]]
    signed = key.sign_value(b"kinlight/profile1", body)
    profile = Profile.issue(key, challenge, (1, 2, 3), ["relay"])
    assert Profile.decode(signed.encode(), peer, challenge) == profile
    return {
        "peer": peer.hex(),
        "body": signed.body.hex(),
        "signature": signed.signature.hex(),
        "answer": signed.encode().hex(),
    }


def holding_page(example: Example) -> Example:
    secret, key = Secret(_un(example["secret"])), Secret(_un(example["file key"]))
    day = 1_800_000_000 // 86_400
    owner = _un(example["owner"])
    labelled = b"kinlight/mailbox1\x00" + owner + day.to_bytes(8)
    tag = hmac.digest(secret.reveal(), labelled, "sha256")
    assert delivery.mailbox_tag(secret, owner, delivery.day_of(1_800_000_000)) == tag
    token = HKDF(SHA256(), 32, None, b"kinlight/fetch1").derive(key.reveal())
    content_id, token_hash = _un(example["content_id"]), hashlib.sha256(token).digest()
    blob = delivery.HeldBlob.under(content_id, 72, key)
    deposit = messages.Deposit(tag, _un(example["envelope"]), 20_900, (blob,))
    fetch = messages.FetchHeld(1, content_id, token, True, ((0, 3),), 8)
    return {
        "day of 1800000000": str(day),
        "tag": tag.hex(),
        "mark": delivery.marks(secret, [_un(example["holder"])]).hex(),
        "fetch token": token.hex(),
        "token hash": token_hash.hex(),
        "Deposit (expires 20900, a blob of 72 bytes)": deposit.encode().hex(),
        "FetchHeld (request 1, with the token, manifest, pieces 0 to 2, credit 8)": (
            fetch.encode().hex()
        ),
    }


def backup_page(example: Example) -> Example:
    root = SigningKey(Secret(_un(example["root seed"])))
    device = SigningKey(Secret(_un(example["device seed"])))
    certificate = DeviceCertificate.issue(
        root, root.public, device.public, not_before=1_700_000_000, seq=1, may_certify=False
    )
    contact: Value = [_un(example["contact"]), "Ben", _un(example["pair_secret"]), 1]
    whole = hashlib.sha256(encoding.encode(contact)).digest()
    body: Value = [
        1, "bak", device.public, [certificate.signed.to_value()], 1_800_000_000,
        "contacts", whole, 0, 1, [contact],
    ]  # fmt: skip
    signed = device.sign_value(b"kinlight/backup1", body)
    kem = KemKey(Secret(_un(example["recovery KEM seed"])))
    kem_digest = hashlib.sha256(kem.public).digest()
    info = encoding.encode(["kinlight/bak1", root.public, kem_digest])
    prefixed = len(signed.encode()).to_bytes(4) + signed.encode()
    padded = prefixed + bytes(-len(prefixed) % 4096)
    found = backup.open_sealed(seal_to(kem.public, info, padded), kem, root.public)
    assert (found.device, found.time) == (device.public, 1_800_000_000)
    (kept,) = backup.newest_contacts([found])
    assert kept.to_value() == contact
    return {
        "identity": root.public.hex(),
        "SHA-256 of recovery_kem": kem_digest.hex(),
        "device": device.public.hex(),
        "device certificate (not_before 1700000000, seq 1, may_certify 0), E of it": (
            certificate.signed.encode().hex()
        ),
        "whole": whole.hex(),
        "body (time 1800000000, Ben, verified)": signed.body.hex(),
        "signature": signed.signature.hex(),
        "info": info.hex(),
        "padded, without its zeros": prefixed.hex(),
        "bytes of padded": str(len(padded)),
    }


def album_page(example: Example) -> Example:
    root = SigningKey(Secret(_un(example["root seed"])))
    device = SigningKey(Secret(_un(example["device seed"])))
    kem, recovery = (
        KemKey(Secret(_un(example[name]))).public for name in ("KEM seed", "recovery KEM seed")
    )
    certificate = DeviceCertificate.issue(
        root, root.public, device.public, not_before=1_700_000_000, seq=1, may_certify=False
    )
    chain = DeviceChain.assemble(
        root.sign_value(b"kinlight/identity1", [1, "id", root.public, recovery]),
        [certificate],
        issue_kem(device, kem),
    )
    key, earlier = Secret(_un(example["key"])), Secret(_un(example["earlier key"]))
    key_id = hkdf(key.reveal(), b"kinlight/epoch-id1")
    earlier_id = hkdf(earlier.reveal(), b"kinlight/epoch-id1")
    wraps_hash, nonce = _un(example["wraps_hash"]), _un(example["nonce"])
    create: Value = ["create", nonce, "all", ["original"], chain.encoded]
    body: Value = [
        1, "alog", b"", 0, [], root.public, device.public, 1_800_000_000,
        [create, ["epoch", earlier_id, wraps_hash, 1, []]],
    ]  # fmt: skip
    first = device.sign_value(b"kinlight/album-log1", body)
    album = hashlib.sha256(b"kinlight/album-id1\x00" + first.encode()).digest()[:16]
    graph = Album(LogEntry.read(first))
    assert graph.album_id == album
    context = encoding.encode(["kinlight/album-past1", album, key_id, earlier_id])
    wrapped = _un(example["wrapped earlier key"])
    past: Value = [[earlier_id, wrapped]]
    second_body: Value = [
        1, "alog", album, 1, [first.digest()], root.public, device.public, 1_800_000_001,
        [["epoch", key_id, wraps_hash, 1, past]],
    ]  # fmt: skip
    second = LogEntry.read(device.sign_value(b"kinlight/album-log1", second_body))
    graph.take(second)
    ring = KeyRing(album, [key])
    assert ring.learn([second.epoch] if second.epoch else []) == 1
    assert ring.get(earlier_id) == earlier
    assert unwrap(key, context, wrapped) == earlier.reveal()
    said: Value = [
        1, "afeed", album, root.public, device.public, 0, b"", [second.digest], 1_800_000_002,
        ["ask-delete", _un(example["photo_id"])],
    ]  # fmt: skip
    entry = FeedEntry.read(device.sign_value(b"kinlight/album-feed1", said))
    graph.take(entry)
    leaf = hashlib.sha256(
        b"\x00" + encoding.encode([device.public, _un(example["sealed"])])
    ).digest()
    assert merkle.is_in(leaf, 1, 0, encoding.encode([device.public, _un(example["sealed"])]), [])
    return {
        "identity": root.public.hex(),
        "device": device.public.hex(),
        "SHA-256 of chain (not_before 1700000000, seq 1, not_after 2^63 - 1)": chain.digest.hex(),
        "earlier key_id": earlier_id.hex(),
        "SHA-256 of the first body (time 1800000000, history all, tier original, epoch)": (
            hashlib.sha256(first.body).hexdigest()
        ),
        "signature of the first entry": first.signature.hex(),
        "SHA-256 of the first entry": first.digest().hex(),
        "album": album.hex(),
        "key_id": key_id.hex(),
        "second body (time 1800000001, epoch with the earlier key)": second.signed.body.hex(),
        "feed entry's body (time 1800000002, ask-delete)": entry.signed.body.hex(),
        "feed entry's signature": entry.signed.signature.hex(),
        "wraps_hash of this sealed alone": leaf.hex(),
        "attribute": album_roles.attribute(album),
    }


def siblings_page(example: Example) -> Example:
    device = SigningKey(Secret(_un(example["device seed"])))
    identity, photo = _un(example["identity"]), _un(example["photo"])
    subject = photo + b"sea"
    made = SiblingRecord.sign(
        device, identity, next_moment(1_800_000_000), "tag", subject, present("Sea")
    )
    gone = absent(made.dot)
    assert merged(Merge.SET, [made]) == present("Sea")
    return {
        "device": device.public.hex(),
        "identity": SigningKey(Secret(_un(example["root seed"]))).public.hex(),
        "moment (1800000000)": str(made.moment),
        "value (Sea)": made.value.hex(),
        "body (tag, photo || sea)": made.signed.body.hex(),
        "signature": made.signed.signature.hex(),
        "value of a record that takes it back": gone.hex(),
    }


PAGES: dict[str, Callable[[Example], Example]] = {
    "channel.md": channel_page,
    "pairing.md": pairing_page,
    "record.md": record_page,
    "capability.md": capability_page,
    "attestation.md": attestation_page,
    "revocation.md": revocation_page,
    "receipt.md": receipt_page,
    "devices.md": devices_page,
    "ticket.md": ticket_page,
    "rendezvous.md": rendezvous_page,
    "profile.md": profile_page,
    "holding.md": holding_page,
    "backup.md": backup_page,
    "album.md": album_page,
    "siblings.md": siblings_page,
}


@pytest.mark.parametrize("name", PAGES)
def test_the_example_on_a_page_is_what_the_code_makes(name: str) -> None:
    example = example_of(name)
    made = PAGES[name](example)
    assert made
    assert {left: example[left] for left in made} == made


@pytest.mark.parametrize("name", ["security.md", "attacks.md"])
def test_what_a_page_names_exists(name: str) -> None:
    """A claim without its test, or a link to nowhere, is worth little."""
    text = (SPEC.parent / name).read_text("utf-8")
    tests = re.findall(r"`(tests/[^`]+)`", text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert tests or links
    assert [path for path in tests if not (SPEC.parents[1] / path).is_file()] == []
    assert [path for path in links if not (SPEC.parent / path).exists()] == []
