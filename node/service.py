"""The node as a service of its user, which the system starts at login.

    Service.of(home).install()     writes the file, and starts it where that is possible now
                    .remove()      ends it, and removes that file
                    .state()       how it stands

The daemon starts locked, as nobody is there to type a pass phrase: `kinlight unlock` opens it. The
file bears a mark, so that one which somebody else wrote, or wrote for another node, is left alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from .errors import (
    AlreadyRunningError,
    ForeignServiceError,
    HomeUnusableError,
    NoHomeError,
    NoServiceSystemError,
    ServiceFailedError,
    UnwritableFolderError,
)
from .home import Home, write_file
from .views import ServiceState

_WORDS: Final = "Written by `kinlight service install`. Node:"
_MOST_BYTES: Final = 64 * 1024
"""More than any file of ours has."""


class System(Protocol):
    """What starts services here. What it could not do raises `ServiceFailedError`."""

    @property
    def name(self) -> str:
        """`systemd` or `launchd`."""
        ...

    @property
    def file(self) -> Path:
        """Where the service is written down."""
        ...

    @property
    def to_start(self) -> Sequence[str]:
        """What a person types so that it runs now and at each login; the last one starts it."""
        ...

    def forms(self, mark: str, argv: Sequence[str], home: Path) -> list[bytes]:
        """What the file may hold, the most confined first, each with `mark` in it."""
        ...

    def answers(self) -> bool:
        """Whether it can be asked here and now."""
        ...

    def read_again(self) -> None:
        """The file is another than before."""
        ...

    def enable(self) -> None:
        """Start the service at each login from now on."""
        ...

    def start(self) -> bool:
        """Start it now; False if it would start with a less confined form."""
        ...

    def stop(self) -> None:
        """End it, and start it at no login any more."""
        ...

    def forget(self) -> None:
        """The file is gone: so is whatever named it."""
        ...

    def enabled(self) -> bool:
        """Whether it starts at login."""
        ...

    def running(self) -> bool | None:
        """Whether it runs; None if nobody can say."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one home, on one system."""

    home: Home
    system: System

    @classmethod
    def of(cls, home: Home) -> Service:
        """The service on this system; `NoServiceSystemError` where this version knows none."""
        if sys.platform == "linux":
            from .service_systemd import UserUnit

            return cls(home, UserUnit())
        if sys.platform == "darwin":
            from .service_launchd import Agent

            return cls(home, Agent())
        raise NoServiceSystemError

    def install(self) -> ServiceState:
        """Write the file, and have it started now and at each login. Again, it changes nothing.

        A daemon that runs already is left as it is: to start it again would lock it. Raises
        `NoHomeError` before there is a node, whose recovery words a person must see, and
        `ForeignServiceError` if another file has its place.
        """
        if not self.home.exists:
            raise NoHomeError
        self._check_place()
        forms = self._forms()
        if self._content() not in forms:
            self._write(forms[0])
        if not self.system.answers():
            return self.state()
        self.system.read_again()
        self.system.enable()
        if self._is_held():
            return self.state()
        # Each form is less confined than the one before, for systems that don't let it be more.
        for form in forms[forms.index(self._content() or b"") :]:
            if self._content() != form:
                self._write(form)
                self.system.read_again()
            if self.system.start():
                return self.state()
        raise ServiceFailedError

    def remove(self) -> ServiceState:
        """End the service and remove its file; without one nothing is done."""
        self._check_place()
        if self._content() is not None:
            answers = self.system.answers()
            if answers:
                self.system.stop()
            try:
                self.system.file.unlink(missing_ok=True)
            except OSError as error:
                raise UnwritableFolderError(error.strerror or "") from None
            self.system.forget()
            if answers:
                self.system.read_again()
        return self.state()

    def state(self) -> ServiceState:
        """How it stands, whatever file is there."""
        content, forms = self._content(), self._forms()
        installed = content is not None and self._marked(content) == str(self.home.path)
        running = self.system.running() if installed else False
        return ServiceState(
            system=self.system.name,
            file=str(self.system.file),
            home=str(self.home.path),
            installed=installed,
            current=content in forms,
            confined=content == forms[0] and self.system.name == "systemd",
            enabled=installed and self.system.enabled(),
            running=running,
            start_with=self._to_start(running) if installed else [],
            other=None if content is None or installed else self._told(content),
        )

    def _to_start(self, running: bool | None) -> list[str]:
        """What to type so that it runs as a service."""
        if running is None:
            return list(self.system.to_start)
        if running:
            return []
        down = ["kinlight down"] if self._is_held() else []  # a daemon that was started by hand
        return [*down, self.system.to_start[-1]]

    # The file.

    def argv(self) -> list[str]:
        """What runs: this interpreter, and no code that lies in a home or in this folder (-P)."""
        return [
            sys.executable, "-P", "-m", "kinlight.node", "up", "--foreground", "--locked",
            "--home", str(self.home.path),
        ]  # fmt: skip

    def _forms(self) -> list[bytes]:
        return self.system.forms(_mark(self.home.path), self.argv(), self.home.path)

    def _content(self) -> bytes | None:
        """What lies in its place; None if nothing does, b"" for what is certainly not ours."""
        file = self.system.file
        try:
            if file.is_symlink():
                return b""
            with file.open("rb") as opened:
                return opened.read(_MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return b""

    def _check_place(self) -> None:
        content = self._content()
        if content is not None and self._marked(content) != str(self.home.path):
            raise ForeignServiceError(self._told(content))

    def _told(self, content: bytes) -> str:
        other = self._marked(content)
        if other is None:
            return f"{self.system.file} was not written by `kinlight service install`"
        return f"it starts the node in {other}"

    @staticmethod
    def _marked(content: bytes) -> str | None:
        """The home of whose service the file is, by its mark."""
        _, found, rest = content.decode(errors="replace").partition(_WORDS)
        try:
            home = json.JSONDecoder().raw_decode(rest.lstrip())[0] if found else None
        except ValueError:
            return None
        return home if isinstance(home, str) else None

    def _write(self, content: bytes) -> None:
        folder = self.system.file.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableFolderError(error.strerror or "") from None
        try:
            write_file(self.system.file, content)
        except HomeUnusableError as error:
            raise UnwritableFolderError(error.detail) from None

    def _is_held(self) -> bool:
        """Whether a daemon runs on this home, as a service or not."""
        if not self.home.exists:
            return False
        try:
            with self.home.lock():
                return False
        except AlreadyRunningError:
            return True


def _mark(home: Path) -> str:
    """Readable by people and `_marked`, on one line, and without what ends a remark in XML."""
    return f"{_WORDS} {json.dumps(str(home)).replace('-', chr(92) + 'u002d')}"
