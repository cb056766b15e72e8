"""Marks: the words that a person gives photos, and how delicate they are. Never sent.

It shares the database with `library`. A copy, a clip, and the same content under another name have
the marks of what they were made of, or belong to, besides their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..protocol.policy import SENSITIVITIES
from . import names
from .catalogue import ALIKE
from .database import Database
from .errors import BadRequestError

TAGS: Final = 64
"""Words that one photo may have."""
UNSAID: Final = "normal"
"""How delicate a photo is of which nobody said anything."""


class Marks:
    """Tags and sensitivities."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Of one photo.

    def change(
        self,
        photos: Iterable[bytes],
        *,
        add: Iterable[str],
        remove: Iterable[str],
        sensitivity: str | None,
    ) -> None:
        """Give photos words, take others away, and say how delicate they are; all or nothing.

        Words are the same in any case. Raises `BadRequestError` for what is no word, and changes
        nothing then.
        """
        given = [_tag(word) for word in add]
        gone = {names.folded(word) for word in remove}
        if sensitivity not in (None, *SENSITIVITIES):
            raise BadRequestError(f"sensitivity is one of {', '.join(SENSITIVITIES)}")
        with self._db.transaction():
            for photo_id in photos:
                self._change(photo_id, given, gone)
                if sensitivity is not None:
                    self._db.execute(
                        "INSERT OR REPLACE INTO sensitivities VALUES (?, ?)", photo_id, sensitivity
                    )

    def _change(self, photo_id: bytes, given: Iterable[str], gone: Iterable[str]) -> None:
        has = {names.folded(tag): tag for tag in self.tags(photo_id)}
        for folded in gone:
            if folded in has:
                self._db.execute(
                    "DELETE FROM tags WHERE photo_id = ? AND tag = ?", photo_id, has.pop(folded)
                )
        for tag in given:
            if names.folded(tag) not in has:
                has[names.folded(tag)] = tag
                self._db.execute("INSERT INTO tags VALUES (?, ?)", photo_id, tag)
        if len(has) > TAGS:
            raise BadRequestError(f"a photo has at most {TAGS} words")

    def tags(self, photo_id: bytes) -> list[str]:
        """The words that were given to this very photo."""
        rows = self._db.rows("SELECT tag FROM tags WHERE photo_id = ? ORDER BY tag", photo_id)
        return [row[0] for row in rows]

    def sensitivity(self, photo_id: bytes) -> str:
        """What was said of this very photo."""
        found = self._db.value("SELECT sensitivity FROM sensitivities WHERE photo_id = ?", photo_id)
        return found or UNSAID

    def said(self, photo_id: bytes) -> str | None:
        """The same, told apart from what nobody said."""
        return self._db.value("SELECT sensitivity FROM sensitivities WHERE photo_id = ?", photo_id)

    def put(self, photo_id: bytes, folded: str, spelled: str | None) -> None:
        """Give a photo a word as another device of ours spells it, unless it has it in any case; or
        take it away.
        """
        has = [each for each in self.tags(photo_id) if names.folded(each) == folded]
        if spelled is None:
            for each in has:
                self._db.write("DELETE FROM tags WHERE photo_id = ? AND tag = ?", photo_id, each)
        elif not has:
            self._db.write("INSERT INTO tags VALUES (?, ?)", photo_id, spelled)

    def spelled(self, tag: str) -> list[str]:
        """The ways in which a word was given, in any case."""
        wanted = names.folded(tag)
        rows = self._db.rows("SELECT DISTINCT tag FROM tags")
        return [row[0] for row in rows if names.folded(row[0]) == wanted]

    # For rules.

    def tags_alike(self, photo_id: bytes) -> frozenset[str]:
        """The words of a photo and of all that it is like, as they are compared."""
        rows = self._db.rows(
            f"{ALIKE} SELECT tag FROM tags JOIN alike USING (photo_id)",  # noqa: S608
            photo_id,
        )
        return frozenset(names.folded(row[0]) for row in rows)

    def sensitivity_alike(self, photo_id: bytes) -> str:
        """The highest that was said of a photo or of what it is like."""
        rows = self._db.rows(
            f"{ALIKE} SELECT sensitivity FROM sensitivities JOIN alike USING (photo_id)",  # noqa: S608
            photo_id,
        )
        return max((row[0] for row in rows), key=SENSITIVITIES.index, default=UNSAID)


def _tag(word: str) -> str:
    if word != names.album_name(word):
        raise BadRequestError(
            f"a tag is one line of at most {names.MAX_ALBUM_CHARS} characters, without slashes"
        )
    return word
