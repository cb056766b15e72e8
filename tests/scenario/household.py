"""People with nodes of their own, driven through the command line as they would do it themselves.

    anna, bob = household.newcomer("Anna"), household.newcomer("Bob")
    household.introduce(anna, bob)
    anna.run("share", photo, "--with", "Bob", "--metadata", "original")

Every node lives below the household's folder. `close` ends whatever still runs for one of them, by
its process id, also when a test failed halfway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from filelock import FileLock
from kinlight.crypto.secret import Secret
from kinlight.node import Node, keys, passphrases
from kinlight.node.home import Home

from ..forks import client
from ..node.nodes import CHEAP

KINLIGHT = (sys.executable, "-m", "kinlight.node")
PATIENCE = 60.0
"""Seconds after which something that should have happened has not. No test depends on speed."""

T = TypeVar("T")
Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one run of a command ended: exit code, the JSON on stdout, the text on stderr."""

    code: int
    values: list[Value]
    said: str

    @property
    def value(self) -> Value:
        """The one JSON object of a command that prints one."""
        (only,) = self.values
        return only

    @property
    def error(self) -> str:
        """The code of the error that was printed."""
        return self.value["error"]["code"]

    @property
    def message(self) -> str:
        """The sentence of the error that was printed."""
        return self.value["error"]["message"]


class Person:
    """One node: its home, its secrets, and the commands that its owner types."""

    def __init__(
        self, household: Household, name: str, home: Path, *, inside: Sequence[str] = ()
    ) -> None:
        self.household = household
        self.name = name
        self.home = home
        self.passphrase = f"{name.lower()} walks the ninth bridge"
        self.passphrase_file = home.with_name(f"{home.name}.passphrase")
        self.words_file = home.with_name(f"{home.name}.words")
        self._inside = tuple(inside)
        self.passphrase_file.write_text(self.passphrase + "\n")

    # Commands.

    def argv(self, *words: str | Path, program: Sequence[str] = KINLIGHT) -> list[str]:
        """A command line for this home; `inside` is what it runs in, such as a namespace."""
        return [*self._inside, *program, *map(str, words), "--home", str(self.home)]

    def run(
        self,
        *words: str | Path,
        code: int = 0,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = KINLIGHT,
    ) -> Answer:
        """Run a command with --json to its end; its exit code must be `code`."""
        done = self.household.run(
            self.argv(*words, "--json", program=program), env={**self.household.env, **(env or {})}
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return Answer(code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)

    def screen(self, *words: str | Path) -> str:
        """What a person reads on stdout, who did not ask for JSON."""
        done = self.household.run(self.argv(*words))
        done.check_returncode()
        return done.stdout

    def popen(self, *words: str | Path, program: Sequence[str] = KINLIGHT) -> subprocess.Popen[str]:
        """Start a command with --json and leave it running; `close` ends it at the latest."""
        return self.household.popen(self.argv(*words, "--json", program=program))

    def ask(self, question: Callable[[Node], Awaitable[T]]) -> T:
        """Ask the daemon through the Python API: the command line's own way, minus its start."""

        async def asking() -> T:
            async with asyncio.timeout(2 * PATIENCE), Node.connect(self.home) as node:
                return await question(node)

        return asyncio.run(asking())

    def until(self, question: Callable[[Node], Awaitable[T]], fits: Callable[[T], bool]) -> T:
        """Ask again after each event of the daemon until the answer fits."""

        async def watching(node: Node) -> T:
            async with contextlib.aclosing(node.events()) as events:
                async for _ in events:
                    answer = await question(node)
                    if fits(answer):
                        return answer
            raise AssertionError("the daemon ended")

        return self.ask(watching)

    def eventually(self, question: Callable[[Node], Awaitable[T]], fits: Callable[[T], bool]) -> T:
        """Ask again and again until the answer fits: of some changes no event tells."""

        async def asking(node: Node) -> T:
            while True:
                answer = await question(node)
                if fits(answer):
                    return answer
                await asyncio.sleep(0.2)

        return self.ask(asking)

    # The daemon.

    def make(self, *options: str | Path, checks: bool = False) -> Answer:
        """Make the node as a first start does, but for a cheap pass phrase; its daemon runs on.

        What it receives is looked at for signs of editing only with `checks`: that takes torch.
        """
        keys.create(
            Home(self.home), Secret(self.passphrase.encode()), self.name,
            entropy=secrets.token_bytes, now=int(time.time()), cost=CHEAP,
            show=lambda words: passphrases.save_words(self.words_file, words),
        )  # fmt: skip
        if not checks:
            config = self.home / "config.toml"
            config.write_text(config.read_text().replace("# received = true", "received = false"))
        return self.start(*options)

    def first_start(self, *options: str | Path) -> Answer:
        """Let the first start make the node, and leave its daemon running."""
        return self.run(
            "up", "--name", self.name, "--passphrase-file", self.passphrase_file,
            "--recovery-words-file", self.words_file, *options,
        )  # fmt: skip

    def start(self, *options: str | Path) -> Answer:
        """Start the daemon in the background and unlock it."""
        return self.run("up", "--passphrase-file", self.passphrase_file, *options)

    def start_code(self, error: str) -> int:
        """The exit code of a start that must fail to unlock with that error."""
        done = self.household.run(
            self.argv("up", "--passphrase-file", self.passphrase_file, "--json")
        )
        assert json.loads(done.stdout)["error"]["code"] == error, done.stdout
        return done.returncode

    def start_with(self, program: Sequence[str]) -> None:
        """Start another program in the daemon's place, and wait until it answers."""
        process = self.popen(
            "up", "--foreground", "--passphrase-file", self.passphrase_file, program=program
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError, ValueError):
                if self.pid == process.pid:
                    self.run("status")
                    return
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)  # there is no event for a file of another process

    def stop(self) -> None:
        """`kinlight down`."""
        self.run("down")

    @property
    def pid(self) -> int:
        """Process id of the daemon, from its own `api.json`."""
        return json.loads((self.home / "api.json").read_text())["pid"]

    def kill(self) -> None:
        """kill -9, and wait until the system has let go of the home."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait_until_ended()

    def wait_until_ended(self) -> None:
        """Until no process holds the home."""
        with FileLock(self.home / "daemon.lock", timeout=PATIENCE):
            pass

    @property
    def port(self) -> int:
        """Where it listens for other nodes."""
        return self.run("status").value["port"]

    def files(self) -> list[Path]:
        """Every file in the home."""
        return [path for path in self.home.rglob("*") if path.is_file()]

    def log(self) -> str:
        """The daemon's log."""
        return (self.home / "log" / "daemon.log").read_text()

    # What people do.

    def share(self, files: Sequence[Path], *to: Person, code: int = 0) -> list[Value]:
        """Share originals and wait for what becomes of each."""
        names = [word for person in to for word in ("--with", person.name)]
        return self.run("share", *files, *names, "--metadata", "original", code=code).values

    def inbox(self) -> list[Value]:
        """What came, by the command line."""
        return self.run("inbox").values

    def received(self, photo: str) -> Value:
        """The offer of that photo, as soon as it is stored."""
        items = self.until(
            lambda node: node.inbox(),
            lambda items: any(item.id == photo and item.state == "stored" for item in items),
        )
        assert items
        return next(item for item in self.inbox() if item["id"] == photo)

    def exported(self, photo: str, folder: Path) -> Path:
        """Export a photo; the file must be what the command says that it is."""
        done = self.run("export", photo, folder).value
        path = Path(done["path"])
        assert sha256(path) == done["sha256"]
        assert path.parent == folder
        return path

    def has_whole(self, originals: Mapping[str, Path], folder: Path) -> None:
        """Export photos, given by their ids; each must be the very file that was shared."""

        async def export(node: Node) -> list[Path]:
            done = [await node.export(photo, folder, keep_both=True) for photo in originals]
            return [Path(each.path) for each in done]

        for path, original in zip(self.ask(export), originals.values(), strict=True):
            assert sha256(path) == sha256(original)
            path.unlink()


class Household:
    """The people of one test and the folder in which all of theirs lies."""

    def __init__(self, folder: Path, runtime: Path, *, inside: Sequence[str] = ()) -> None:
        self.folder = folder
        self.env = _environment(runtime)
        self.running: list[subprocess.Popen[str]] = []
        self.forked = True
        """Whether commands are forks, which is fast, or start as they do for people."""
        self._inside = inside

    def person(
        self, name: str, *, folder: str | None = None, inside: Sequence[str] | None = None
    ) -> Person:
        """Somebody without a node yet, or with one that is there already."""
        home = self.folder / (folder or name.lower())
        return Person(self, name, home, inside=self._inside if inside is None else inside)

    def newcomer(self, name: str, *, inside: Sequence[str] | None = None) -> Person:
        """Somebody whose node was just made and runs."""
        person = self.person(name, inside=inside)
        person.make()
        return person

    def introduce(self, host: Person, guest: Person, *, at: str | None = "127.0.0.1") -> Value:
        """Pair by a code that `host` shows; without `at` the guest has to find the host."""
        showing = host.popen("pair")
        code = json.loads(line(showing))["code"]
        where = ("--at", f"{at}:{host.port}") if at is not None else ()
        contact = guest.run("pair", code, *where).value["contact"]
        assert json.loads(line(showing))["contact"]["safety_number"] == contact["safety_number"]
        assert showing.wait(PATIENCE) == 0
        return contact

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line to its end, without a terminal."""
        return client.run(
            argv, env=env or self.env, stdin=subprocess.DEVNULL, timeout=2 * PATIENCE,
            forked=self.forked, **options,
        )  # fmt: skip

    def popen(self, argv: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command line and leave it running."""
        process = client.popen(
            argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, forked=self.forked,
        )  # fmt: skip
        self.running.append(process)
        return process

    def copy(self, folder: Path) -> None:
        """Copy all homes, whose daemons must have ended, to another household's folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    def close(self) -> None:
        """End every process that was started for this household, and wait for it."""
        for process in self.running:
            process.kill()
        for process in self.running:
            process.communicate()
        client.end_all(str(self.folder))
        for process in psutil.process_iter(["cmdline"]):
            words: list[str] = process.info["cmdline"] or []
            if "kinlight.node" in words and any(str(self.folder) in word for word in words):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        for lock in self.folder.glob("*/daemon.lock"):
            with FileLock(lock, timeout=PATIENCE):
                pass


def together(*work: Callable[[], T]) -> list[T]:
    """Do several slow things at the same time."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(item) for item in work]]


def is_well(person: Person) -> None:
    """The daemon answers and is unlocked; nothing was noted that nobody had thought of."""
    assert person.run("status").value["locked"] is False
    assert "Traceback" not in person.log()
    assert "ERROR" not in person.log()


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _environment(runtime: Path) -> dict[str, str]:
    """The caller's, without its kinlight and desktop settings."""
    runtime.chmod(0o700)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KINLIGHT_", "XDG_"))
    }
    return kept | {"HOME": str(runtime), "XDG_RUNTIME_DIR": str(runtime), "NO_COLOR": "1"}


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    return line
