"""Four hosts on one switch, each a network namespace; the cable of each can be pulled.

anna ──┐        ┌── carol
       ├─ switch ┤
bob ───┘        └── dave
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from collections.abc import Generator
from typing import Final

HOSTS: Final = ("anna", "bob", "carol", "dave")


class Village:
    """The namespaces, by who lives there."""

    def __init__(self) -> None:
        token = secrets.token_hex(4)
        self.namespace = {name: f"kinlight-{token}-{name}" for name in ("switch", *HOSTS)}

    def inside(self, name: str) -> tuple[str, ...]:
        """What a command is put behind to run at that place."""
        return "ip", "netns", "exec", self.namespace[name]

    @staticmethod
    def address(name: str) -> str:
        """Of a host."""
        return f"10.78.0.{HOSTS.index(name) + 1}"

    def raise_up(self) -> None:
        """Make all of it."""
        for name in self.namespace.values():
            _ip("netns", "add", name)
        self._in("switch", "link", "add", "wire", "type", "bridge", "mcast_snooping", "0")
        self._in("switch", "link", "set", "wire", "up")
        for name in HOSTS:
            peer = ("peer", "name", name, "netns", self.namespace["switch"])
            self._in(name, "link", "set", "lo", "up")
            self._in(name, "link", "add", "eth0", "type", "veth", *peer)
            self._in("switch", "link", "set", name, "master", "wire", "up")
            self._in(name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            self._in(name, "link", "set", "eth0", "up")

    def pull(self, name: str) -> None:
        """Pull a cable at the switch: its host is not told more than that there is no carrier."""
        self._in("switch", "link", "set", name, "down")

    def plug(self, name: str) -> None:
        """Plug it in again."""
        self._in("switch", "link", "set", name, "up")

    def take_down(self) -> None:
        """Remove the namespaces and with them all links."""
        for name in self.namespace.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _in(self, name: str, *words: str) -> None:
        _ip("-n", self.namespace[name], *words)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def village() -> Generator[Village]:
    """All of it for the length of a `with` block."""
    made = Village()
    try:
        made.raise_up()
        yield made
    finally:
        made.take_down()
