"""Writes the vectors of links: `python tests/vectors/generate_links.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run. A case that
`fails` says what must not come out: the `list`, the proof of the `offer`, or that of the `answer`.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from generate import HERE, Case, fixed, hkdf, write_json

KEY, TOKEN, VISIT = fixed("link"), fixed("link token", 16), fixed("link visit", 16)
LINK_ID = hashlib.sha256(b"kinlight/link1\0" + TOKEN).digest()
LIST = '{"version":1,"from":"Ada","expires":1800000000,"count":1,"original":false,"photos":[]}'
OFFER, ANSWER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", "v=0\r\no=- 3 2 IN IP4 0.0.0.0\r\n"


def tag(purpose: bytes, message: bytes, link_id: bytes = LINK_ID) -> str:
    whole = purpose + b"\0" + link_id + VISIT + message
    return hmac.digest(hkdf(KEY, b"kinlight/link-auth1"), whole, "sha256").hex()


def case(name: str, fails: str = "", **changes: str) -> Case:
    heard = hashlib.sha256(OFFER.encode()).digest()
    sealed = AESGCM(hkdf(KEY, b"kinlight/link-list1")).encrypt(bytes(12), LIST.encode(), LINK_ID)
    whole = {
        "name": name,
        "fails": fails,
        "key": KEY.hex(),
        "token": TOKEN.hex(),
        "link_id": LINK_ID.hex(),
        "visit": VISIT.hex(),
        "list": LIST,
        "sealed": sealed.hex(),
        "offer": OFFER,
        "offer_tag": tag(b"kinlight/link-offer1", OFFER.encode()),
        "answer": ANSWER,
        "answer_tag": tag(b"kinlight/link-answer1", heard + ANSWER.encode()),
    }
    return {**whole, **changes}


def cases() -> list[Case]:
    good = case("a link, its list, an offer and its answer")
    flipped = bytes.fromhex(good["sealed"])
    flipped = flipped[:-1] + bytes([flipped[-1] ^ 1])
    other = hashlib.sha256(b"kinlight/link1\0" + bytes(16)).digest()
    elsewhere = AESGCM(hkdf(KEY, b"kinlight/link-list1")).encrypt(bytes(12), LIST.encode(), other)
    return [
        good,
        case("a changed byte of the list", "list", sealed=flipped.hex()),
        case("the list of another link", "list", sealed=elsewhere.hex()),
        case("an offer with another fingerprint", "offer", offer_tag="00" * 32),
        case(
            "the tag of an answer in the place of that of an offer",
            "offer",
            offer_tag=good["answer_tag"],
        ),
        case(
            "an offer for another link",
            "offer",
            offer_tag=tag(b"kinlight/link-offer1", OFFER.encode(), other),
        ),
        case(
            "an answer to no offer",
            "answer",
            answer_tag=tag(b"kinlight/link-answer1", ANSWER.encode()),
        ),
    ]


def main(folder: Path) -> None:
    about = "Links to photos: docs/spec/link.md. Texts are as they are, bytes in hex."
    write_json(folder / "link", "link", about, cases())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
