from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from kinlight.crypto.secret import Secret

VALUE = b"correct horse battery staple 123"


def test_a_secret_shows_its_length_only() -> None:
    secret = Secret(VALUE)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"):
        assert "32 bytes" in shown
        assert "horse" not in shown
        assert VALUE.hex() not in shown
    assert len(secret) == 32
    assert secret.reveal() == VALUE


def test_a_secret_is_not_pickled_or_copied() -> None:
    for dump in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            dump(Secret(VALUE))


def test_secrets_are_equal_by_value_and_to_no_other_type() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE[:-1])
    assert Secret(VALUE) != VALUE
    with pytest.raises(TypeError):
        hash(Secret(VALUE))


def test_a_secret_is_a_copy() -> None:
    buffer = bytearray(VALUE)
    secret = Secret(bytes(buffer))
    buffer[0] ^= 1
    assert secret.reveal() == VALUE


def test_derived_keys_depend_on_the_purpose() -> None:
    secret = Secret(VALUE)
    assert secret.derive(b"one") == secret.derive(b"one")
    assert secret.derive(b"one") != secret.derive(b"two")
    assert len(secret.derive(b"one", 64)) == 64


def test_the_derivation_is_that_of_rfc_5869_without_a_salt() -> None:
    # Test case 3 of appendix A.
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert Secret(b"\x0b" * 22).derive(b"", 42).reveal().hex() == okm


def test_a_traceback_with_locals_holds_no_secret() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(f"it failed with {secret}")

    with pytest.raises(ValueError, match="failed") as caught:
        fail(Secret(VALUE))
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=False)
    assert "horse" not in "".join(lines.format())
