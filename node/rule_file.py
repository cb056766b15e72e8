"""The owner's rules in a file, for a moment: read for an import, or open in an editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from .errors import BadRequestError, UnreadableFileError


def read(file: Path) -> str:
    """The text of a file. `UnreadableFileError`."""
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UnreadableFileError(error.strerror or "") from None
    except UnicodeDecodeError:
        raise UnreadableFileError("it is no text") from None


def edited(text: str) -> str:
    """What a person makes of `text` in an editor; the file is gone afterwards.

    The rules are kept encrypted: the file lies in memory where the system has such a folder, and
    only this user can open it.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor is None or not editor.strip():
        if not sys.stdin.isatty():
            raise BadRequestError("there is no terminal, and EDITOR names no editor")
        editor = "vi"
    with tempfile.TemporaryDirectory(dir=os.environ.get("XDG_RUNTIME_DIR")) as folder:
        file = Path(folder) / "policy.toml"
        file.write_text(text, "utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except OSError as error:
            raise BadRequestError(f"the editor {editor} does not start: {error.strerror}") from None
        if done.returncode:
            raise BadRequestError("the editor did not end well; nothing was changed")
        return read(file)
