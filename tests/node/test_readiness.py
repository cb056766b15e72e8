"""What there is to get everything back with, and the guard before the last of it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node.contact_errors import LastBackupError
from kinlight.node.errors import OtherWordsError
from kinlight.node.printing_status import readiness_lines
from kinlight.node.views_recovery import Readiness

from . import test_recovering
from .nodes import NOW, TestedNode
from .test_recovering import Lost, backed_up

lost = test_recovering.lost


def readiness(node: TestedNode) -> Readiness:
    found = node.engine.status().readiness
    assert found is not None
    return found


async def test_status_says_who_keeps_a_backup_since_when_it_is_whole_and_of_when_a_file_is(
    lost: Lost, tmp_path: Path
) -> None:
    anna = lost.anna
    await anna.until(lambda: readiness(anna).holders[0].whole == NOW)
    found = readiness(anna)
    assert [(each.contact, each.photos) for each in found.holders] == [("Bob", 3)]
    assert (found.words_checked, found.file, found.photos) == (None, None, 3)
    with pytest.raises(OtherWordsError):
        anna.engine.readiness.check_words(RecoveryWords(Secret(bytes(32))))
    anna.engine.readiness.check_words(anna.words)
    async for _ in anna.engine.archiver.write(tmp_path / "anna.backup"):
        pass
    found = readiness(anna)
    assert (found.words_checked, found.file) == (NOW, NOW)
    (line,) = readiness_lines(found)
    assert line[0].startswith("To get everything back: words checked 2027-01-15")
    assert "1 keeps a backup" in line[0]


async def test_an_event_tells_when_a_holder_has_all_of_it_again(lost: Lost) -> None:
    anna = lost.anna
    await anna.until(lambda: readiness(anna).holders[0].whole is not None)
    with anna.engine.events.listen() as news:
        first = next(iter(lost.pictures))
        anna.engine.tag([first], add=["sea"], remove=[], sensitivity=None)
        anna.parts.backing_up.tell()
        names: list[str] = []
        while "backed-up" not in names:
            names.append((await news.get()).name)


@pytest.mark.parametrize(
    "change", [{"holder": False}, {"holder": True, "backup": False}, {"blocked": True}], ids=str
)
async def test_the_last_backup_is_not_ended_by_mistake(lost: Lost, change: dict[str, Any]) -> None:
    anna = lost.anna
    with pytest.raises(LastBackupError):
        await anna.engine.update_contact("Bob", **change)
    assert anna.engine.contact("Bob").backed_up == 3
    assert not anna.engine.contact("Bob").blocked
    await anna.engine.update_contact("Bob", **change, yes=True)
    assert readiness(anna).holders == [] or anna.engine.contact("Bob").blocked


async def test_one_of_two_backups_may_end(lost: Lost) -> None:
    await backed_up(lost.anna, lost.carol, 3)
    await lost.anna.engine.update_contact("Bob", holder=False)
    with pytest.raises(LastBackupError):
        await lost.anna.engine.update_contact("Carol", holder=False)


async def test_with_a_backup_file_the_last_holder_may_go(lost: Lost, tmp_path: Path) -> None:
    async for _ in lost.anna.engine.archiver.write(tmp_path / "anna.backup"):
        pass
    await lost.anna.engine.update_contact("Bob", holder=False)
    assert readiness(lost.anna).holders == []


def test_a_node_that_could_be_lost_says_so() -> None:
    lines = readiness_lines(Readiness(None, None, 5))
    assert "If this machine is lost, so are its photos." in lines[1][0]
    assert "--check-words" in lines[2][0]
    assert len(readiness_lines(Readiness(None, None, 0))) == 2
