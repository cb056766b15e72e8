from __future__ import annotations

import asyncio
import gc

import pytest
from kinlight.crypto.errors import TruncatedError
from kinlight.node.tasks import to_the_end


@pytest.mark.parametrize("error", [None, TruncatedError()])
async def test_work_is_done_whole_and_quietly_when_who_asked_has_gone(
    caplog: pytest.LogCaptureFixture, error: Exception | None
) -> None:
    began, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await go.wait()
        ended.set()
        if error is not None:
            raise error

    asking = asyncio.create_task(to_the_end(work()))
    await began.wait()
    asking.cancel()
    asyncio.get_running_loop().call_soon(go.set)
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ended.is_set()
    gc.collect()  # when the failure of a task is told that nobody asked for
    assert not caplog.records
