"""The library's schema, as a list of steps. A released step is never changed, only followed."""

from __future__ import annotations

from typing import Final

from .schema_devices import DEVICES
from .schema_people import PEOPLE
from .schema_released import RELEASED

MIGRATIONS: Final[tuple[str, ...]] = (*RELEASED, *PEOPLE, *DEVICES)

VERSION: Final = len(MIGRATIONS)
