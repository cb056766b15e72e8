"""Writes the vectors of drop links: `python tests/vectors/generate_drops.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run. `frames` are
what each side sealed, in their order; a case that `fails` has the number of the frame at the
`page` or the `node` that must not open.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from generate import HERE, Case, fixed, hkdf, write_json

KEY, TOKEN, VISIT = fixed("drop"), fixed("drop token", 16), fixed("drop visit", 16)
CHALLENGE = fixed("drop challenge")
DROP_ID = hashlib.sha256(b"kinlight/drop1\0" + TOKEN).digest()
AUTH = hkdf(KEY, b"kinlight/drop-auth1")
OFFER, ANSWER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", "v=0\r\no=- 3 2 IN IP4 0.0.0.0\r\n"
PHOTO = hashlib.sha256(b"a photo").digest()
OF_PAGE = [
    b"\x11"
    + (7).to_bytes(4)
    + (7).to_bytes(8)
    + (1_764_547_200_000).to_bytes(8)
    + PHOTO
    + b"a.jpg",
    b"\x12" + (7).to_bytes(4) + (0).to_bytes(8) + b"a photo",
]
OF_NODE = [
    b"\x92Ada",
    b"\x91" + (7).to_bytes(4) + b"\x00" + (0).to_bytes(8),
    b"\x91" + (7).to_bytes(4) + b"\x02" + (7).to_bytes(8),
]


def tag(purpose: bytes, message: bytes) -> str:
    return hmac.digest(AUTH, purpose + b"\0" + DROP_ID + VISIT + message, "sha256").hex()


def sealed(purpose: bytes, frames: list[bytes], challenge: bytes = CHALLENGE) -> list[str]:
    bound = DROP_ID + hashlib.sha256(OFFER.encode()).digest() + challenge
    key = AESGCM(hkdf(AUTH, purpose + b"\0" + bound))
    return [
        key.encrypt(number.to_bytes(12), frame, b"").hex() for number, frame in enumerate(frames)
    ]


def case(name: str, fails: list[object] | None = None, **changes: object) -> Case:
    heard = hashlib.sha256(OFFER.encode()).digest()
    whole: Case = {
        "name": name,
        "fails": fails or [],
        "key": KEY.hex(),
        "token": TOKEN.hex(),
        "drop_id": DROP_ID.hex(),
        "auth_key": AUTH.hex(),
        "visit": VISIT.hex(),
        "offer": OFFER,
        "offer_tag": tag(b"kinlight/drop-offer1", OFFER.encode()),
        "answer": ANSWER,
        "answer_tag": tag(b"kinlight/drop-answer1", heard + ANSWER.encode()),
        "challenge": CHALLENGE.hex(),
        "page": [frame.hex() for frame in OF_PAGE],
        "page_sealed": sealed(b"kinlight/drop-page1", OF_PAGE),
        "node": [frame.hex() for frame in OF_NODE],
        "node_sealed": sealed(b"kinlight/drop-node1", OF_NODE),
    }
    return {**whole, **changes}


def cases() -> list[Case]:
    page = sealed(b"kinlight/drop-page1", OF_PAGE)
    flipped = bytes.fromhex(page[1])
    flipped = flipped[:-1] + bytes([flipped[-1] ^ 1])
    return [
        case("a photo of seven bytes is offered, sent and there"),
        case("a changed byte of a part", ["page", 1], page_sealed=[page[0], flipped.hex()]),
        case("a frame twice", ["page", 1], page_sealed=[page[0], page[0]]),
        case("a frame is missing", ["page", 0], page_sealed=[page[1]]),
        case(
            "the frames of a channel before this one",
            ["page", 0],
            page_sealed=sealed(b"kinlight/drop-page1", OF_PAGE, bytes(32)),
        ),
        case(
            "a frame of the node comes back to it",
            ["page", 0],
            page_sealed=sealed(b"kinlight/drop-node1", OF_NODE),
        ),
    ]


def main(folder: Path) -> None:
    about = "Drop links: docs/spec/drop.md. Texts are as they are, bytes in hex."
    write_json(folder / "drop", "drop", about, cases())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
