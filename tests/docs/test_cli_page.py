"""docs/cli.md and README.md say what the code does."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
import typer
from kinlight.crypto.errors import KinlightError
from kinlight.node import daemon, errors, views
from kinlight.node.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
README = (ROOT / "README.md").read_text()
VIEWS = [
    view
    for _, view in inspect.getmembers(views, inspect.isclass)
    if view.__module__ == views.__name__ and view not in (views.ShareProgress, views.Event)
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
    assert f"`{words}" in PAGE
    missing = [option for option in options if option not in PAGE]
    assert missing == []


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


def test_the_readme_s_python_compiles_and_uses_what_exists() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    compile(block, "README.md", "exec")
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
