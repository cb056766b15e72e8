"""C2PA: what a picture says of its own history, and whether that holds. Nothing is fetched.

The reader is c2pa-python, which loads a native library: import this module before the sandbox
closes. It never uses the library's defaults, which fetch a manifest that the picture only names by
URL: the server would learn who opened which photo. The settings below allow no host at all.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

import c2pa

from .buffers import BufferFile
from .facts import Buffer

FORMATS: Final = frozenset(
    {"jpeg", "png", "webp", "gif", "tiff", "dng", "raw", "avif", "heif", "jxl", "mp4", "mov"}
)
"""What is read; other formats carry no manifest that c2pa finds."""
CLIPS: Final = frozenset({"mp4", "mov"})
MAX_MANIFEST_MIB: Final = 16
"""A compressed manifest that grows beyond it is invalid."""

UNTRUSTED: Final = frozenset({"signingCredential.untrusted", "cawg.x509.credential.untrusted"})
"""Failures that say only that nobody vouches for the signer."""
INVALID: Final = "invalid"
"""The code where c2pa gives none."""
UNREADABLE: Final = "unreadable"
"""The code of a manifest that can't be parsed."""
REMOTE_ONLY: Final = "remote-only"
"""The code of a picture whose manifest is on a server."""

_QUIET: Final[dict[str, dict[str, Any]]] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {
        "allowed_network_hosts": [],
        "allow_redirects": False,
        "max_decompressed_manifest_size_in_mb": MAX_MANIFEST_MIB,
    },
}
# Every embedded manifest store names itself in clear; the other is the XMP field of a remote one.
_MARKS: Final = (re.compile(rb"c2pa"), re.compile(rb"dcterms:provenance"))
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def warm_up() -> None:
    """Whatever the library does once a process is done; call it before the sandbox closes.

    Later it still looks for the machine's memory and processors in /proc, and does without where
    that is refused. It starts threads only for files of hundreds of megabytes.
    """
    read(b"\xff\xd8\xff\xd9c2pa", "jpeg")


def worth_reading(data: Buffer, picture_format: str) -> bool:
    """Whether the library has to look at the picture at all; it is `none` otherwise.

    A picture's bytes are searched for a manifest's name, a clip is always looked at.
    """
    return picture_format in CLIPS or (picture_format in FORMATS and _marked(data))


def read(
    data: Buffer, picture_format: str, *, anchors: str | None = None
) -> tuple[str, str | None]:
    """The state (one of `facts.C2PA_STATES`) and a code that explains it.

    `picture_format` is `sniffing`'s word. `anchors` are certificates (PEM) whose signers are
    trusted; without any, the best state is `valid-untrusted`. The code of `invalid` is that of the
    first failure (C2PA specification, "Validation status codes"), or `INVALID` or `UNREADABLE`;
    that of `none` can be `REMOTE_ONLY`. Never raises.
    """
    if not worth_reading(data, picture_format):
        return "none", None
    name = "tiff" if picture_format == "raw" else picture_format
    try:
        with (
            _context(anchors) as context,
            c2pa.Reader(name, BufferFile(data), context=context) as reader,
        ):
            return _judge(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return "none", None
    except c2pa.C2paError as error:
        return _unread(str(error), data)
    except (ValueError, RecursionError):  # JSON or text of a hostile manifest
        return "invalid", UNREADABLE


def _context(anchors: str | None) -> c2pa.Context:
    """A fresh one: after a fork the library refuses those made before it."""
    trust = {} if anchors is None else {"trust": {"trust_anchors": anchors}}
    return c2pa.Context.from_json(json.dumps(_QUIET | trust))


def _marked(data: Buffer) -> bool:
    return any(mark.search(data) for mark in _MARKS)


def _judge(report: str) -> tuple[str, str | None]:
    """The state of what c2pa says, a JSON report of the whole store."""
    value: Any = json.loads(report)
    state, results = value.get("validation_state"), value.get("validation_results", {})
    deltas = [item["validationDeltas"] for item in results.get("ingredientDeltas", [])]
    codes = [
        cast("str", failure["code"])
        for statuses in (results.get("activeManifest", {}), *deltas)
        for failure in statuses.get("failure", [])
        if failure["code"] not in UNTRUSTED
    ]
    if codes or state not in ("Valid", "Trusted"):
        return "invalid", codes[0] if codes and _CODE.fullmatch(codes[0]) else INVALID
    return ("valid" if state == "Trusted" else "valid-untrusted"), None


def _unread(reason: str, data: Buffer) -> tuple[str, str | None]:
    if reason.startswith("Remote"):
        return "none", REMOTE_ONLY
    # A broken picture without a manifest is no case of C2PA. Boxes nested by the hundred are:
    # no camera writes them, and who can't be followed may hide a manifest.
    if _marked(data) or "nested" in reason:
        return "invalid", UNREADABLE
    return "none", None
