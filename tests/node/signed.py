"""Pictures with a C2PA manifest, signed by a certificate that nobody has heard of."""

from __future__ import annotations

import datetime
import io
import json
from dataclasses import dataclass

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
YEAR = datetime.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Signer:
    """`anchor` is the root certificate, `chain` what a manifest carries; PEM."""

    anchor: str
    chain: bytes
    key: bytes

    @classmethod
    def new(cls) -> Signer:
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("Root", root_key, "Root", root_key, authority=True)
        leaf = _certificate("Camera", key, "Root", root_key, authority=False)
        anchor, own = (each.public_bytes(Encoding.PEM) for each in (root, leaf))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(anchor.decode(), own + anchor, secret)

    def sign(self, picture: bytes, mime: str) -> bytes:
        """The picture with a manifest that says it was taken by a camera."""
        taken = {"action": "c2pa.created", "digitalSourceType": CAPTURED}
        manifest = {
            "claim_generator_info": [{"name": "test", "version": "1"}],
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [taken]}}],
        }
        info = c2pa.C2paSignerInfo(b"es256", self.chain, self.key, None)
        context = c2pa.Context.from_json(json.dumps({"builder": {"thumbnail": {"enabled": False}}}))
        signed = io.BytesIO()
        with context, c2pa.Builder(json.dumps(manifest), context) as builder:
            builder.sign(c2pa.Signer.from_info(info), mime, io.BytesIO(picture), signed)
        return signed.getvalue()


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority, crl_sign=authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - YEAR)
        .not_valid_after(now + YEAR)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not authority:
        mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(mail, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "kinlight tests"),
        ]
    )
