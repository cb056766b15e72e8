"""Which version this is: from the installed package's metadata, so that it stands in one place."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _version() -> str:
    try:
        return version("kinlight")
    except PackageNotFoundError:
        return "unknown"  # run from a checkout that was not installed


VERSION: Final = _version()
