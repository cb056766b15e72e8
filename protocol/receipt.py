"""Receipts: a device's signed word that it has a photo, whole and verified, and since when.

It says nothing of whether anybody looked at it. It is signed and transferable: who has it can show
it to others (docs/spec/receipt.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..crypto import signing
from ..crypto.blob import CONTENT_ID_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits

RECEIPT_DOMAIN: Final = b"kinlight/receipt1"
COMMITMENT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Receipt:
    """`recipient`, a device, stored what `sender`, an identity, sent it.

    `time` is in seconds since 1970 by the recipient's clock. `commitment` is the one to a mark that
    the envelope supplied, or empty where it supplied none.
    """

    recipient: bytes
    sender: bytes
    content_id: bytes
    time: int
    commitment: bytes
    signed: Signed

    @classmethod
    def sign(
        cls,
        device: SigningKey,
        sender: bytes,
        content_id: bytes,
        time: int,
        commitment: bytes = b"",
    ) -> Receipt:
        """Say that this device has the blob of that content id from `sender`."""
        body: Value = [1, "rcpt", device.public, sender, content_id, time, commitment]
        signed = device.sign_value(RECEIPT_DOMAIN, body)
        return cls(device.public, sender, content_id, time, commitment, signed)

    @classmethod
    def decode(cls, data: bytes) -> Receipt:
        """Check form and signature. Whose device it is, and what it is for, is the reader's matter.

        Raises `MalformedError` and `BadSignatureError`.
        """
        signed = Signed.decode(data, limits.RECEIPT_BYTES, "receipt")
        reader = Reader(signed.unverified(), "receipt")
        reader.literal(1, "rcpt")
        recipient = reader.octets("recipient", signing.KEY_BYTES)
        sender = signing.check_public_key(reader.octets("sender", signing.KEY_BYTES))
        content_id = reader.octets("content id", CONTENT_ID_BYTES)
        time = reader.integer("time", 2**63 - 1)
        commitment = reader.octets("commitment", maximum=COMMITMENT_BYTES)
        if len(commitment) not in (0, COMMITMENT_BYTES):
            raise MalformedError("receipt: commitment")
        reader.end()
        signing.verify(recipient, RECEIPT_DOMAIN, signed.body, signed.signature)
        return cls(recipient, sender, content_id, time, commitment, signed)

    @property
    def encoded(self) -> bytes:
        """Canonical bytes."""
        return self.signed.encode()

    def acknowledges(self, device: bytes, sender: bytes, content_id: bytes) -> bool:
        """Whether it is by that device, to that identity, for that blob."""
        said = (self.recipient, self.sender, self.content_id)
        return said == (device, sender, content_id)
