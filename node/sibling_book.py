"""What the devices of our identity say, as this one has it: the ledger, in the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..protocol.opening import LocalDevice
from ..protocol.sibling_kinds import MERGES
from ..protocol.sibling_ledger import CUT, Ledger, Merge, cut_value
from ..protocol.siblings import SiblingRecord, absent, is_present, next_moment
from .sibling_store import SiblingStore


class SiblingBook:
    """Asks the ledger, and writes this device's own records."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        store: SiblingStore,
        revoked: Callable[[bytes], bool],
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._now = now
        self.store = store
        self.ledger = Ledger(
            store, identity=device.identity, device=device.signing.public, revoked=revoked
        )

    def value(self, kind: str, subject: bytes) -> bytes | None:
        """How a thing is to be; None if it is not to be there, or nothing was said."""
        merge = MERGES.get(kind)
        return None if merge is None else self.ledger.value(kind, merge, subject)

    def subjects(self, kind: str, prefix: bytes = b"") -> list[bytes]:
        """All things of a kind that anything was said of, whose subject begins so."""
        return self.store.subjects(kind, prefix)

    def say(self, kind: str, subject: bytes, value: bytes | None) -> SiblingRecord:
        """Write down how a thing is, within a transaction; None: it is not there any more."""
        about = self.store.about(kind, subject)
        if value is None:
            value = absent(*self._seen(kind, about))
        signing, identity = self._device.signing, self._device.identity
        last = self.store.head(signing.public)
        moment = next_moment(self._now(), last, *(each.moment for each in about))
        made = SiblingRecord.sign(signing, identity, moment, kind, subject, value)
        self.store.put(made)
        return made

    def _seen(self, kind: str, about: Iterable[SiblingRecord]) -> list[tuple[bytes, int]]:
        """Of a set what others added, which this device takes back. Its own word gives way."""
        if MERGES[kind] is not Merge.SET:
            return []
        own = self._device.signing.public
        return [each.dot for each in about if each.device != own and is_present(each.value)]

    def cut(self, device: bytes) -> None:
        """This device took another one back: up to here its words count, and no further."""
        self.say(CUT, device, cut_value(self.ledger.vector.get(device, 0)))
