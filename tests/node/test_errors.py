from __future__ import annotations

import errno
import importlib
import inspect
import pkgutil
import subprocess
import sys

import kinlight.crypto
import kinlight.node
import kinlight.protocol
import pytest
from kinlight.crypto.errors import KinlightError, LocalError, PeerError
from kinlight.node import exits
from kinlight.node.errors import DiskFullError, HomeUnusableError, InternalError, storage_error
from kinlight.node.exits import exit_code, from_code


def all_errors() -> list[type[KinlightError]]:
    """Every error class of the three rooms that can be raised."""
    found: dict[str, type[KinlightError]] = {}
    for room in (kinlight.crypto, kinlight.protocol, kinlight.node):
        for module in pkgutil.iter_modules(room.__path__):
            if module.name != "__main__":
                importlib.import_module(f"{room.__name__}.{module.name}")
    pending: list[type[KinlightError]] = [LocalError, PeerError]
    while pending:
        for kind in pending.pop().__subclasses__():
            if kind.__module__.startswith("kinlight."):
                found[kind.__name__] = kind
                pending.append(kind)
    return sorted(found.values(), key=lambda kind: kind.__name__)


ERRORS = all_errors()


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in ERRORS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_says_what_happened_in_one_sentence_of_its_own(
    kind: type[KinlightError],
) -> None:
    assert inspect.getdoc(kind) != inspect.getdoc(kind.__mro__[1])
    sentence = kind.sentence()
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert kind.code == kind.code.lower()
    assert " " not in kind.code


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("detail", ["", "a detail", "with: colon", "trailing."])
def test_an_error_of_the_daemon_is_the_same_error_here(
    kind: type[KinlightError], detail: str
) -> None:
    told = kind(detail)
    back = from_code(told.code, str(told))
    assert type(back) is kind
    assert back.detail == detail
    assert str(back) == str(told)
    assert exit_code(back) == exit_code(told)


def test_a_client_that_loaded_nothing_else_knows_the_errors_of_the_daemon() -> None:
    asks = "from kinlight.node import client, exits\nfor code in sys.argv[1:]:\n"
    says = " print(exits.from_code(code, '').code)"
    codes = [kind.code for kind in ERRORS]
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{asks}{says}", *codes],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout.split() == codes


@pytest.mark.parametrize("code", ["", "no-such-code", "error", "local", "peer"])
def test_an_error_that_is_not_known_here_is_an_internal_one(code: str) -> None:
    assert isinstance(from_code(code, "what it said"), InternalError)


def test_exit_codes_are_what_they_always_were() -> None:
    """Scripts rely on them: a line may be added here, and none may change."""
    given = {kind.code: exit_code(kind()) for kind in ERRORS if issubclass(kind, LocalError)}
    expected = {
        2: {"usage", "bad-address", "bad-time", "bad-date", "bad-request", "invalid-code",
            "no-photos", "not-waiting", "grant-ended", "name-shared", "bad-policy",
            "bad-length", "invalid-ticket", "own-ticket", "not-a-device-code"},
        3: {"not-in-this-version", "contact-blocked", "not-ours", "own-photo",
            "not-for-passing-on", "passed-on-enough", "passed-back", "no-service-system",
            "device-may-not", "unsure-faces", "other-fingerprint", "last-backup", "key-in-doubt"},
        4: {"not-running", "no-node"},
        5: {"locked", "wrong-passphrase", "wrong-words", "passphrase-needed", "passphrase-file",
            "words-file", "words-mistyped", "other-words", "share-bad", "share-twice",
            "shares-few", "shares-mixed"},
        6: {"no-such-contact", "no-such-photo", "ambiguous-id", "no-such-node", "not-here-yet",
            "no-receipt", "no-face", "no-such-album", "no-such-folder", "not-granted",
            "no-such-ticket", "no-such-link", "no-such-drop", "ambiguous-album", "no-such-device",
            "no-such-own-device", "ambiguous-device", "no-share"},
        7: {"unreadable", "unwritable", "disk-full", "name-taken", "too-large", "file-changed",
            "home-unusable", "blob-missing", "library-damaged", "library-newer",
            "key-file-damaged", "picture-refused", "decoder-died", "decoder-timeout",
            "cannot-strip", "cannot-mark", "cannot-anonymise", "strip-failed", "service-foreign",
            "not-an-archive", "archive-version", "archive-damaged", "archive-torn"},
    }  # fmt: skip
    for number, codes in expected.items():
        assert {code for code, exits in given.items() if exits == number} == codes
    assert set(given.values()) <= {1, *expected}
    assert (exits.EXIT_OK, exits.EXIT_FAILED, exits.EXIT_INTERRUPTED) == (0, 1, 130)


def test_every_fault_of_a_peer_exits_as_refused() -> None:
    peers = [kind for kind in ERRORS if issubclass(kind, PeerError)]
    assert {exit_code(kind()) for kind in peers} == {exits.EXIT_REFUSED}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EACCES, HomeUnusableError),
        (errno.EROFS, HomeUnusableError),
        (errno.EIO, HomeUnusableError),
    ],
)
def test_a_failed_write_is_named(number: int, kind: type[LocalError]) -> None:
    assert type(storage_error(OSError(number, "text", "/home/anna/x"))) is kind
    assert "anna" not in str(storage_error(OSError(number, "text", "/home/anna/x")))
