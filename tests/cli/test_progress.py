"""The bars of a share, drawn on a terminal of text."""

from __future__ import annotations

import io

import pytest
from kinlight.node.printing import Output, Progress
from kinlight.node.views_sharing import ShareItem, ShareProgress
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


def test_a_photo_of_the_library_goes_by_its_name() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=40)
    with Bars(TextColumn("{task.description}"), console=console, auto_refresh=False) as bars:
        progress = Progress(bars)
        progress.stands(ShareItem("4b1a4a34" * 8, "beach.jpg", "Bob", "offered"))
        progress.show(ShareProgress("4b1a4a34" * 8, "Bob", 1, 2))
        bars.refresh()
    assert "beach.jpg to Bob" in screen.getvalue()
    assert "4b1a4a34" not in screen.getvalue()


def test_who_is_waited_for_is_named() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=40)
    with Bars(TextColumn("{task.description}"), console=console, auto_refresh=False) as bars:
        progress = Progress(bars)
        for to in ("Bob", "Carol", "Dave"):
            progress.stands(ShareItem("/a.jpg", "a.jpg", to, "queued"))
        progress.stands(ShareItem("/a.jpg", "a.jpg", "Bob", "delivered"))
        bars.refresh()
        assert "1 of 3 delivered, looking for Carol and 1 more" in screen.getvalue()
        screen.truncate(0)
        for to in ("Carol", "Dave"):
            progress.stands(ShareItem("/a.jpg", "a.jpg", to, "delivered"))
        bars.refresh()
        assert "3 of 3 delivered" in screen.getvalue()
        assert "looking for" not in screen.getvalue()


def test_a_table_that_a_program_reads_has_a_line_for_each_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "a long name " * 30
    Output(as_json=False).table(("id", "name"), [("1", long.strip()), ("2", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1)[1].strip() for line in lines[1:]] == [long.strip(), "short"]
