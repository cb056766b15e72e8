"""What may be behind a second key, for people."""

from __future__ import annotations

from typing import Final

REASONS: Final = (
    "they set up a new phone or computer from nothing, and are somebody new to kinlight",
    "they got their photos back without the 24 recovery words, or put an old copy of a home back",
    "somebody is in between, or has a copy of one of their devices",
)
"""The first two are no attack."""
