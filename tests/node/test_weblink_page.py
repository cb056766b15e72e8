"""The files of the page: the ones that are named, as their makers wrote them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from kinlight.node import weblink_site

ROOT = Path(__file__).parents[2]
WEB = ROOT / "node" / "web"
SERVED = set(weblink_site.FILES)
PAGES = {"page.html", "drop.html", "none.html"}
WORKER = "worker.js"
"""Served at a path of its own, below each drop link's."""


def test_what_others_wrote_is_as_they_wrote_it() -> None:
    vendored = json.loads((WEB / "vendored.json").read_text())
    for package in vendored.values():
        folder = WEB / package["folder"]
        found = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }
        assert found == package["files"]
        assert package["licence"] == "MIT"
        assert package["version"] in package["source"]


def test_every_file_of_the_page_is_served_and_every_import_leads_to_one() -> None:
    scripts = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*.js")}
    pictures = {path.name for path in WEB.glob("*.png")}
    assert {path.name for path in WEB.glob("*.html")} == PAGES
    assert (scripts - {WORKER}) | {"page.css"} | pictures == SERVED
    for name in scripts:
        text = re.sub(r"^\s*(\*|//).*$", "", (WEB / name).read_text(), flags=re.MULTILINE)
        for target in re.findall(r"from ['\"]([^'\"]+)['\"]", text):
            assert target.startswith("./"), (name, target)
            assert (WEB / name).parent.joinpath(target).resolve().relative_to(
                WEB
            ).as_posix() in SERVED


def test_the_pages_say_what_class_of_link_they_are_and_ask_nobody_else() -> None:
    page = (WEB / "page.html").read_text()
    assert "weaker than sharing between two people" in page.replace("\n", " ")
    assert "do nothing else" in (WEB / "drop.html").read_text().replace("\n", " ")
    for name in PAGES:
        for target in re.findall(r"(?:src|href)=\"([^\"]+)\"", (WEB / name).read_text()):
            assert target.removeprefix("/s/") in SERVED, (name, target)
    for script in WEB.glob("*.js"):
        text = script.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(", "://", "stun:"):
            # One remark names an address that a page may have.
            assert word not in text.replace("http://192.168.…", ""), (script.name, word)
