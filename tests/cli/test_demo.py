"""`kinlight demo` tells its story to people and to scripts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ..scenario.household import KINLIGHT, Household, sha256
from ..scenario.pictures import picture


def test_the_demo_shares_photos_and_refuses_three_attacks(
    household: Household, tmp_path: Path
) -> None:
    photos = [picture(tmp_path / "photos" / f"{name}.jpg", n) for n, name in enumerate("abc")]
    done = subprocess.run(
        [*KINLIGHT, "demo", "--json", "--photos", str(tmp_path / "photos")],
        env=household.env,
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    assert set(result) == {"ok", "discovery", "photos", "attacks", "seconds"}
    assert result["ok"] is True
    assert result["discovery"] in ("mdns", "loopback")
    expected = [
        {"name": photo.name, "sha256": sha256(photo), "received_sha256": sha256(photo)}
        for photo in photos
    ]
    assert result["photos"] == expected
    assert [attack["name"] for attack in result["attacks"]] == [
        "unknown device",
        "flipped byte",
        "expired grant",
    ]
    assert all(attack["refused"] and attack["reason"] for attack in result["attacks"])
    assert "safety number" in done.stderr


def test_the_demo_without_a_photo_says_so(household: Household, tmp_path: Path) -> None:
    for photos in (tmp_path, tmp_path / "nosuch", tmp_path / ("long" * 100)):
        done = subprocess.run(
            [*KINLIGHT, "demo", "--json", "--photos", str(photos)],
            env=household.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 7, done.stderr
        assert json.loads(done.stdout)["error"]["code"] == "unreadable"
        assert not done.stderr
