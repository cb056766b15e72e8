"""What each process of `make test` has before it runs tests with daemons."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..own_network import LINK, ROOT, why_not

SCRIPT = """
import json, os, subprocess, sys
from kinlight.node.addresses import survey
from tests.own_network import move_in
move_in()
subprocess.run(["mount", "-t", "tmpfs", "none", sys.argv[1]], check=True)
open(sys.argv[1] + "/file", "x").close()
print(json.dumps([os.readlink("/proc/self/ns/net"), [each.name for each in survey(None)]]))
"""


def test_a_process_moves_to_a_network_and_mounts_of_its_own(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    network, links = json.loads(subprocess.check_output(argv, cwd=ROOT))
    assert network != str(Path("/proc/self/ns/net").readlink())
    assert links == [LINK]
    assert not list(tmp_path.iterdir())
