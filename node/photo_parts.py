"""What an unlocked node does with photos on its own machine."""

from __future__ import annotations

from typing import Final

from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .check_service import CheckService
from .checks import Checker, Checks, Verdicts
from .commits import Commits
from .copies import Copies
from .core import Core, Given
from .decoder import Decoder
from .derivations import Derivations
from .importing import Importer
from .mark_service import MarkService
from .marks import Marks
from .originals import Originals
from .renditions import Renditions
from .watermarks import Watermarks


class PhotoParts(Core):
    """Photos are taken in, opened, looked at, changed and marked; nobody else is needed for it."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.decoder: Final = Decoder(required=self.config.sandbox)
        self.catalogue: Final = Catalogue(self.database)
        self.marks: Final = Marks(self.database)
        self.commits: Final = Commits(self.database)
        self.originals: Final = Originals(
            device=self.device,
            library=self.library,
            blobs=self.blobs,
            commits=self.commits,
            events=self.events,
            fingerprint_key=self.keys.fingerprint_key,
            entropy=self.entropy,
            now=self.clock,
            size_is_known=self.catalogue.has_file_of,
        )
        self.cataloguer: Final = Cataloguer(
            library=self.library,
            catalogue=self.catalogue,
            blobs=self.blobs,
            decoder=self.decoder,
            events=self.events,
        )
        self.check_service: Final = CheckService()
        self.checks: Final = Checks(self.database)
        self.verdicts: Final = Verdicts(
            us=self.device.identity,
            checks=self.checks,
            library=self.library,
            catalogue=self.catalogue,
        )
        self.checker: Final = Checker(
            checks=self.checks,
            library=self.library,
            cataloguer=self.cataloguer,
            blobs=self.blobs,
            commits=self.commits,
            decoder=self.decoder,
            service=self.check_service,
            events=self.events,
            now=self.clock,
            received=self.config.received,
        )
        self.importer: Final = Importer(
            originals=self.originals,
            library=self.library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            blobs=self.blobs,
            events=self.events,
            now=self.clock,
        )
        self.derivations: Final = Derivations(self.database)
        self.renditions: Final = Renditions(
            library=self.library,
            derivations=self.derivations,
            blobs=self.blobs,
            decoder=self.decoder,
            entropy=self.entropy,
        )
        self.mark_service: Final = MarkService()
        self.watermarks: Final = Watermarks(
            database=self.database, library=self.library, entropy=self.entropy, now=self.clock
        )
        self.copies: Final = Copies(
            library=self.library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            derivations=self.derivations,
            blobs=self.blobs,
            decoder=self.decoder,
            originals=self.originals,
            mark_service=self.mark_service,
            watermarks=self.watermarks,
        )
