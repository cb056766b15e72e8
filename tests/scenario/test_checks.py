"""Two daemons: what Bob receives is looked at for signs of editing, whatever becomes of that."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import psutil
import pytest
from kinlight.node import Node
from PIL import Image

from ..node.test_check_service import needs_torch
from .household import PATIENCE, Household, Person, Value, is_well, sha256, together


@pytest.fixture
def couple(household: Household) -> tuple[Person, Person]:
    """Anna and Bob, who takes what she sends and has it looked at."""
    anna, bob = household.person("Anna"), household.person("Bob")
    together(anna.make, lambda: bob.make(checks=True))
    household.introduce(anna, bob)
    bob.run("contacts", "accept-from", "Anna", "always")
    return anna, bob


def a_photo(path: Path) -> Path:
    Image.effect_noise((176, 136), 40).convert("RGB").save(path, quality=90)
    return path


def workers(person: Person) -> list[psutil.Process]:
    """The daemon's processes that look for signs of editing."""
    return [
        child
        for child in psutil.Process(person.pid).children()
        if any("check_worker" in word for word in child.cmdline())
    ]


def given(anna: Person, bob: Person, path: Path) -> str:
    """A photo that Bob has; its id."""
    (item,) = anna.share([path], bob)
    assert item["state"] == "delivered"
    return item["photo_id"]


def verdict(bob: Person, photo: str) -> Value:
    """The verdict of `show`, as soon as the event says that it is there."""

    async def told(node: Node) -> bool:
        async with contextlib.aclosing(node.events()) as events:
            async for event in events:
                if event.name == "listening" and (await node.get(photo)).verdict is not None:
                    return True
                if event.name == "checked" and event.data["id"] == photo:
                    return True
        return False

    assert bob.ask(told)
    return bob.run("show", photo).value["verdict"]


@needs_torch
def test_the_verdict_comes_as_an_event_and_stands_in_inbox_and_show(
    couple: tuple[Person, Person], tmp_path: Path
) -> None:
    anna, bob = couple
    path = a_photo(tmp_path / "beach.jpg")
    photo = given(anna, bob, path)
    found = verdict(bob, photo)
    assert found["verdict"] in ("no-sign", "signs", "cannot-tell")
    assert found["score"] is not None
    assert len(found["model"]) == 64
    assert found["provenance"] == {"signature": "valid", "c2pa": "none"}
    assert "Anna signed it" in found["evidence"][0]["text"]
    (item,) = bob.inbox()
    assert item["verdict"] == found
    (listed,) = bob.run("search", "--verdict", found["verdict"]).values
    assert listed["id"] == photo
    assert "content check" in bob.screen("show", photo)
    assert anna.run("show", photo).value["verdict"] is None  # nobody wished it

    bob.kill()
    bob.start()
    assert bob.run("show", photo).value["verdict"] == found
    again = bob.run("check", "--photo", photo[:8]).value
    assert (again["verdict"], again["model"]) == (found["verdict"], found["model"])
    is_well(bob)
    # What was seen lies sealed with everything else.
    raw = b"".join(file.read_bytes() for file in bob.files())
    assert found["model"].encode() not in raw
    assert bytes.fromhex(found["model"]) not in raw


@needs_torch
def test_a_process_that_is_killed_midway_leaves_a_reason_and_the_photo(
    couple: tuple[Person, Person], tmp_path: Path
) -> None:
    anna, bob = couple
    path = a_photo(tmp_path / "beach.jpg")
    photo = given(anna, bob, path)
    deadline = time.monotonic() + PATIENCE
    while not (found := workers(bob)):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # there is no event for another process's start
    for process in found:
        process.kill()
    seen = verdict(bob, photo)
    assert (seen["verdict"], seen["score"]) == ("cannot-tell", None)
    assert "ended without an answer: it was ended by signal 9" in seen["reason"]
    assert sha256(bob.exported(photo, tmp_path / "out")) == sha256(path)
    is_well(bob)
    # It was not the photo's fault, so the next look may tell.
    again = bob.run("check", "--photo", photo).value
    assert again["score"] is not None
    assert json.loads(json.dumps(bob.inbox()[0]["verdict"])) == again
