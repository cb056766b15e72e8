"""docs/cli.md and README.md say what the code does."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
import typer
from kinlight.crypto.errors import KinlightError
from kinlight.node import (
    daemon,
    errors,
    views,
    views_albums,
    views_archive,
    views_drops,
    views_guardians,
    views_siblings,
    views_weblinks,
)
from kinlight.node.cli import app
from kinlight.node.config import Config
from kinlight.node.home import HOME_VARIABLE
from kinlight.node.passphrases import FILE_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
README = (ROOT / "README.md").read_text()
VIEWS = [
    view
    for module in (
        views,
        views_albums,
        views_archive,
        views_drops,
        views_guardians,
        views_siblings,
        views_weblinks,
    )
    for _, view in inspect.getmembers(module, inspect.isclass)
    if view.__module__ == module.__name__
    and view not in (views.ShareProgress, views.ImportProgress, views.DoctorProgress, views.Event)
]


assert daemon  # imported so that every error class exists


def _error_classes() -> list[type[KinlightError]]:
    pending, found = [KinlightError], list[type[KinlightError]]()
    while pending:
        kind = pending.pop()
        found += [child for child in kind.__subclasses__() if child.__subclasses__() == []]
        pending += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("kinlight.")]


def _commands() -> list[tuple[str, list[str]]]:
    """Each command's words and its own long options."""
    root = typer.main.get_command(app)
    found: list[tuple[str, list[str]]] = []

    def walk(command: object, words: list[str]) -> None:
        children = getattr(command, "commands", None)
        if children:
            for name, child in children.items():
                walk(child, [*words, name])
            return
        options = [
            option
            for parameter in getattr(command, "params", [])
            for option in parameter.opts
            if option.startswith("--") and option not in ("--home", "--json", "--help")
        ]
        found.append((" ".join(words), options))

    walk(root, [])
    return found


@pytest.mark.parametrize(("words", "options"), _commands(), ids=lambda value: str(value))
def test_every_command_and_option_is_on_the_page(words: str, options: list[str]) -> None:
    rows = [line for line in PAGE.splitlines() if re.match(rf"\| .*`{words}(?![a-z-])", line)]
    assert rows
    assert [option for option in options if not any(option in row for row in rows)] == []


def test_every_event_is_on_the_page() -> None:
    code = "".join(path.read_text() for path in (ROOT / "node").glob("*.py"))
    published = set(re.findall(r"(?:publish|Event)\(\s*\"([a-z-]+)\"", code))
    assert {"listening", "delivery", "offer"} <= published
    assert [name for name in published if f"`{name}`" not in PAGE] == []


def test_every_environment_variable_and_setting_is_on_the_page() -> None:
    fields = (field.name for field in dataclasses.fields(Config))
    settings = (name.removeprefix("wide_").removeprefix("links_") for name in fields)
    names = {HOME_VARIABLE, FILE_VARIABLE, *settings}
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_every_exit_code_is_on_the_page() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    listed = re.findall(r"^\| (\d+) \| ", PAGE, re.MULTILINE)
    assert sorted(map(int, listed)) == sorted(codes)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_every_field_of_every_result_is_on_the_page(view: type) -> None:
    fields = [field.name for field in dataclasses.fields(view)]
    assert [name for name in fields if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE] == []


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.code)
def test_every_error_code_is_on_the_page_with_its_exit_code(kind: type[KinlightError]) -> None:
    assert f"| `{kind.code}` | {errors.exit_code(kind())} |" in PAGE


def test_every_command_of_the_readme_exists() -> None:
    known = {words.split()[0] for words, _ in _commands()}
    blocks = "".join(re.findall(r"^```\n(.*?)```", README, re.DOTALL | re.MULTILINE))
    used = set(re.findall(r"^kinlight ([a-z]+)", blocks, re.MULTILINE))
    assert used
    assert used <= known
    options = {option for _, options in _commands() for option in options}
    assert set(re.findall(r"(--[a-z-]+)", blocks)) <= options


def test_every_target_of_make_that_the_pages_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pages = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"^ *make ([a-z-]+)", pages, re.MULTILINE))
    assert {"demo", "test", "check", "nightly"} <= named
    assert [name for name in named if f"\n{name}:" not in makefile] == []


def test_the_readme_s_python_uses_what_exists() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    from kinlight.node import Node

    for name in re.findall(r"(?:node|Node)\.([a-z_]+)", block.replace("kinlight.node", "")):
        assert hasattr(Node, name), name


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []
