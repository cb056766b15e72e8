"""A new device of somebody who keeps albums: it takes its place in those that it may enter itself.

The log of an album lets devices write, not people. A device that was restored is in none; who else
looks after the album lets it in when they meet. Where nobody else could, or need not, the owner's
root key does, or the device that was before, if its keys are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from ..protocol.album_admin import Admin
from ..protocol.opening import Entropy, LocalDevice
from .album_shelf import SharedAlbum, Shelf


@dataclass(frozen=True, slots=True)
class Seats:
    """In how many albums the device is now, and in how many it waits to be let in."""

    taken: int
    waiting: int


def take(
    shelf: Shelf,
    device: LocalDevice,
    signers: Iterable[SigningKey],
    *,
    entropy: Entropy,
    now: Callable[[], int],
) -> Seats:
    """Let `device` into each album that its identity takes part in, by the first of `signers` that
    may; what can't be done is left to those who are admins.
    """
    ways = list(signers)
    taken = waiting = 0
    for shared in shelf.all():
        if shared.state != "joined" or device.identity not in shared.album.view.members:
            continue
        if shared.has(device.chain) or any(
            _let_in(shelf, shared, device, signer, entropy, now) for signer in ways
        ):
            taken += 1
        else:
            waiting += 1
    return Seats(taken, waiting)


def _let_in(
    shelf: Shelf,
    shared: SharedAlbum,
    device: LocalDevice,
    signer: SigningKey,
    entropy: Entropy,
    now: Callable[[], int],
) -> bool:
    if shared.album.authority.seat_of(device.identity, signer.public) is None:
        return False
    admin = Admin(shared.album, signer, device.identity, shared.keys)
    key = Secret(entropy(32))
    try:
        shelf.write(shared, lambda: admin.let_in(now(), device.chain, key))
    except KinlightError:
        return False
    return True
