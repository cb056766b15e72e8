"""The bars of a share, drawn on a terminal of text."""

from __future__ import annotations

import io

from kinlight.node.printing import Progress
from kinlight.node.views import ShareItem, ShareProgress
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

MANY = 3000


def test_of_many_files_those_that_are_done_are_counted_and_leave_no_bar() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=40)
    with Bars(TextColumn("{task.description}"), console=console, auto_refresh=False) as bars:
        progress = Progress(bars)
        bars.refresh()
        assert "looking for photos" in screen.getvalue()
        for number in range(MANY):
            file = f"/photos/{number}.jpg"
            progress.show(ShareProgress(file, None, 1, 2))
            progress.show(ShareProgress(file, None, 2, 2))
            progress.show(ShareProgress(file, "Bob", 1, 1))
            progress.stands(ShareItem(file, f"{number}.jpg", "Bob", "queued"))
            if number:
                progress.stands(ShareItem(file, f"{number}.jpg", "Bob", "delivered"))
        progress.show(ShareProgress("/photos/large.mp4", "Bob", 3, 9))
        assert len(bars.tasks) == 2
        bars.refresh()
    assert f"{MANY - 1} of {MANY} delivered" in screen.getvalue()
    assert "large.mp4 to Bob" in screen.getvalue()
