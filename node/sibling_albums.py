"""Albums that several people keep, as devices of one of them tell each other of them.

Entries come over the link as they come from any member (`album_sync`): a device is told all that
another one of ours knows, also before an admin has let it in. What is told here is that a person
takes part, the keys, and which photos nobody wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ..crypto import signing
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from ..protocol.album import Album
from ..protocol.album_keys import key_id
from ..protocol.album_log import ALBUM_ID_BYTES, KEY_BYTES
from ..protocol.sibling_kinds import ALBUM_HIDDEN, ALBUM_KEY, SHARED_ALBUM, octets_of
from ..protocol.siblings import fields_of, present
from .album_shelf import SharedAlbum, Shelf
from .album_storage import AlbumStore, KeptAlbum
from .database import Database
from .sibling_tellers import UNSAID, Said, ThereOrNot, Told

Decided = Literal["joined", "left"]
"""What a person decides. That somebody was invited or taken out says the album itself."""
_DECIDED: Final = ("joined", "left")


class AlbumTeller(ThereOrNot):
    """What a person decided about albums, and the keys that are here."""

    kinds = (SHARED_ALBUM, ALBUM_KEY, ALBUM_HIDDEN)

    def __init__(
        self,
        *,
        database: Database,
        store: AlbumStore,
        shelf: Shelf,
        told: Told,
        missing: Callable[[bytes], None],
    ) -> None:
        """`missing` hears of an album that a person takes part in, and that is not here."""
        self._db = database
        self._store = store
        self._shelf = shelf
        self._told = told
        self._missing = missing
        self._changed: set[bytes] = set()

    # What is here.

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here."""
        album_id, rest = subject[:ALBUM_ID_BYTES], subject[ALBUM_ID_BYTES:]
        if kind == ALBUM_HIDDEN:
            return present() if rest in self._store.hidden(album_id) else None
        if kind == ALBUM_KEY:
            keys = {key_id(key): key for key in self._store.keys(album_id)}
            return present(keys[rest].reveal()) if rest in keys else UNSAID
        row = self._db.row(
            "SELECT state, inviter, since FROM shared_albums WHERE album_id = ?", album_id
        )
        return UNSAID if row is None or row["state"] not in _DECIDED else present(*row)

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """Of an album what was decided."""
        if kind == SHARED_ALBUM and said is not None and told is not None:
            return _decided(said)[0] == _decided(told)[0]
        return super().is_same(kind, subject, said, told)

    # What was told.

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Note that it is to be made so. The shelf keeps what it changes by itself: `settle`."""
        if value is not None and kind == SHARED_ALBUM:
            _decided(value)
        self._changed.add(subject[:ALBUM_ID_BYTES])

    def settle(self) -> None:
        """Make it so, once what was told is durable."""
        changed, self._changed = self._changed, set()
        for album_id in changed:
            shared = self._shelf.get(album_id)
            if shared is not None:
                self._settle(shared)
            elif self._told.value(SHARED_ALBUM, album_id) is not None:
                self._missing(album_id)

    def settle_all(self) -> None:
        """The same for all albums, at the start: it may have been cut off."""
        self._changed.update(self._told.subjects(SHARED_ALBUM, b""))
        self.settle()

    def found(self, album: Album) -> None:
        """All of an album came from another device of ours: it is taken up, if a person decided."""
        value = self._told.value(SHARED_ALBUM, album.album_id)
        if value is None or self._shelf.get(album.album_id) is not None:
            return
        state, inviter, since = _decided(value)
        shared = self._shelf.adopt(album, KeptAlbum(album.album_id, state, inviter, since))
        self._settle(shared)

    def _settle(self, shared: SharedAlbum) -> None:
        album_id = shared.album_id
        for subject in self._told.subjects(ALBUM_KEY, album_id):
            value = self._told.value(ALBUM_KEY, subject)
            if value is not None and subject[ALBUM_ID_BYTES:] not in shared.keys:
                self._learn(shared, Secret(octets_of(value, ALBUM_KEY, 1, KEY_BYTES)[0]))
        hidden = self._store.hidden(album_id)
        for subject in self._told.subjects(ALBUM_HIDDEN, album_id):
            photo_id = subject[ALBUM_ID_BYTES:]
            there = self._told.value(ALBUM_HIDDEN, subject) is not None
            if there and photo_id not in hidden:
                self._store.hide(album_id, photo_id)
            elif not there and photo_id in hidden:
                self._store.show(album_id, photo_id)
                self._shelf.expect_again(shared, photo_id)
        value = self._told.value(SHARED_ALBUM, album_id)
        if value is not None:
            self._decide(shared, _decided(value)[0])

    def _learn(self, shared: SharedAlbum, key: Secret) -> None:
        if len(key.reveal()) == KEY_BYTES:
            self._shelf.learn(shared, key)

    def _decide(self, shared: SharedAlbum, state: Decided) -> None:
        if state == "joined" and shared.state in ("invited", "left"):
            self._shelf.join(shared)
        elif state == "left" and shared.state != "left":
            self._shelf.set_state(shared, "left")


def _decided(value: bytes) -> tuple[Decided, bytes, int]:
    reader = fields_of(value, SHARED_ALBUM)
    state = reader.text("state", 16)
    inviter = reader.octets("inviter", signing.KEY_BYTES)
    since = reader.integer("since", 2**63 - 1)
    reader.end()
    if state not in _DECIDED:
        raise MalformedError(SHARED_ALBUM)
    return state, inviter, since
