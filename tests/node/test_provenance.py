"""What a picture says of its own history; every state and the network that is never touched."""

from __future__ import annotations

import csv
import ctypes.util
import io
import mmap
import socket
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from kinlight.node import provenance
from kinlight.node.sniffing import sniff
from PIL import Image

from .signed import Signer

FORMATS = {
    "jpeg": ("JPEG", "image/jpeg"),
    "png": ("PNG", "image/png"),
    "webp": ("WEBP", "image/webp"),
    "gif": ("GIF", "image/gif"),
    "tiff": ("TIFF", "image/tiff"),
    "avif": ("AVIF", "image/avif"),
}


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.new()


def picture(picture_format: str) -> bytes:
    coded = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(coded, FORMATS[picture_format][0])
    return coded.getvalue()


def remote(url: str) -> bytes:
    """A JPEG whose manifest is at `url` only."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf'
        b'-syntax-ns#"><rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
        b'dcterms:provenance="' + url.encode() + b'"/></rdf:RDF></x:xmpmeta>'
    )
    body = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    plain = picture("jpeg")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]


@pytest.fixture
def corpus(shared_dir: Path) -> Path:
    folder = shared_dir / "data" / "corpus"
    if not (folder / "index.tsv").is_file():
        pytest.skip(f"the photos of {folder} are not there")
    return folder


def rows(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "index.tsv").open(newline="", encoding="utf-8") as index:
        return list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("picture_format", FORMATS)
def test_a_signed_picture_is_valid_but_nobody_vouches_for_its_signer(
    signer: Signer, picture_format: str
) -> None:
    signed = signer.sign(picture(picture_format), FORMATS[picture_format][1])
    assert provenance.read(signed, picture_format) == ("valid-untrusted", None)


def test_a_picture_by_a_trusted_signer_is_valid(signer: Signer) -> None:
    signed = signer.sign(picture("jpeg"), "image/jpeg")
    assert provenance.read(signed, "jpeg", anchors=signer.anchor) == ("valid", None)
    other = Signer.new().anchor
    assert provenance.read(signed, "jpeg", anchors=other) == ("valid-untrusted", None)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_changed_pixel_makes_it_invalid_whoever_signed(signer: Signer, trusted: bool) -> None:
    changed = bytearray(signer.sign(picture("jpeg"), "image/jpeg"))
    changed[-30] ^= 1
    anchors = signer.anchor if trusted else None
    state = provenance.read(changed, "jpeg", anchors=anchors)
    assert state == ("invalid", "assertion.dataHash.mismatch")


def test_a_manifest_cut_out_of_its_claim_is_unreadable(signer: Signer) -> None:
    signed = signer.sign(picture("png"), "image/png")
    broken = signed.replace(b"c2pa.signature", b"c2pa.nosigning")
    state, code = provenance.read(broken, "png")
    assert state == "invalid"
    assert code


@pytest.mark.parametrize("picture_format", FORMATS)
def test_a_plain_picture_has_no_manifest(picture_format: str) -> None:
    assert provenance.read(picture(picture_format), picture_format) == ("none", None)


def test_a_format_that_carries_no_manifest_is_not_looked_into(signer: Signer) -> None:
    assert provenance.read(signer.sign(picture("jpeg"), "image/jpeg"), "psd") == ("none", None)


def test_a_broken_picture_without_a_manifest_is_no_case_of_c2pa() -> None:
    assert provenance.read(picture("png")[:60], "png") == ("none", None)
    assert provenance.read(b"", "jpeg") == ("none", None)


def test_boxes_nested_by_the_hundred_are_reported() -> None:
    boxes = b""
    for _ in range(300):
        boxes = struct.pack(">I4s", len(boxes) + 8, b"moov") + boxes
    clip = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom") + boxes
    assert provenance.read(clip, "mp4") == ("invalid", provenance.UNREADABLE)


def test_a_mapped_file_is_read_where_it_lies(signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "signed.jpg"
    path.write_bytes(signer.sign(picture("jpeg"), "image/jpeg"))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        assert provenance.read(data, "jpeg") == ("valid-untrusted", None)


def test_a_manifest_on_a_server_is_named_and_never_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/manifest"
        assert provenance.read(remote(url), "jpeg") == ("none", provenance.REMOTE_ONLY)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


SANDBOXED = textwrap.dedent("""
    import os, sys
    import pyseccomp
    from kinlight.node import provenance

    data = sys.stdin.buffer.read()
    provenance.warm_up()
    if os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
    sandbox = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    for call in ("socket", "connect", "sendto", "execve", "fork", "vfork", "clone", "clone3"):
        sandbox.add_rule(pyseccomp.KILL_PROCESS, call)
    for call in ("open", "openat", "openat2"):
        sandbox.add_rule(pyseccomp.ERRNO(1), call)
    sandbox.load()
    print(*provenance.read(data, "jpeg"), flush=True)
    os._exit(0)
""")


@pytest.mark.parametrize("where", ["inside", "on a server"])
def test_it_works_where_files_sockets_threads_and_processes_are_forbidden(
    signer: Signer, where: str
) -> None:
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("needs Linux and libseccomp")
    inside = where == "inside"
    url = "http://127.0.0.1:9/manifest"
    data = signer.sign(picture("jpeg"), "image/jpeg") if inside else remote(url)
    done = subprocess.run(
        [sys.executable, "-c", SANDBOXED], input=data, capture_output=True, check=False, timeout=60
    )
    said = b"valid-untrusted None" if inside else b"none remote-only"
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr.decode()


def test_every_manifest_of_the_corpus_is_judged_as_its_index_says(corpus: Path) -> None:
    expected = {
        "no": ("none",),
        "remote URL only": ("none",),
        "valid": ("valid", "valid-untrusted"),
        "INVALID": ("invalid",),
        "unreadable": ("invalid",),
    }
    for row in rows(corpus):
        data = (corpus / row["file"]).read_bytes()
        state, code = provenance.read(data, sniff(data))
        assert state in expected[row["c2pa"]], row["file"]
        assert (code is not None) == (state == "invalid" or row["c2pa"] == "remote URL only")
        if row["c2pa"] == "INVALID":
            assert str(code) in row["expected"], row["file"]
