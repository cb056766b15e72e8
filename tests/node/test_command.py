"""What the command line reads from stdin."""

from __future__ import annotations

import io

import pytest
from kinlight.node.command import typed_or_read

TICKET = "kinlight:ticket/abc"


def read(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return typed_or_read("-").strip()


@pytest.mark.parametrize(
    "mail",
    [
        f"Hello Bob,\n\n{TICKET}\n\nYours, Anna",
        f"Hello Bob,\r\n \r\n{TICKET}\r\n\r\nThere: `kinlight pair 'kinlight:ticket/…'`\r\n",
        f"\n\nHello\n\n\n  {TICKET}\n",
    ],
)
def test_a_ticket_is_found_between_other_words(mail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(mail, monkeypatch) == TICKET


@pytest.mark.parametrize(
    "text", [TICKET, "KINLIGHT:TICKET/AB\n\nC", "7-maple-orbit", "", "Hello\n\nBob", "-"]
)
def test_anything_else_is_taken_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(text, monkeypatch) == text


def test_what_is_typed_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert typed_or_read("7-maple-orbit") == "7-maple-orbit"
