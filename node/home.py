"""Where a node lives: one folder with everything, and a lock so that one process uses it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import tempfile
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from .errors import AlreadyRunningError, HomeUnusableError, storage_error

HOME_VARIABLE: Final = "KINLIGHT_HOME"
_SOCKET_PATH_LIMIT: Final = 100
"""Unix socket paths have room for about 107 bytes on Linux, 103 on macOS."""


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one node. Nothing is created before `prepare`."""

    path: Path

    @classmethod
    def locate(cls, option: Path | None = None) -> Home:
        """`--home`, else KINLIGHT_HOME, else the platform's folder for user data."""
        chosen = option or os.environ.get(HOME_VARIABLE)
        path = Path(chosen) if chosen else platformdirs.user_data_path("kinlight", appauthor=False)
        try:
            return cls(path.expanduser().absolute())
        except RuntimeError:
            raise HomeUnusableError(f"{path.parts[0]} is nobody here") from None
        except OSError as error:
            raise HomeUnusableError(error.strerror or "") from None

    @property
    def library(self) -> Path:
        """The encrypted database."""
        return self.path / "library.db"

    @property
    def library_copy(self) -> Path:
        """The database as it was at one moment, while a backup file is written."""
        return self.path / "library.copy"

    @property
    def restoring(self) -> Path:
        """What a restore has brought so far: where it is, there is no node yet."""
        return self.path / "restoring"

    @property
    def keys(self) -> Path:
        """The key file."""
        return self.path / "keys.bin"

    @property
    def joined(self) -> Path:
        """What another device of the same person shared, sealed, before the first unlocking."""
        return self.path / "joined.bin"

    @property
    def blobs(self) -> Path:
        """Sealed blobs."""
        return self.path / "blobs"

    @property
    def held(self) -> Path:
        """Sealed blobs of others that are held for others."""
        return self.path / "held"

    @property
    def dropped(self) -> Path:
        """Photos that browsers are sending, each sealed part by part."""
        return self.path / "dropped"

    @property
    def config(self) -> Path:
        """Settings, nothing personal."""
        return self.path / "config.toml"

    @property
    def log(self) -> Path:
        """The daemon's log; no names, no paths, no keys."""
        return self.path / "log" / "daemon.log"

    @property
    def api(self) -> Path:
        """How to reach the running daemon: port, token, socket path. Mode 0600."""
        return self.path / "api.json"

    @property
    def exists(self) -> bool:
        """Whether a node was made here."""
        return self.keys.exists()

    def socket(self) -> Path | None:
        """Path of the API's Unix socket, in the runtime folder; None where there are none."""
        if sys.platform == "win32":
            return None
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:16] + ".sock"
        for folder in _runtime_folders():
            if len(str(folder / name)) <= _SOCKET_PATH_LIMIT and _own_folder(folder):
                return folder / name
        return None

    def prepare(self) -> None:
        """Make the folders, for this user only."""
        try:
            for folder in (self.path, self.blobs, self.log.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise HomeUnusableError(error.strerror or "") from None

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Hold the home for this process; the system lets go of it even after kill -9."""
        from filelock import FileLock, Timeout  # brings asyncio; most commands lock nothing

        self.prepare()
        lock = FileLock(self.path / "daemon.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise AlreadyRunningError from None
        except OSError as error:
            raise HomeUnusableError(error.strerror or "") from None
        try:
            yield
        finally:
            lock.release()


def _runtime_folders() -> list[Path]:
    folders: list[Path] = []
    # Without a login session it may be missing, or somebody else's; there is another one then.
    with contextlib.suppress(OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folders.append(platformdirs.user_runtime_path("kinlight", appauthor=False))
    folders.append(Path(tempfile.gettempdir()) / f"kinlight-{os.getuid()}")
    return folders


def _own_folder(folder: Path) -> bool:
    """Whether `folder` is, or could be made, a directory that only this user can enter."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != os.getuid():
            return False
        if folder.parent.stat().st_uid not in (0, os.getuid()):
            return False  # its owner could put another folder in this one's place
        folder.chmod(0o700)
    except OSError:
        return False
    return True


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` durably: temporary file, fsync, rename, fsync of the folder. Mode 0600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # on a disk that is read-only now
            temporary.unlink(missing_ok=True)
        raise storage_error(error) from None


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """What `api.json` holds. `token` is a password: for loopback, where sockets have no owner."""

    port: int
    token: str
    socket: str | None
    pid: int

    def __repr__(self) -> str:
        return f"ApiAddress(port={self.port}, pid={self.pid})"

    def save(self, home: Home) -> None:
        """Write `api.json`."""
        body = {
            "port": self.port,
            "token": self.token,
            "socket": self.socket,
            "pid": self.pid,
        }
        write_file(home.api, json.dumps(body).encode())

    @classmethod
    def load(cls, home: Home) -> ApiAddress | None:
        """Read `api.json`; None if there is none or it makes no sense."""
        try:
            body = json.loads(home.api.read_text())
            socket = body["socket"]
            # A pass phrase goes there: it must be our own daemon.
            if not _is_ours(home.api) or (socket is not None and not _is_ours(Path(socket))):
                return None
            return cls(int(body["port"]), str(body["token"]), socket, int(body["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _is_ours(path: Path) -> bool:
    return sys.platform == "win32" or path.stat().st_uid == os.getuid()
