"""What the desktop is told, by the real argument vectors of real processes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from kinlight.node.notifying import (
    BURST_SECONDS,
    PAUSE_SECONDS,
    QUIET_SECONDS,
    SHOW_SECONDS,
    Desktop,
    Notifier,
)
from kinlight.node.pace import Pace
from kinlight.protocol.errors import RevokedDeviceError, UnknownPeerError

from .conftest import Picture, Start
from .nodes import TestedNode, eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has neither program")


class Time:
    """A clock that is moved by hand, and wakes who sleeps by it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.now, self._sleep)

    @property
    def alarms(self) -> list[float]:
        """From now, when those who sleep want to be woken."""
        return [when - self.now for when in self._sleepers.values()]

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers[woken] = self.now + seconds
        try:
            await woken
        finally:
            self._sleepers.pop(woken, None)

    async def move(self, seconds: float) -> None:
        """Let time pass, once all that happened before was heard."""
        await self.settle()
        self.now += seconds
        for woken, when in list(self._sleepers.items()):
            if when <= self.now and not woken.done():
                woken.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        """Everybody does what is to be done without waiting for a process."""
        for _ in range(50):
            await asyncio.sleep(0)


class Screen:
    """A program in notify-send's place, which notes how it was run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "shown"
        self.behave("")

    def behave(self, more: str) -> None:
        """What it does after it has noted its arguments, in Python."""
        program = self.folder / "notify-send"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\n"
            f"with open({str(self.log)!r}, 'a') as log:\n"
            "    log.write(json.dumps([os.getpid(), *sys.argv[1:]]) + '\\n')\n"
            f"{more}\n"
        )
        program.chmod(0o755)

    @property
    def runs(self) -> list[list[str]]:
        """The arguments of each run, without those of its process."""
        return [run[1:] for run in self._read()]

    @property
    def bodies(self) -> list[str]:
        """What was shown."""
        return [run[-1] for run in self._read()]

    @property
    def pids(self) -> list[int]:
        return [int(run[0]) for run in self._read()]

    def _read(self) -> list[list[str]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def shows(self, count: int) -> None:
        await eventually(lambda: len(self._read()) == count)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Screen:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Screen(folder)


@pytest.fixture
async def bob(start: Start) -> TestedNode:
    return await start("Bob")


Run = Callable[..., Notifier]


@pytest.fixture
async def notify(bob: TestedNode, time: Time, screen: Screen) -> AsyncGenerator[Run]:
    """Starts what tells the desktop about Bob's events."""
    assert screen.folder.exists()
    tasks: list[asyncio.Task[None]] = []

    def run(*, details: bool = False) -> Notifier:
        notifier = Notifier(
            events=bob.engine.events, library=bob.parts.library, pace=time.pace, details=details,
            desktop=Desktop(shutil.which("notify-send"), "notify-send"),
        )  # fmt: skip
        tasks.append(asyncio.create_task(notifier.run()))
        return notifier

    yield run
    for task in tasks:
        assert not task.done() or task.exception() is None
        task.cancel()
        await asyncio.wait({task})


def offer(bob: TestedNode, photo: int, state: str, sender: str = "Anna", **more: object) -> None:
    bob.engine.events.publish("offer", id=f"{photo:032x}", sender=sender, state=state, **more)


async def test_a_photo_that_came_is_told_without_its_name_and_without_whose_it_is(
    start: Start, time: Time, screen: Screen, picture: Picture
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    await bob.engine.update_contact("Anna", accept="always")
    with bob.home.config.open("a") as config:
        config.write("[notify]\ndesktop = true\n")
    await bob.restart(pace=time.pace)
    await bob.until(lambda: bob.connected_to(anna))
    item = await anna.share_one(picture("Anna in Rome.jpg"), "Bob")
    assert item.state == "delivered"
    await eventually(lambda: QUIET_SECONDS in time.alarms)
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.runs == [["--app-name=kinlight", "--", "kinlight", "A photo has arrived."]]


async def test_without_being_asked_for_nothing_is_told(
    start: Start, screen: Screen, picture: Picture
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    await bob.engine.update_contact("Anna", accept="always")
    assert (await anna.share_one(picture(), "Bob")).state == "delivered"
    assert not any("Notifier.run" in str(task) for task in asyncio.all_tasks())
    assert screen.runs == []


async def test_a_burst_of_a_thousand_photos_is_one_notification(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify()
    await time.settle()
    for photo in range(1000):
        offer(bob, photo, "accepted")
        offer(bob, photo, "stored")
        if photo % 100 == 99:
            await time.move(QUIET_SECONDS / 2)
    assert screen.runs == []
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == ["1000 photos have arrived."]


async def test_what_comes_soon_after_waits_and_is_told_together(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify()
    await time.settle()
    offer(bob, 1, "stored")
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    await eventually(lambda: not time.alarms)  # the program has ended
    for photo in (2, 3):
        offer(bob, photo, "stored")
        await time.move(PAUSE_SECONDS / 3)
    assert len(screen.runs) == 1
    await time.move(PAUSE_SECONDS / 3)
    await screen.shows(2)
    assert screen.bodies[1] == "2 photos have arrived."


async def test_a_burst_that_does_not_end_is_told_all_the_same(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify()
    await time.settle()
    for photo in range(int(BURST_SECONDS)):
        assert screen.runs == []
        offer(bob, photo, "stored")
        await time.move(1)
    await screen.shows(1)
    assert screen.bodies == [f"{int(BURST_SECONDS)} photos have arrived."]


async def test_photos_that_wait_are_told_and_count_no_more_once_they_came(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify()
    await time.settle()
    for photo in (1, 2, 3):
        offer(bob, photo, "waiting")
    offer(bob, 2, "stored")
    offer(bob, 4, "refused", code="denied")
    offer(bob, 5, "accepted", code="disk-full")
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == ["A photo has arrived. 2 photos wait for your decision."]


async def test_an_album_that_waits_is_told_until_somebody_decides_and_of_muted_contacts_never(
    start: Start, time: Time, screen: Screen
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    with bob.home.config.open("a") as config:
        config.write("[notify]\ndesktop = true\ndetails = true\n")
    await bob.restart(pace=time.pace)
    await bob.until(lambda: bob.connected_to(anna))

    async def invite(name: str) -> str:
        album = anna.engine.albums.create(name).id
        anna.engine.albums.invite(album, "Bob")
        await bob.until(lambda: any(each.id == album for each in bob.engine.albums.all()))
        return album

    await invite("Summer")
    bob.engine.albums.join(await invite("Winter"))
    await eventually(lambda: QUIET_SECONDS in time.alarms)
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == ["An album from Anna waits for you to join."]
    await bob.engine.update_contact("Anna", muted=True)
    await invite("Spring")
    await time.move(PAUSE_SECONDS + QUIET_SECONDS)
    assert len(screen.bodies) == 1


async def test_a_revoked_device_that_calls_is_told_and_strangers_are_not(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify()
    await time.settle()
    for code in (UnknownPeerError.code, RevokedDeviceError.code):
        bob.engine.events.publish("caller-refused", code=code)
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == ["A device that its owner has revoked tried to connect."]


HOSTILE = "<b>--x</b> & '; $(touch x) `id` \" \\ \u202e\n"


async def test_names_are_told_where_that_is_asked_for_and_are_text_only(
    bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    notify(details=True)
    await time.settle()
    offer(bob, 1, "stored", HOSTILE)
    for photo, sender in enumerate(("Anna", "Carol", "Dave", "Erin"), 2):
        offer(bob, photo, "waiting", sender)
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    ((*_, dashes, title, body),) = screen.runs
    assert (dashes, title) == ("--", "kinlight")
    assert "&lt;b&gt;--x&lt;/b&gt; &amp; '; $(touch x)" in body
    assert not any(char in body for char in "<>\u202e\n")
    assert body.endswith("4 photos from Anna, Carol, Dave and others wait for your decision.")


async def test_a_long_name_is_cut(bob: TestedNode, time: Time, screen: Screen, notify: Run) -> None:
    notify(details=True)
    await time.settle()
    offer(bob, 1, "stored", "A" * 200)
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == [f"A photo from {'A' * 40} has arrived."]


async def test_a_muted_contact_makes_no_noise(
    start: Start, bob: TestedNode, time: Time, screen: Screen, notify: Run
) -> None:
    await bob.pair_with(await start("Anna"))
    await bob.engine.update_contact("Anna", muted=True)
    notify()
    await time.settle()
    offer(bob, 1, "stored")
    offer(bob, 2, "stored", "Carol")
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    assert screen.bodies == ["A photo has arrived."]


@pytest.mark.parametrize("more", ["sys.exit(1)", "os.kill(os.getpid(), 9)"])
async def test_a_desktop_that_fails_is_logged_once_and_asked_again(
    bob: TestedNode, time: Time, screen: Screen, notify: Run, more: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    screen.behave(more)
    notify()
    await time.settle()
    for photo in (1, 2):
        offer(bob, photo, "stored")
        await time.move(QUIET_SECONDS)
        await screen.shows(photo)
        await eventually(lambda: not time.alarms)  # the program has ended
        await time.move(PAUSE_SECONDS)
    assert len(_said(caplog)) == 1


async def test_a_desktop_that_hangs_is_given_up_and_blocks_nothing(
    bob: TestedNode, time: Time, screen: Screen, notify: Run, caplog: pytest.LogCaptureFixture
) -> None:
    screen.behave("time.sleep(1000)")
    notify()
    await time.settle()
    offer(bob, 1, "stored")
    await time.move(QUIET_SECONDS)
    await screen.shows(1)
    await eventually(lambda: SHOW_SECONDS in time.alarms)
    await time.move(SHOW_SECONDS)
    await eventually(lambda: len(_said(caplog)) == 1)
    with pytest.raises(ProcessLookupError):
        os.kill(screen.pids[0], 0)


async def test_a_desktop_that_is_not_there_is_one_line_in_the_log(
    bob: TestedNode, time: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    notifier = Notifier(
        events=bob.engine.events, library=bob.parts.library, pace=time.pace, details=False
    )
    await notifier.run()
    assert len(_said(caplog)) == 1


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == Notifier.__module__ and record.levelno >= logging.WARNING
    ]


def test_macos_gets_the_text_as_an_argument_and_never_as_script() -> None:
    text = 'A photo from " & (do shell script "touch x") & " has arrived.'
    argv = Desktop("/usr/bin/osascript", "osascript").argv(text)
    assert argv[-2:] == ["kinlight", text]
    script = [line for flag, line in zip(argv[1:-2:2], argv[2:-2:2], strict=True) if flag == "-e"]
    assert script[0] == "on run argv"
    assert len(script) == 3
    assert not any("photo" in line for line in script)


async def test_the_real_notify_send_tells_a_real_bus_the_very_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: Time, bob: TestedNode
) -> None:
    programs = ("notify-send", "dbus-daemon")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    dbus = pytest.importorskip("dbus_fast.aio", reason="dbus-fast is a desktop on the bus")
    from dbus_fast import Message

    address = f"unix:path={tmp_path}/bus"
    daemon = await asyncio.create_subprocess_exec(
        "dbus-daemon", "--session", "--nofork", f"--address={address}",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await eventually(lambda: (tmp_path / "bus").exists())
        bus = await dbus.MessageBus(bus_address=address).connect()
        shown: list[list[object]] = []

        def answer(message: Message) -> Message | bool:
            match message.member:
                case "GetServerInformation":
                    return Message.new_method_return(message, "ssss", ["test", "x", "1", "1.2"])
                case "GetCapabilities":
                    return Message.new_method_return(message, "as", [["body", "body-markup"]])
                case "Notify":
                    shown.append(message.body)
                    return Message.new_method_return(message, "u", [1])
                case _:
                    return False

        bus.add_message_handler(answer)
        await bus.request_name("org.freedesktop.Notifications")
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        notifier = Notifier(
            events=bob.engine.events, library=bob.parts.library, pace=time.pace, details=True
        )
        running = asyncio.create_task(notifier.run())
        await time.settle()
        offer(bob, 1, "stored", "-x <b>Anna</b> & Co")
        await time.move(QUIET_SECONDS)
        await eventually(lambda: len(shown) == 1)
        running.cancel()
        await asyncio.wait({running})
        application, _, _, title, body, *_ = shown[0]
        assert (application, title) == ("kinlight", "kinlight")
        assert body == "A photo from -x &lt;b&gt;Anna&lt;/b&gt; &amp; Co has arrived."
        bus.disconnect()
        await bus.wait_for_disconnect()
    finally:
        daemon.kill()
        await daemon.wait()
