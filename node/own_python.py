"""How a process of ours is started that runs another module of this room."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = str(Path(__file__).resolve().parent)
"""Where it starts: a library of ours looks for its native part in the current folder first, and
that must be one that nobody else can write to."""
ENVIRONMENT: Final = {key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ}
"""Nothing counts that the user's shell has set."""


def command(module: str, function: str, *arguments: str) -> list[str]:
    """Python without the user's settings, but with a user's own installation if we are in one."""
    own = site.getusersitepackages()
    paths = [own] if own in sys.path else []
    code = (
        f"import sys; sys.path += sys.argv[{1 + len(arguments)}:];"
        f" from kinlight.node.{module} import {function}; {function}()"
    )
    return [sys.executable, "-I", "-c", code, *arguments, *paths]
