from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import pytest
from kinlight.node.ahead import AHEAD, StoppedError, Work, in_order
from kinlight.node.photo_errors import NoPhotosError
from kinlight.node.views_sharing import ShareItem, ShareProgress


def item(number: int) -> ShareItem:
    return ShareItem(f"{number}", f"{number}", "Bob", "queued")


async def test_results_come_in_the_order_of_the_work_whoever_is_done_first() -> None:
    last_is_done = asyncio.Event()

    async def job(number: int, work: Work) -> list[ShareItem]:
        assert not work.stopped
        if number == 5:
            last_is_done.set()
        await last_is_done.wait()
        return [item(number), item(number)]

    steps = [step async for step in in_order(partial(job, number) for number in range(6))]
    items = [step.file for step in steps if isinstance(step, ShareItem)]
    assert items == ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4", "5", "5"]


async def test_no_more_than_a_few_are_under_way() -> None:
    running = most = 0

    async def job(number: int, _: Work) -> list[ShareItem]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return [item(number)]

    steps = [step async for step in in_order(partial(job, number) for number in range(100))]
    assert len(steps) == 100
    assert 1 < most <= AHEAD


async def test_progress_is_told_while_the_first_is_not_done() -> None:
    told = asyncio.Event()

    async def job(work: Work) -> list[ShareItem]:
        work.reporter("beach.jpg")(1, 2)
        await told.wait()
        return []

    seen: list[ShareProgress | ShareItem] = []
    async for step in in_order([job]):
        seen.append(step)
        told.set()
    assert seen == [ShareProgress("beach.jpg", None, 1, 2)]


async def test_an_error_of_one_ends_all_and_the_others_are_told_to_stop() -> None:
    stopped: list[bool] = []

    async def fails(_: Work) -> list[ShareItem]:
        raise NoPhotosError

    async def goes_on(work: Work) -> list[ShareItem]:
        report = work.reporter("film.mp4")
        with contextlib.suppress(StoppedError):
            while True:
                await asyncio.to_thread(report, 1, 2)
        stopped.append(True)
        return []

    with pytest.raises(NoPhotosError):
        _ = [step async for step in in_order([fails, goes_on, goes_on])]
    assert stopped == [True, True]


async def test_who_leaves_before_the_end_waits_for_what_is_under_way() -> None:
    ended: list[str] = []

    async def quick(_: Work) -> list[ShareItem]:
        return [item(0)]

    async def slow(work: Work) -> list[ShareItem]:
        report = work.reporter("film.mp4")
        try:
            while True:
                await asyncio.to_thread(report, 1, 2)
        except StoppedError:
            ended.append("stopped")
            raise

    async with contextlib.aclosing(in_order([quick, slow])) as steps:
        async for step in steps:
            assert isinstance(step, ShareItem)
            break
    assert ended == ["stopped"]
