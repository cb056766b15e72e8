"""Pass phrases and recovery words from files and to files, for use without a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..crypto.secret import Secret
from .errors import BadPassphraseFileError, BadWordsFileError

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords

FILE_VARIABLE: Final = "KINLIGHT_PASSPHRASE_FILE"
_MOST_BYTES: Final = 4096


def given(option: Path | None) -> Secret | None:
    """The pass phrase in the file of `--passphrase-file`, else of KINLIGHT_PASSPHRASE_FILE."""
    named = option or os.environ.get(FILE_VARIABLE)
    if not named:
        return None
    try:
        with Path(named).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadPassphraseFileError(f"{named}, {error.strerror}") from None
    phrase = content.removesuffix(b"\n").removesuffix(b"\r")
    if not phrase or len(content) > _MOST_BYTES:
        raise BadPassphraseFileError("it is empty" if not phrase else "it is too long")
    try:
        phrase.decode("utf-8")
    except UnicodeDecodeError:
        raise BadPassphraseFileError("it is not UTF-8 text") from None
    return Secret(phrase)


def words_in(path: Path) -> RecoveryWords:
    """The recovery words in a file."""
    from ..crypto.recovery import RecoveryWords

    return RecoveryWords.parse(text_of_words(path))


def text_of_words(path: Path) -> str:
    """What is in a file with recovery words."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadWordsFileError(f"{path}, {reason}") from None


def save_words(path: Path, words: RecoveryWords) -> None:
    """Write new words to a file that does not exist yet, for this user only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(words.phrase() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise BadWordsFileError("it exists already, and the words of a new node go there") from None
    except OSError as error:
        raise BadWordsFileError(f"{path}, {error.strerror}") from None
