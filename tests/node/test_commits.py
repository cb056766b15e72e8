from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node.commits import TOGETHER, Commits
from kinlight.node.database import Database
from kinlight.node.photo_errors import NoSuchPhotoError

KEY = Secret(bytes(range(32)))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db", KEY)
    yield database
    database.close()


def put(database: Database, name: str) -> str:
    database.write("INSERT INTO settings VALUES (?, ?)", name, b"")
    return name


def names(database: Database) -> set[str]:
    return {row[0] for row in database.rows("SELECT name FROM settings")}


async def test_writes_that_are_ready_together_share_a_commit(
    database: Database, tmp_path: Path
) -> None:
    commits = Commits(database)
    seen: list[bool] = []

    def write(number: int) -> str:
        seen.append(database.in_transaction)
        return put(database, f"{number}")

    results = await asyncio.gather(*(commits.run(lambda n=n: write(n)) for n in range(5)))
    assert results == ["0", "1", "2", "3", "4"]
    assert seen == [True] * 5
    assert not database.in_transaction
    again = Database(tmp_path / "library.db", KEY)
    assert names(again) == set(results)
    again.close()


async def test_what_fails_is_undone_alone(database: Database) -> None:
    commits = Commits(database)
    outcomes = await asyncio.gather(
        commits.run(lambda: put(database, "first")),
        commits.run(lambda: fail_after(database, "bad")),
        commits.run(lambda: put(database, "last")),
        return_exceptions=True,
    )
    assert outcomes[0] == "first"
    assert isinstance(outcomes[1], NoSuchPhotoError)
    assert outcomes[2] == "last"
    assert names(database) == {"first", "last"}


async def test_who_was_cancelled_writes_nothing(database: Database) -> None:
    commits = Commits(database)
    given_up = asyncio.ensure_future(commits.run(lambda: put(database, "given up")))
    stays = asyncio.ensure_future(commits.run(lambda: put(database, "stays")))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await stays == "stays"
    assert names(database) == {"stays"}


async def test_a_commit_that_fails_is_everybody_s_error(database: Database) -> None:
    commits = Commits(database)
    waiting = [
        asyncio.ensure_future(commits.run(lambda name=name: put(database, name)))
        for name in ("a", "b")
    ]
    database.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, Exception) for outcome in outcomes)


async def test_what_nobody_waits_for_is_written_in_order(database: Database) -> None:
    commits = Commits(database)
    order: list[int] = []
    for number in range(2 * TOGETHER):
        commits.post(lambda number=number: order.append(number))
    await commits.run(lambda: None)
    assert order == list(range(2 * TOGETHER))


async def test_an_answer_that_fails_leaves_the_others_of_its_group_theirs(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    commits = Commits(database)

    def broken(_: object) -> None:
        raise ValueError("on purpose")

    commits.post(lambda: put(database, "a"), broken)
    assert await commits.run(lambda: put(database, "b")) == "b"
    assert names(database) == {"a", "b"}
    assert "what follows a commit failed" in caplog.text


def fail_after(database: Database, name: str) -> None:
    with database.transaction():
        put(database, name)
        raise NoSuchPhotoError(name)


def test_an_inner_transaction_that_fails_leaves_the_outer_one(database: Database) -> None:
    with database.transaction():
        put(database, "outer")
        with pytest.raises(NoSuchPhotoError):
            fail_after(database, "inner")
        put(database, "after")
    assert names(database) == {"outer", "after"}


def test_an_outer_transaction_that_fails_takes_the_inner_one_along(database: Database) -> None:
    def outer() -> None:
        with database.transaction():
            with database.transaction():
                put(database, "inner")
            raise NoSuchPhotoError("outer")

    with pytest.raises(NoSuchPhotoError):
        outer()
    assert names(database) == set()
