"""What must not be found by grep: in homes, logs, the runtime folder, on the wire."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node import keys
from kinlight.node.database import Database
from kinlight.node.home import Home
from kinlight.node.library import Library

from .conftest import Couple
from .household import Household, Person, together
from .pictures import noise

FILE_NAME = "grandmother-at-the-lighthouse.jpg"


def _secrets_of(person: Person) -> dict[str, bytes]:
    """Everything that a node knows and a finder of its disk must not."""
    home = Home(person.home)
    unlocked = keys.unlock(home, Secret(person.passphrase.encode()))
    library = Library(Database(home.library, unlocked.library_key))
    try:
        found = {
            "pass phrase": person.passphrase.encode(),
            "recovery words": person.words_file.read_bytes().strip(),
            "display name": b"Wilhelmina",
            "root seed": RecoveryWords.parse(person.words_file.read_text()).root_seed().reveal(),
            "store key": unlocked.store_key.reveal(),
            "library key": unlocked.library_key.reveal(),
            "file name": FILE_NAME.encode(),
        }
        for contact in library.contacts():
            found[f"pair secret of {contact.name}"] = contact.pair_secret.reveal()
        for content_id in library.blob_ids():
            stored = library.blob(content_id)
            assert stored is not None
            found[f"file key {content_id.hex()[:8]}"] = stored.key.reveal()
        return found
    finally:
        library.close()


def _windows(photo: Path) -> Iterator[bytes]:
    content = photo.read_bytes()
    for start in range(0, len(content) - 32, len(content) // 64):
        yield content[start : start + 32]


@pytest.fixture
def as_for_people(household: Household, couple: Couple) -> Couple:
    """Running: their daemons start as for people, with words and an environment of their own in the
    process list. What is typed afterwards need not.
    """
    household.forked = False
    together(*(person.start for person in couple))
    household.forked = True
    return couple


def test_no_secret_lies_open_on_either_disk_or_in_the_process_list(
    as_for_people: Couple, tmp_path: Path, runtime: Path
) -> None:
    anna, bob = as_for_people
    photo = noise(tmp_path / FILE_NAME, 700_000, seed=9)
    (item,) = anna.share([photo], bob)
    bob.run("contacts", "rename", "Anna", "Wilhelmina")
    bob.exported(item["photo_id"], tmp_path / "out")
    anna.share([tmp_path / "missing.jpg"], bob, code=1)
    bob.run("show", "ffff", code=6)
    bob.run("lock")
    bob.run("unlock", "--passphrase-file", anna.passphrase_file, code=5)
    processes = [psutil.Process(person.pid) for person in as_for_people]
    visible = b"\n".join(
        " ".join([*process.cmdline(), *process.environ().values()]).encode()
        for process in processes
    )
    assert b"tests.forks" not in visible  # else it would be the list of something else
    together(anna.stop, bob.stop)

    needles = _secrets_of(anna) | _secrets_of(bob)
    needles |= {f"photo at {index}": part for index, part in enumerate(_windows(photo))}
    places = {str(path): path.read_bytes() for person in as_for_people for path in person.files()}
    places |= {str(path): path.read_bytes() for path in runtime.rglob("*") if path.is_file()}
    places["process list"] = visible
    open_secrets = [
        (name, place)
        for name, needle in needles.items()
        for place, content in places.items()
        if needle in content
    ]
    assert open_secrets == []
    assert len(places) > 8


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_names_nobody_no_file_and_no_address(
    couple: Couple, tmp_path: Path, form: str
) -> None:
    anna, bob = couple
    for person in couple:
        config = person.home / "config.toml"
        config.write_text(config.read_text().replace("[log]\n", f'[log]\nformat = "{form}"\n'))
    together(anna.start, bob.start)
    anna.share([noise(tmp_path / FILE_NAME, 300_000, seed=11)], bob)
    anna.run("import", tmp_path / FILE_NAME)
    anna.run("export", "ffff", tmp_path, code=6)
    bob.run("doctor", "--repair")
    ports = [str(person.port) for person in couple]
    bob.kill()
    anna.until(lambda node: node.status(), lambda status: not status.connections)
    anna.stop()
    for person in couple:
        log = person.log()
        assert log
        assert log.splitlines()[-1].startswith("{") == (form == "json")  # of before: as text
        needles = ["Anna", "Bob", FILE_NAME, "127.0.0.1", str(tmp_path), *ports]
        assert [needle for needle in needles if needle in log] == []


@pytest.mark.netns
def test_no_secret_goes_over_the_wire_in_the_clear(running: Couple, tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("capturing packets needs root on Linux")
    anna, bob = running
    photo = noise(tmp_path / FILE_NAME, 700_000, seed=10)
    with _Capture() as capture:
        anna.share([photo], bob)
        capture.wait_for(lambda length: length > 700_000)
    together(anna.stop, bob.stop)
    needles = _secrets_of(anna) | _secrets_of(bob)
    needles |= {f"photo at {index}": part for index, part in enumerate(_windows(photo))}
    assert [name for name, needle in needles.items() if needle in capture.seen] == []


CAPTURE_BYTES = 64 * 2**20
_SO_RCVBUFFORCE = 33  # more than net.core.rmem_max, for root


class _Capture:
    """Every TCP payload between the two daemons that passes over loopback or this host's links."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        # Packets that find no room are dropped: there is room for all, however late they are read.
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, CAPTURE_BYTES)
        self._socket.settimeout(0.2)
        self._ended = threading.Event()
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> _Capture:
        self._thread.start()
        return self

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                continue
            with self._grown:
                self.seen += packet
                self._grown.notify_all()

    def wait_for(self, enough: Callable[[int], bool]) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: enough(len(self.seen)), timeout=30)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
