from __future__ import annotations

from importlib.util import find_spec

import pytest
from kinlight.ml.photos import Collection

from .photographs import photographs


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests run side by side: threads of torch's would mostly wait for each other."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Six originals of six cameras and two portraits, made here."""
    return photographs(tmp_path_factory.mktemp("photographs"))
