"""Settings in `config.toml`. Nothing personal stands there, and all of it has a default."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from .decoder_wire import LEVELS, Level
from .errors import BadAddressError, BadConfigError
from .home import Home, write_file
from .logfile import FORMATS, Format
from .multiaddrs import Multiaddr

BOOTSTRAPS: Final = 8

TEMPLATE: Final = """\
# kinlight settings. Everything here is optional; restart the daemon after a change.

[network]
# port = 0             # 0: any free port
# interfaces = ["eth0"]  # only these; default: all but container and VPN ones
# discovery = true     # announce and look for nodes in the local network (DNS-SD)

[wide]
# on = false           # reach and be reached beyond the local network, by libp2p
# port = 0             # 0: any free port
# relay = false        # let contacts reach each other through this node, which reads nothing of it
# lookup = false       # take part in look-ups (Kademlia): tell who asks where others are
# upnp = true          # ask the router to open the port
# bootstrap = []       # whom to ask first, such as "/ip4/192.0.2.9/tcp/4712/p2p/12D3Koo..."

[links]
# port = 0             # of the page of links to photos (share --link); 0: any free port
# ice = []             # STUN servers that it may ask, such as "stun:192.0.2.9:3478"; none are asked

[pictures]
# sandbox = "process"  # refuse to open pictures in a weaker one: process, rlimits or seccomp

[check]
# received = true      # look for signs of editing in photos that come; needs the extra `ml`

[log]
# format = "text"      # text, or json: one object a line

[notify]
# desktop = false      # tell the desktop when photos come or wait, without saying which or whose
# details = false      # name the contact; a locked screen shows it to whoever stands before it
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set. `port` 0 takes any free one; `interfaces` None means the usual ones.

    `sandbox` is the weakest one in which pictures may be opened; see `sandbox`. `format` is that of
    the log. `desktop` and `details` are about notifications; see `notifying`. `received` says
    whether what comes from others is looked at for signs of editing. `wide` turns on the wide
    area, on `wide_port`; with `wide_relay` contacts reach each other through this node, with
    `wide_lookup` it takes part in look-ups, by way of `wide_bootstrap`, with `wide_upnp` a router
    is asked to open the port. Links to photos are served on `links_port`, and ask `links_ice`.
    """

    port: int = 0
    interfaces: tuple[str, ...] | None = None
    discovery: bool = True
    sandbox: Level = "process"
    format: Format = "text"
    desktop: bool = False
    details: bool = False
    received: bool = True
    wide: bool = False
    wide_port: int = 0
    wide_relay: bool = False
    wide_lookup: bool = False
    wide_bootstrap: tuple[Multiaddr, ...] = ()
    wide_upnp: bool = True
    links_port: int = 0
    links_ice: tuple[str, ...] = ()

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
        wide = _section(document, "wide")
        links = _section(document, "links")
        pictures = _section(document, "pictures")
        check = _section(document, "check")
        log = _section(document, "log")
        notify = _section(document, "notify")
        if document:
            raise BadConfigError(
                "the sections are [network], [wide], [links], [pictures], [check], [log] and"
                " [notify]"
            )
        port = network.pop("port", 0)
        interfaces = network.pop("interfaces", None)
        discovery = network.pop("discovery", True)
        wide_on = wide.pop("on", False)
        wide_port = wide.pop("port", 0)
        wide_relay = wide.pop("relay", False)
        wide_lookup = wide.pop("lookup", False)
        wide_bootstrap = wide.pop("bootstrap", [])
        wide_upnp = wide.pop("upnp", True)
        links_port = links.pop("port", 0)
        links_ice = links.pop("ice", [])
        sandbox = pictures.pop("sandbox", "process")
        received = check.pop("received", True)
        form = log.pop("format", "text")
        desktop = notify.pop("desktop", False)
        details = notify.pop("details", False)
        for name, settings in (
            ("network", network),
            ("wide", wide),
            ("links", links),
            ("pictures", pictures),
            ("check", check),
            ("log", log),
            ("notify", notify),
        ):
            if settings:
                raise BadConfigError(f"unknown setting {next(iter(settings))!r} in [{name}]")
        if (
            type(wide_on) is not bool
            or type(wide_relay) is not bool
            or type(wide_lookup) is not bool
            or type(wide_upnp) is not bool
        ):
            raise BadConfigError("on, relay, lookup and upnp are true or false")
        if type(discovery) is not bool:
            raise BadConfigError("discovery is true or false")
        if sandbox not in LEVELS:
            raise BadConfigError(f"sandbox is one of {', '.join(LEVELS)}")
        if type(received) is not bool:
            raise BadConfigError("received is true or false")
        if form not in FORMATS:
            raise BadConfigError(f"format is one of {', '.join(FORMATS)}")
        if type(desktop) is not bool or type(details) is not bool:
            raise BadConfigError("desktop and details are true or false")
        return cls(
            port=_port(port),
            interfaces=_names(interfaces),
            discovery=discovery,
            sandbox=sandbox,
            format=form,
            desktop=desktop,
            details=details,
            received=received,
            wide=wide_on,
            wide_port=_port(wide_port),
            wide_relay=wide_relay,
            wide_lookup=wide_lookup,
            wide_bootstrap=_bootstraps(wide_bootstrap),
            wide_upnp=wide_upnp,
            links_port=_port(links_port),
            links_ice=_ice(links_ice),
        )


def read_bootstraps(texts: Sequence[str]) -> tuple[Multiaddr, ...]:
    """The addresses of nodes to ask first in look-ups; `BadAddressError`."""
    found = tuple(Multiaddr.parse(text) for text in texts)
    if any(each.via is not None for each in found):
        raise BadAddressError("whoever is asked first is asked directly, not through a relay")
    if len(found) > BOOTSTRAPS:
        raise BadAddressError(f"there may be {BOOTSTRAPS} of them")
    return found


def set_wide(
    home: Home,
    *,
    on: bool,
    relay: bool,
    lookup: bool = False,
    bootstraps: Sequence[Multiaddr] = (),
) -> None:
    """Set these in [wide] of `config.toml`; remarks and all else stay as they are.

    `BadConfigError` where that can't be done without changing anything else.
    """
    try:
        text = home.config.read_text("utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise BadConfigError(str(error)) from None
    changed = text
    settings: dict[str, object] = {"on": on, "relay": relay}
    try:
        wanted = tomllib.loads(text)
        said = _section(wanted, "wide")
        if lookup or "lookup" in said:
            settings["lookup"] = lookup
        if bootstraps or "bootstrap" in said:
            settings["bootstrap"] = list(map(str, bootstraps))
        for key, value in settings.items():
            changed = _with_setting(changed, "wide", key, json.dumps(value))
        wanted["wide"] = {**said, **settings}
        if tomllib.loads(changed) != wanted:
            raise ValueError
    except ValueError:
        raise BadConfigError(f"say {', '.join(settings)} in [wide] there yourself") from None
    if changed != text:
        write_file(home.config, changed.encode())


def _with_setting(text: str, section: str, key: str, word: str) -> str:
    """The text with `key = word` in that section: in the place of what it says, or of a remark."""
    lines = text.splitlines()
    header = re.compile(rf"\s*\[{section}\]\s*(#.*)?")
    begin = next((number for number, line in enumerate(lines) if header.fullmatch(line)), None)
    if begin is None:
        return "\n".join([*lines, *([""] if lines else []), f"[{section}]", f"{key} = {word}", ""])
    rest = range(begin + 1, len(lines))
    end = next((number for number in rest if lines[number].lstrip().startswith("[")), len(lines))
    for said in (rf"\s*{key}\s*=\s*{_VALUE}(.*)", rf"\s*#\s*{key}\s*=\s*{_VALUE}(.*)"):
        for number in range(begin + 1, end):
            if found := re.fullmatch(said, lines[number]):
                lines[number] = f"{key} = {word}{found[1]}"
                return "\n".join([*lines, ""])
    lines.insert(begin + 1, f"{key} = {word}")
    return "\n".join([*lines, ""])


_VALUE: Final = r"(?:true|false|\[[^\]]*\])"
"""A switch, or a list in one line; whoever wrote another one changes it by hand."""


def _bootstraps(value: object) -> tuple[Multiaddr, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        raise BadConfigError("bootstrap is a list of addresses in quotes")
    try:
        return read_bootstraps(texts)
    except BadAddressError as error:
        raise BadConfigError(f"bootstrap: {error}") from None


def _section(document: dict[str, object], name: str) -> dict[str, object]:
    section = document.pop(name, {})
    if not isinstance(section, dict):
        raise BadConfigError(f"[{name}] is a section")
    return cast("dict[str, object]", section)


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 65536:
        raise BadConfigError("port is a number from 0 to 65535")
    return value


def _ice(value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    found = tuple(item for item in items if isinstance(item, str) and item.startswith("stun:"))
    if len(found) != len(items):
        raise BadConfigError('ice is a list of STUN servers, each as "stun:host:port"')
    return found


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    items = cast("list[object]", value) if isinstance(value, list) else []
    names = tuple(item for item in items if isinstance(item, str))
    if not names or len(names) != len(items):
        raise BadConfigError("interfaces is a list of names")
    return names
