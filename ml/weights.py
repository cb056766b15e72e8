"""Shipped weights: tensors in safetensors, and beside them a JSON file that pins their hash.

Nothing here is a pickle, and nothing is loaded whose SHA-256 is not the one that its sidecar names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).parent / "weights"
LARGEST = 10_000_000
"""Bytes of a file of weights, at most."""


class WeightsMissing(Exception):
    """The weights are not there or are not the ones that were released."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A network's tensors and what its sidecar tells of them."""

    tensors: Mapping[str, Tensor]
    told: Mapping[str, Any]
    """What the sidecar holds besides the hash: sizes, thresholds, where they came from."""
    sha256: str


def read_pinned(name: str, suffix: str, folder: Path = FOLDER) -> tuple[bytes, dict[str, Any], str]:
    """The bytes of a file of weights, what its sidecar tells besides the hash, and the hash.

    Raises WeightsMissing when a file is absent, too large, or not the pinned one.
    """
    try:
        told = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        file = folder / f"{name}.{suffix}"
        if file.stat().st_size > LARGEST:
            raise WeightsMissing(f"{file.name} is larger than weights can be")
        content = file.read_bytes()
    except FileNotFoundError as missing:
        raise WeightsMissing(f"{missing.filename} is missing") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != told.pop("sha256"):
        raise WeightsMissing(f"{file.name} is not the file that {name}.json names")
    return content, told, sha256


def read_weights(name: str, folder: Path = FOLDER) -> Weights:
    """The weights of that name, as `read_pinned`."""
    from safetensors.torch import load

    content, told, sha256 = read_pinned(name, "safetensors", folder)
    return Weights(load(content), told, sha256)


def write_weights(
    name: str, tensors: Mapping[str, Tensor], told: Mapping[str, Any], folder: Path
) -> str:
    """Write weights and sidecar. Returns the SHA-256 of the weights."""
    from safetensors.torch import save

    content = save({key: value.contiguous() for key, value in tensors.items()})
    if len(content) > LARGEST:
        raise ValueError(f"{len(content)} bytes of weights are more than {LARGEST}")
    sha256 = hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(content)
    sidecar = json.dumps({"sha256": sha256, **told}, indent=1) + "\n"
    (folder / f"{name}.json").write_text(sidecar, encoding="utf-8")
    return sha256
