"""Settings in `config.toml`. Nothing personal stands there, and all of it has a default."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Final, cast

from .errors import BadConfigError
from .home import Home

TEMPLATE: Final = """\
# kinlight settings. Everything here is optional; restart the daemon after a change.

[network]
# port = 0             # 0: any free port
# interfaces = ["eth0"]  # only these; default: all but container and VPN ones
# discovery = true     # announce and look for nodes in the local network (DNS-SD)
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set. `port` 0 takes any free one; `interfaces` None means the usual ones."""

    port: int = 0
    interfaces: tuple[str, ...] | None = None
    discovery: bool = True

    @classmethod
    def load(cls, home: Home) -> Config:
        """Read `config.toml`; `BadConfigError` names what is wrong in it."""
        try:
            document = tomllib.loads(home.config.read_text("utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise BadConfigError(str(error)) from None
        network = document.pop("network", {})
        if document or not isinstance(network, dict):
            raise BadConfigError("the only section is [network]")
        settings = cast("dict[str, object]", network)
        port = settings.pop("port", 0)
        interfaces = settings.pop("interfaces", None)
        discovery = settings.pop("discovery", True)
        if settings:
            raise BadConfigError(f"unknown setting {next(iter(settings))!r} in [network]")
        if type(port) is not int or not 0 <= port < 65536:
            raise BadConfigError("port is a number from 0 to 65535")
        if type(discovery) is not bool:
            raise BadConfigError("discovery is true or false")
        return cls(port, _names(interfaces), discovery)


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    items = cast("list[object]", value) if isinstance(value, list) else []
    names = tuple(item for item in items if isinstance(item, str))
    if not names or len(names) != len(items):
        raise BadConfigError("interfaces is a list of names")
    return names
