"""A peer that this machine does not have."""

from __future__ import annotations


class NotHereError(Exception):
    """It is not installed; the text says what is missing."""
