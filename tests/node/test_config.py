from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.config import TEMPLATE, Config, set_wide
from kinlight.node.errors import BadConfigError
from kinlight.node.home import Home
from kinlight.node.multiaddrs import PEER_ID_PREFIX, multiaddr

FRIEND = multiaddr("192.0.2.9", 4712, PEER_ID_PREFIX + bytes(32))


def load(path: Path, text: str | bytes | None) -> Config:
    home = Home(path)
    if text is not None:
        home.config.write_bytes(text.encode() if isinstance(text, str) else text)
    return Config.load(home)


@pytest.mark.parametrize("text", [None, "", "[network]\n", TEMPLATE, "# only a remark"])
def test_without_settings_everything_has_its_default(tmp_path: Path, text: str | None) -> None:
    assert load(tmp_path, text) == Config(port=0, interfaces=None, discovery=True)


def test_every_setting_of_the_template_can_be_set(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in TEMPLATE.splitlines()
    )
    assert load(tmp_path, uncommented) == Config(0, ("eth0",), True)
    text = '[network]\nport = 65535\ninterfaces = ["a", "b"]\ndiscovery = false\n'
    assert load(tmp_path, text) == Config(65535, ("a", "b"), False)
    assert load(tmp_path, '[pictures]\nsandbox = "seccomp"\n') == Config(sandbox="seccomp")
    text = "[wide]\non = true\nport = 4711\n"
    assert load(tmp_path, text) == Config(wide=True, wide_port=4711)
    text = f'[wide]\nlookup = true\nbootstrap = ["{FRIEND}"]\n'
    assert load(tmp_path, text) == Config(wide_lookup=True, wide_bootstrap=(FRIEND,))
    assert load(tmp_path, '[log]\nformat = "json"\n') == Config(format="json")
    assert load(tmp_path, "[check]\nreceived = false\n") == Config(received=False)
    text = "[notify]\ndesktop = true\ndetails = true\n"
    assert load(tmp_path, text) == Config(desktop=True, details=True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "config.toml"),
        (b"\xff", "config.toml"),
        ("[other]\n", "network"),
        ("network = 3", "network"),
        ("port = 1", "network"),
        ("[network]\nspeed = 1", "speed"),
        ("[pictures]\nformats = 1", "formats"),
        ("pictures = 3", "pictures"),
        ('[pictures]\nsandbox = "none"', "sandbox"),
        ("[check]\nreceived = 1", "received"),
        ("[check]\nsent = true", "sent"),
        ("check = true", "check"),
        ("[notify]\ndesktop = 1", "desktop"),
        ('[notify]\ndetails = "yes"', "details"),
        ("[notify]\nsound = true", "sound"),
        ("[network]\nport = -1", "port"),
        ("[network]\nport = 65536", "port"),
        ("[network]\nport = 1.0", "port"),
        ("[network]\nport = true", "port"),
        ('[network]\nport = "80"', "port"),
        ("[network]\ndiscovery = 1", "discovery"),
        ("[wide]\non = 1", "on"),
        ("[wide]\nport = 65536", "port"),
        ("[wide]\nrelay = 1", "relay"),
        ("[wide]\nrelays = true", "relays"),
        ("[network]\ninterfaces = []", "interfaces"),
        ('[network]\ninterfaces = "eth0"', "interfaces"),
        ('[network]\ninterfaces = ["eth0", 1]', "interfaces"),
    ],
)
def test_what_can_not_be_used_is_named(tmp_path: Path, text: str | bytes, named: str) -> None:
    with pytest.raises(BadConfigError, match=named):
        load(tmp_path, text)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(BadConfigError):
        load(tmp_path, None)


@given(st.binary(max_size=60))
def test_any_file_is_read_or_refused(tmp_path: Path, text: bytes) -> None:
    with contextlib.suppress(BadConfigError):
        load(tmp_path, b"[network]\n" + text)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (None, "[wide]\nrelay = true\non = true\n"),
        ("[network]\nport = 1", "[network]\nport = 1\n\n[wide]\nrelay = true\non = true\n"),
        ("[wide]\n", "[wide]\nrelay = true\non = true\n"),
        (
            "[wide]  # far\non=false # why\n[log]\n# on = false\n",
            "[wide]  # far\nrelay = true\non = true # why\n[log]\n# on = false\n",
        ),
        (
            "[wide]\nrelay = true\n# on = false\non = true\n",
            "[wide]\nrelay = true\n# on = false\non = true\n",
        ),
    ],
)
def test_a_switch_is_set_where_it_stands_and_nothing_else_changes(
    tmp_path: Path, text: str | None, after: str
) -> None:
    load(tmp_path, text)
    set_wide(Home(tmp_path), on=True, relay=True)
    assert Home(tmp_path).config.read_text() == after


def test_whom_to_ask_is_written_only_where_it_is_said(tmp_path: Path) -> None:
    home = Home(tmp_path)
    load(tmp_path, "[wide]\n")
    set_wide(home, on=True, relay=False)
    assert "lookup" not in home.config.read_text()
    set_wide(home, on=True, relay=False, lookup=True, bootstraps=(FRIEND,))
    wanted = Config(wide=True, wide_lookup=True, wide_bootstrap=(FRIEND,))
    assert Config.load(home) == wanted
    set_wide(home, on=False, relay=False, lookup=False, bootstraps=())
    assert Config.load(home) == Config()


def test_a_list_in_many_lines_is_left_to_who_wrote_it(tmp_path: Path) -> None:
    text = f'[wide]\nbootstrap = [\n  "{FRIEND}", # the friend\n]\n'
    home = Home(tmp_path)
    assert load(tmp_path, text).wide_bootstrap == (FRIEND,)
    with pytest.raises(BadConfigError, match="bootstrap"):
        set_wide(home, on=True, relay=False, bootstraps=())
    assert home.config.read_text() == text


@pytest.mark.parametrize(
    "value",
    [
        "true",
        '"here"',
        f'"{FRIEND}"',
        '["192.0.2.9:4712"]',
        "[7]",
        f'["{FRIEND}/p2p-circuit/p2p/{FRIEND.host[-52:]}"]',
    ],
)
def test_who_is_asked_first_is_named_by_a_direct_address(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadConfigError):
        load(tmp_path, f"[wide]\nbootstrap = {value}\n")
    with pytest.raises(BadConfigError):
        load(tmp_path, f"[wide]\nbootstrap = {[str(FRIEND)] * 9}\n")


def test_of_the_template_the_remarks_stay(tmp_path: Path) -> None:
    load(tmp_path, TEMPLATE)
    set_wide(Home(tmp_path), on=True, relay=False)
    assert Config.load(Home(tmp_path)) == Config(wide=True)
    expected = TEMPLATE.replace("# on = false ", "on = true ").replace("# relay =", "relay =")
    assert Home(tmp_path).config.read_text() == expected


@pytest.mark.parametrize("text", ["wide = {on = false}", "wide.on = false", 'x = """\n[wide]\n"""'])
def test_a_switch_that_can_not_be_set_alone_changes_nothing(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path)
    home.config.write_text(text)
    with pytest.raises(BadConfigError):
        set_wide(home, on=True, relay=True)
    assert home.config.read_text() == text
