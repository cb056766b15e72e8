"""A figure: what one measurement prints, a JSON object a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is the most that `value` may be, in the same `unit`; None where none is set yet.

    `value` is None where it could not be had; `what` says why.
    """

    what: str
    value: float | None
    unit: str
    goal: float | None = None

    def show(self) -> None:
        """Print it."""
        print(json.dumps(dataclasses.asdict(self)), flush=True)
