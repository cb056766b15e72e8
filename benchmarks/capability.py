"""Capabilities: how fast a chain is judged from its bytes, and how large it is."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.protocol.attributes import Attestation, AttributeDemand, Attributes
from kinlight.protocol.capability import WHOEVER, Audience, Capability, Caveats, Request
from kinlight.protocol.policy import Facts, Rule, decide
from kinlight.protocol.rendition import Rendition
from kinlight.protocol.revocation import RevocationList, Revocations, Standing

from benchmarks.figures import Figure

NOW: Final = 1_900_000_000
SECONDS: Final = 2.0
SMALL: Final = Rendition(2048, location_removed=True)
PHOTO: Final = secrets.token_bytes(16)


class Somebody:
    """An identity with one device."""

    def __init__(self) -> None:
        self.key: Final = SigningKey(Secret(secrets.token_bytes(32)))
        self.identity: Final = secrets.token_bytes(32)

    def pass_on(
        self, to: Audience, caveats: Caveats, parent: Capability | None = None
    ) -> Capability:
        """A link."""
        nonce = secrets.token_bytes(16)
        return Capability.grant(self.key, self.identity, to, caveats, nonce, parent)

    def as_audience(self) -> Audience:
        """All devices of this identity."""
        return Audience("identity", self.identity)


AUTHOR, FIRST, SECOND, LAST = (Somebody() for _ in range(4))
DEVICES: Final = {one.key.public: one.identity for one in (AUTHOR, FIRST, SECOND, LAST)}
ROOT: Final = Caveats(
    photos=frozenset([PHOTO]), operations=frozenset(["view", "reshare"]), before=NOW + 1
)


def delegated(root: Capability) -> Capability:
    """A root and two delegations: to somebody who may pass it on, and to who uses it."""
    share, view = (Caveats(operations=frozenset(ops)) for ops in (["view", "reshare"], ["view"]))
    middle = FIRST.pass_on(SECOND.as_audience(), share, root)
    return SECOND.pass_on(LAST.as_audience(), view, middle)


def per_second(work: Callable[[], object]) -> float:
    """How often it is done in a second, by the best of several short runs."""
    rates: list[float] = []
    for _ in range(8):
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < SECONDS / 8:
            work()
            done += 1
        rates.append(done / (time.perf_counter() - begun))
    return max(rates)


def judge(encoded: bytes, shown: tuple[bytes, ...], revocations: Revocations) -> None:
    """Everything, from the bytes on."""
    capability = Capability.decode(encoded)
    capability.verify(AUTHOR.identity, DEVICES)
    attributes = Attributes.verified((Attestation.decode(one) for one in shown), DEVICES)
    capability.allow(
        Request(
            identity=LAST.identity, device=LAST.key.public, photo_id=PHOTO, operation="view",
            rendition=SMALL, now=NOW, attributes=attributes, revocations=revocations,
        )
    )  # fmt: skip


def main() -> None:
    """Sizes, then rates; the one with a goal as a time too, as goals are upper bounds."""
    plain = delegated(AUTHOR.pass_on(FIRST.as_audience(), ROOT))
    demand = AttributeDemand("role", "family", frozenset([AUTHOR.identity]))
    family = Caveats(ROOT.photos, ROOT.operations, ROOT.before, attributes=(demand,))
    attested = delegated(AUTHOR.pass_on(WHOEVER, family))
    attestation = Attestation.issue(
        AUTHOR.key, AUTHOR.identity, FIRST.identity, "role", "family", NOW - 1, NOW + 1,
        secrets.token_bytes(16),
    ).signed.encode()  # fmt: skip
    lists = [
        RevocationList.sign(one.key, one.identity, 1, NOW, [secrets.token_bytes(32)] * 50)
        for one in (AUTHOR, FIRST, SECOND)
    ]
    known = Revocations({found.issuer: Standing(found) for found in lists})

    Figure("a root and two delegations", len(plain.encoded), "bytes", 800).show()
    both = len(attested.encoded) + len(attestation)
    Figure("the same for whoever is family, with an attestation", both, "bytes", 950).show()
    once = FIRST.pass_on(LAST.as_audience(), Caveats(), AUTHOR.pass_on(WHOEVER, family))
    both = len(once.encoded) + len(attestation)
    Figure("that root and one delegation, with an attestation", both, "bytes").show()
    Figure("an attestation", len(attestation), "bytes").show()
    single = AUTHOR.pass_on(LAST.as_audience(), ROOT)
    rate = per_second(lambda: judge(single.encoded, (), known))
    Figure("capabilities judged, one link", rate, "per s").show()
    rate = per_second(lambda: judge(plain.encoded, (), known))
    Figure("a root and two delegations judged", rate, "per s").show()
    Figure("the same: one", 1000 / rate, "ms", 1 / 3).show()
    rate = per_second(lambda: judge(attested.encoded, (attestation,), known))
    Figure("the same with an attestation", rate, "per s").show()
    capability = Capability.decode(plain.encoded)
    request = Request(LAST.identity, LAST.key.public, PHOTO, "view", SMALL, NOW, revocations=known)
    rate = per_second(lambda: capability.judge(request))
    Figure("the same once verified, as for each piece", rate, "per s").show()
    rules = [
        Rule(f"rule {number}", True, frozenset(["view"]), tags=frozenset([f"tag {number}"]))
        for number in range(50)
    ]
    facts = Facts("view", tags=frozenset(["tag 49"]))
    rate = per_second(lambda: decide(rules, facts))
    Figure("50 rules of the owner's decided", rate, "per s").show()


if __name__ == "__main__":
    main()
