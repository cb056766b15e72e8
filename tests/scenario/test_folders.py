"""A folder of one person becomes a folder of another, by two daemons and nobody's hands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from kinlight.node import Node

from .conftest import Couple
from .household import sha256
from .pictures import picture


async def _names(node: Node) -> set[str]:
    return {item.name for item in await node.search()}


def test_what_is_put_into_a_watched_folder_arrives_in_the_other_s_mirror(
    couple: Couple, tmp_path: Path
) -> None:
    anna, bob = couple
    camera, mirror = tmp_path / "camera", tmp_path / "mirror"
    camera.mkdir()
    anna.start()
    bob.start()
    made = anna.run("watch", camera, "--with", "Bob", "--metadata", "original").value
    assert (made["kind"], made["path"], made["to"]) == ("watch", str(camera), ["Bob"])
    assert bob.run("mirror", "Anna", mirror).value["contact"] == "Anna"
    first = picture(camera / "first.jpg", 1)
    bob.until(_mirrored(mirror, first), bool)
    # Both go on after a restart, with what came in between.
    anna.stop()
    second = picture(camera / "second.jpg", 2)
    anna.start()
    bob.kill()
    bob.start()
    third = picture(camera / "third.jpg", 3)
    for original in (second, third):
        bob.until(_mirrored(mirror, original), bool)
    for original in (first, second, third):
        copy = mirror / original.name
        assert sha256(copy) == sha256(original)
        assert copy.stat().st_mtime_ns == original.stat().st_mtime_ns
    assert anna.ask(_names) == bob.ask(_names) == {"first.jpg", "second.jpg", "third.jpg"}
    assert [folder["state"] for folder in anna.run("watch").values] == ["watching"]
    assert [folder["photos"] for folder in bob.run("mirror").values] == [3]
    assert str(mirror) in bob.screen("mirror")
    assert anna.run("mirror").values == []
    assert anna.run("mirror", "--off", camera, code=6).error == "no-such-folder"
    assert anna.run("watch", "--off", camera).value["path"] == str(camera)
    assert bob.run("mirror", "--off", mirror).value["state"] == "off"
    assert anna.run("mirror", "Bob", code=2).error == "usage"
    assert sorted(path.name for path in mirror.iterdir()) == [
        "first.jpg", "second.jpg", "third.jpg",
    ]  # fmt: skip


def _mirrored(mirror: Path, original: Path) -> Callable[[Node], Awaitable[bool]]:
    async def there(_node: Node) -> bool:
        return (mirror / original.name).is_file()

    return there
