"""What two devices of one person have together, by the command line: real daemons over loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from .household import Household, Person
from .test_devices import added


def photos(person: Person) -> set[str]:
    return {each["id"] for each in person.run("search").values}


@pytest.mark.timeout(300)
def test_a_person_keeps_photos_on_one_device_and_has_them_on_both(
    household: Household, tmp_path: Path
) -> None:
    laptop = household.newcomer("Laptop")
    phone, _ = added(household, laptop, "Phone")
    file = tmp_path / "beach.bin"
    file.write_bytes(bytes(range(256)) * 400)
    photo = laptop.run("import", file).value["id"]
    laptop.run("tag", photo, "--add", "sea")
    phone.eventually(
        lambda node: node.search(), lambda found: [each.tags for each in found] == [["sea"]]
    )
    written = phone.run("export", photo, tmp_path).value
    assert Path(written["path"]).read_bytes() == file.read_bytes()

    kept = phone.run("device", "keep", "nothing").value
    assert kept["keep"] == "nothing"
    phone.eventually(lambda node: node.device_photos(), lambda found: len(found) == 1)
    assert photos(phone) == set()
    assert "elsewhere" in phone.screen("device", "photos")
    assert phone.run("device", "pin", photo[:8]).value["pinned"] == 1
    phone.eventually(lambda node: node.search(), lambda found: len(found) == 1)
    assert phone.run("device", "unpin", photo).value["pinned"] == 0

    laptop.eventually(
        lambda node: node.status(),
        lambda found: [(each.name, each.behind) for each in found.devices] == [("Phone", 0)],
    )
    assert "a device of yours: connected" in laptop.screen("status")
    phone.run("device", "keep", "originals")
    phone.eventually(lambda node: node.search(), lambda found: len(found) == 1)
    phone.run("remove", photo, "--yes")
    laptop.eventually(lambda node: node.device_removed(), lambda found: len(found) == 1)
    assert photos(laptop) == set()
    assert laptop.run("device", "removed").value["name"] == "beach.bin"
    assert laptop.run("device", "bring-back", photo[:8]).value == {"photos": [photo]}
    phone.eventually(lambda node: node.search(), lambda found: len(found) == 1)
    assert photos(laptop) == {photo}
