"""What every part of an unlocked node stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..crypto.identity import DeviceChain
from ..protocol.opening import Entropy
from .blobstore import BlobStore
from .clock import Clock
from .config import Config
from .database import Database
from .environment import Environment
from .events import Events
from .home import Home
from .keys import UnlockedKeys
from .library import Library


@dataclass(frozen=True, slots=True)
class Given:
    """What a node is unlocked with; `renewed` is called when another device of ours certified this
    one anew.
    """

    home: Home
    keys: UnlockedKeys
    database: Database
    library: Library
    blobs: BlobStore
    config: Config
    events: Events
    environment: Environment
    renewed: Callable[[DeviceChain], None]


class Core:
    """The ground floor: keys, the library, blobs, the time. `Unlocked` says what stands on it."""

    def __init__(self, given: Given) -> None:
        self.home: Final = given.home
        self.keys: Final = given.keys
        self.device: Final = given.keys.device
        self.database: Final = given.database
        self.library: Final = given.library
        self.blobs: Final = given.blobs
        self.config: Final = given.config
        self.events: Final = given.events
        self.environment: Final = given.environment
        self.entropy: Final[Entropy] = given.environment.entropy
        self.renewed: Final = given.renewed
        self.clock: Final = Clock(
            device=self.device.signing.public,
            library=self.library,
            events=self.events,
            system=self.environment.now,
        )
