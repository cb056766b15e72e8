from __future__ import annotations

import re
from types import ModuleType

import pytest
from kinlight.crypto.errors import (
    KeyFileError,
    KinlightError,
    LocalError,
    MalformedError,
    PeerError,
)


@pytest.fixture
def concrete(room_modules: list[ModuleType]) -> list[type[KinlightError]]:
    """Every class of the tree but its three abstract ones."""
    found: list[type[KinlightError]] = []
    waiting: list[type[KinlightError]] = [KinlightError]
    rooms = {module.__name__ for module in room_modules}
    while waiting:
        for child in waiting.pop().__subclasses__():
            waiting.append(child)
            if child not in found and child.__module__ in rooms:
                found.append(child)
    return [error for error in found if error not in (LocalError, PeerError)]


@pytest.mark.parametrize("error", [KinlightError, LocalError, PeerError])
def test_the_abstract_errors_can_not_be_made(error: type[KinlightError]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        error()


def test_every_error_says_whose_fault_it_is(concrete: list[type[KinlightError]]) -> None:
    for error in concrete:
        assert issubclass(error, LocalError) != issubclass(error, PeerError), error


def test_every_error_is_a_sentence_with_a_code_of_its_own(
    concrete: list[type[KinlightError]],
) -> None:
    codes = [error.code for error in concrete]
    assert len(set(codes)) == len(codes) > 10
    for error in concrete:
        assert "code" in vars(error), error
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", error.code), error
        assert "__doc__" in vars(error), error
        assert re.match(r"[A-Z].*[.]$", str(error())), error
        assert "\n" not in str(error()), error


def test_a_detail_follows_the_sentence() -> None:
    assert str(MalformedError("photo record: kind")).endswith("allows: photo record: kind")
    assert str(KeyFileError()).startswith("The key file is damaged.")
    assert KeyFileError("why").detail == "why"


def test_a_detail_stands_before_what_to_do() -> None:
    assert str(KeyFileError("it is empty")).startswith("The key file is damaged: it is empty. Rest")
    assert KeyFileError.detail_of(str(KeyFileError("it is empty"))) == "it is empty"
    assert KeyFileError.detail_of(str(KeyFileError())) == ""
