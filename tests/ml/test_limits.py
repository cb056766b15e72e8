from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ..conftest import RecordFigure

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

LOOK = """
import json, resource, sys, time
import numpy as np, torch
from kinlight.ml import integrity
from kinlight.ml.integrity_runner import Runner
from kinlight.ml.weights import read_weights

height, width, bf16 = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "bf16"
torch.set_num_threads(2)
integrity._loaded = Runner(read_weights("integrity"), bf16=bf16)
rng = np.random.default_rng(1)
pixels = np.empty((height, width, 3), np.uint8)
for top in range(0, height, 100):
    pixels[top : top + 100] = rng.integers(80, 160, (100, width, 3), dtype=np.uint8)
start = time.perf_counter()
finding = integrity.check(pixels)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"score": finding.score, "seconds": seconds, "peak": peak}))
"""


def look(height: int, width: int, kind: str) -> dict[str, float]:
    command = [sys.executable, "-c", LOOK, str(height), str(width), kind]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux tells it")
@pytest.mark.parametrize("kind", ["bf16", "fp32"])
def test_the_largest_photo_that_is_looked_at_takes_less_than_a_gigabyte(kind: str) -> None:
    seen = look(4000, 6000, kind)
    assert seen["score"] is not None
    assert seen["peak"] < 1_000_000_000


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux tells it")
def test_a_photo_of_twelve_megapixels_is_looked_at_in_a_few_seconds(
    record_figure: RecordFigure,
) -> None:
    seen = look(3000, 4000, "bf16")
    record_figure("integrity check of 12 megapixels", round(seen["seconds"], 1), "s", 2)
    record_figure("its peak of memory", round(seen["peak"] / 1e6), "MB", 1000)
