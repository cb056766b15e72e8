"""Whom we let hold for us, and what contacts are told of that."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node.contact_errors import TooManyHoldersError
from kinlight.node.database import Database
from kinlight.node.mailboxes import Mailboxes
from kinlight.protocol import limits
from kinlight.protocol.messages import Holding, decode

HOLDS, NOTHING = Holding(10**9, 86_400, backup=False), Holding(0, 0, backup=False)
PEOPLE = [bytes([number]) * 32 for number in range(limits.HOLDERS + 1)]


@pytest.fixture
def mailboxes(tmp_path: Path) -> Generator[Mailboxes]:
    """Of somebody whose contacts all offer to hold."""
    database = Database(tmp_path / "library.db", Secret(bytes(32)))
    for number, identity in enumerate(PEOPLE):
        database.write(
            "INSERT INTO contacts (identity, name, pair_secret, added) VALUES (?, ?, ?, ?)",
            identity, str(number), bytes(32), number,
        )  # fmt: skip
    mailboxes = Mailboxes(database, secrets.token_bytes)
    for identity in PEOPLE:
        mailboxes.offered(identity, HOLDS)
    yield mailboxes
    database.close()


def test_as_many_holders_can_be_chosen_as_a_mailbox_names(mailboxes: Mailboxes) -> None:
    *first, last = PEOPLE
    for identity in first:
        mailboxes.choose(identity, "", chosen=True)
    with pytest.raises(TooManyHoldersError):
        mailboxes.choose(last, "", chosen=True)


def test_a_holder_that_stops_and_begins_again_makes_no_mailbox_that_nobody_reads(
    mailboxes: Mailboxes,
) -> None:
    *first, last = PEOPLE
    for identity in first:
        mailboxes.choose(identity, "", chosen=True)
    mailboxes.offered(first[0], NOTHING)
    mailboxes.choose(last, "", chosen=True)
    mailboxes.offered(first[0], HOLDS)
    ours = mailboxes.ours()
    assert ours is not None
    assert decode(ours.encode()) == ours
