"""What a browser offers, made harmless before anything else reads it (docs/spec/link.md, "Offers").

An offer decides where this node sends packets and what its WebRTC library parses, so it is cut
down to the few lines that a data channel needs. Of its candidates the ports alone count, each at
the address that the request came from: nobody can have checks sent to somebody else, and no name
is looked up. Browsers hide their addresses behind `.local` names, so little else could be made of
them; where that address is not the right one, the browser's own checks find the node.
"""

from __future__ import annotations

import re
from typing import Final

from . import limits
from .weblink_errors import LinkOfferError

_LINES: Final = re.compile(
    r"v=0"
    r"|o=[\x21-\x7e]{1,64} [0-9]{1,20} [0-9]{1,20} IN IP[46] [0-9A-Fa-f.:]{1,45}"
    r"|s=[\x20-\x7e]{1,64}"
    r"|t=0 0"
    r"|m=application [0-9]{1,5} UDP/DTLS/SCTP webrtc-datachannel"
    r"|c=IN IP[46] [0-9A-Fa-f.:]{1,45}"
    r"|a=group:BUNDLE [A-Za-z0-9]{1,16}"
    r"|a=ice-ufrag:[A-Za-z0-9+/]{4,256}"
    r"|a=ice-pwd:[A-Za-z0-9+/]{22,256}"
    r"|a=fingerprint:sha-256 [0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}"
    r"|a=setup:(?:actpass|active)"
    r"|a=mid:[A-Za-z0-9]{1,16}"
    r"|a=sctp-port:[0-9]{1,5}"
    r"|a=max-message-size:[0-9]{1,10}"
)
_NEEDED: Final = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=mid:", "v=", "o=")
_CANDIDATE: Final = re.compile(
    r"a=candidate:([A-Za-z0-9+/]{1,32}) 1 udp ([0-9]{1,10}) [A-Za-z0-9.:-]{1,64} ([0-9]{1,5})"
    r" typ host(?: .*)?",
    re.IGNORECASE,
)


def harmless(offer: str, source: str) -> str:
    """The offer with what a data channel needs and no more; `LinkOfferError` where that misses.

    `source` is the address that the request came from, or one by which it can be reached.
    """
    if len(offer) > limits.LINK_OFFER_BYTES or not offer.isascii():
        raise LinkOfferError
    kept: list[str] = []
    ports: list[int] = []
    for line in offer.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if (found := _CANDIDATE.fullmatch(line)) is not None:
            ports.append(int(found[3]))
        elif line.startswith("m=") and not _LINES.fullmatch(line):
            raise LinkOfferError  # sound or pictures, which nobody offers who wants photos
        elif _LINES.fullmatch(line):
            kept.append(line)
    for begin in ("m=", *_NEEDED):
        if sum(line.startswith(begin) for line in kept) != 1:
            raise LinkOfferError
    ports = [port for port in dict.fromkeys(ports) if 0 < port < 65536]
    if not ports:
        raise LinkOfferError
    kept += [
        f"a=candidate:{number} 1 udp 2113937151 {source} {port} typ host"
        for number, port in enumerate(ports[: limits.LINK_CANDIDATES])
    ]
    return "\r\n".join([*kept, "a=end-of-candidates", ""])
