"""Settings in `config.toml`. Nothing personal stands there, and all of it has a default."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Final, cast

from .decoder_wire import LEVELS, Level
from .errors import BadConfigError
from .home import Home

TEMPLATE: Final = """\
# kinlight settings. Everything here is optional; restart the daemon after a change.

[network]
# port = 0             # 0: any free port
# interfaces = ["eth0"]  # only these; default: all but container and VPN ones
# discovery = true     # announce and look for nodes in the local network (DNS-SD)

[pictures]
# sandbox = "process"  # refuse to open pictures in a weaker one: process, rlimits or seccomp
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set. `port` 0 takes any free one; `interfaces` None means the usual ones.

    `sandbox` is the weakest one in which pictures may be opened; see `sandbox`.
    """

    port: int = 0
    interfaces: tuple[str, ...] | None = None
    discovery: bool = True
    sandbox: Level = "process"

    @classmethod
    def load(cls, home: Home) -> Config:
        """Read `config.toml`; `BadConfigError` names what is wrong in it."""
        try:
            document = tomllib.loads(home.config.read_text("utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise BadConfigError(str(error)) from None
        network = _section(document, "network")
        pictures = _section(document, "pictures")
        if document:
            raise BadConfigError("the sections are [network] and [pictures]")
        port = network.pop("port", 0)
        interfaces = network.pop("interfaces", None)
        discovery = network.pop("discovery", True)
        sandbox = pictures.pop("sandbox", "process")
        for name, settings in (("network", network), ("pictures", pictures)):
            if settings:
                raise BadConfigError(f"unknown setting {next(iter(settings))!r} in [{name}]")
        if type(port) is not int or not 0 <= port < 65536:
            raise BadConfigError("port is a number from 0 to 65535")
        if type(discovery) is not bool:
            raise BadConfigError("discovery is true or false")
        if sandbox not in LEVELS:
            raise BadConfigError(f"sandbox is one of {', '.join(LEVELS)}")
        return cls(port, _names(interfaces), discovery, sandbox)


def _section(document: dict[str, object], name: str) -> dict[str, object]:
    section = document.pop(name, {})
    if not isinstance(section, dict):
        raise BadConfigError(f"[{name}] is a section")
    return cast("dict[str, object]", section)


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    items = cast("list[object]", value) if isinstance(value, list) else []
    names = tuple(item for item in items if isinstance(item, str))
    if not names or len(names) != len(items):
        raise BadConfigError("interfaces is a list of names")
    return names
