"""Who may see what, as the owner asks and says it."""

from __future__ import annotations

from collections.abc import Callable

from . import views
from .derivations import Derivations
from .following import RANK
from .grants import Grant, Grants
from .library import Library


class Granting:
    """What can be done about access on an unlocked node."""

    def __init__(
        self,
        *,
        library: Library,
        grants: Grants,
        derivations: Derivations,
        now: Callable[[], int],
    ) -> None:
        self._library = library
        self._grants = grants
        self._derivations = derivations
        self._now = now

    def grants(self, who: str | None, photo: str | None) -> list[views.Grant]:
        """What was granted, the oldest first: to a contact, of a photo or of its copies, or all."""
        identity = None if who is None else self._library.contact(who).identity
        wanted = None if photo is None else self._library.find_photo_id(photo)
        found = [self._view(grant) for grant in self._grants.find(identity=identity)]
        if wanted is None:
            return found
        return [grant for grant in found if wanted.hex() in (grant.photo, grant.of)]

    def _view(self, grant: Grant) -> views.Grant:
        capability = grant.capability
        photo = self._library.photo(grant.photo_id)
        contact = self._library.contact_of(grant.identity)
        rendition = capability.rendition
        return views.Grant(
            hash=grant.grant_hash.hex(),
            photo=grant.photo_id.hex(),
            of=self._derivations.source(grant.photo_id).hex(),
            name=photo.metadata.name if photo else "",
            to=contact.name if contact else "",
            operations=sorted(capability.links[-1].caveats.operations or ()),
            max_px=rendition.max_px,
            location="removed" if rendition.location_removed else "kept",
            until=capability.expires,
            state=self._state(grant),
            created=grant.created,
        )

    def _state(self, grant: Grant) -> str:
        expires = grant.capability.expires
        if expires is not None and expires <= self._now():
            return "expired"
        states = [
            delivery.state
            for delivery in self._library.deliveries(grant.photo_id)
            if delivery.grant_hash == grant.grant_hash
        ]
        # The best news of its devices counts.
        return max(states, key=RANK.__getitem__, default="queued")
