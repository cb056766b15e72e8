"""The owner's rules in a file, for a moment: read for an import, or open in an editor."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

from ..protocol.errors import BadPolicyError
from .errors import BadRequestError, UnreadableFileError


def read(file: Path) -> str:
    """The text of a file. `UnreadableFileError`."""
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UnreadableFileError(error.strerror or "") from None
    except UnicodeDecodeError:
        raise UnreadableFileError("it is no text") from None


@contextlib.contextmanager
def edited(text: str) -> Generator[tuple[str, Path]]:
    """What a person makes of `text` in an editor, and the file it is in.

    The rules are kept encrypted: the file lies in memory where the system has such a folder, only
    this user can open it, and it is gone afterwards. Only rules that hold a mistake stay, or
    nobody could mend it.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor is None or not editor.strip():
        if not sys.stdin.isatty():
            raise BadRequestError("there is no terminal, and EDITOR names no editor")
        editor = "vi"
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("XDG_RUNTIME_DIR"), prefix="kinlight-"))
    file = folder / "policy.toml"
    keep = False
    try:
        file.write_text(text, "utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except OSError as error:
            raise BadRequestError(f"the editor {editor} does not start: {error.strerror}") from None
        if done.returncode:
            raise BadRequestError("the editor did not end well; nothing was changed")
        try:
            yield read(file), file
        except BadPolicyError:
            keep = True
            raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
