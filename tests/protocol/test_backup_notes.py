"""Notes and albums in a backup: cut, joined again, and judged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.protocol.backup_notes import (
    PART_BYTES,
    AlbumBackup,
    AlbumNotes,
    ContactNotes,
    MarkNotes,
    Notes,
    NotesBackup,
    Part,
    cut_album,
    join_albums,
    newest_notes,
)

PHONE, LAPTOP = b"phone", b"laptop"
ALBUM = b"a" * 16
PEOPLE = [SigningKey(Secret(bytes([number]) * 32)).public for number in range(4)]

ids = st.binary(min_size=16, max_size=16)
short = st.text(max_size=20)
contact_notes = st.builds(
    ContactNotes,
    st.sampled_from(["ask", "always"]),
    st.sampled_from(["original", "no-location", "clean"]),
    st.booleans(),
)
album_notes = st.builds(
    AlbumNotes,
    st.sampled_from(PEOPLE),
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=3).map(
        lambda keys: tuple(map(Secret, sorted(keys)))
    ),
    st.frozensets(ids, max_size=3),
)
all_notes = st.builds(
    Notes,
    st.dictionaries(ids, st.lists(short, max_size=3).map(tuple), max_size=5),
    st.dictionaries(ids, st.sampled_from(["low", "normal", "high"]), max_size=5),
    st.dictionaries(short, st.lists(ids, min_size=1, max_size=4).map(tuple), max_size=3),
    short,
    short,
    st.dictionaries(st.sampled_from(PEOPLE), contact_notes, max_size=4),
    st.dictionaries(ids, album_notes, max_size=3),
    st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=3).map(
        lambda keys: tuple(map(Secret, sorted(keys)))
    ),
    st.dictionaries(
        st.binary(min_size=6, max_size=6),
        st.builds(MarkNotes, ids, st.sampled_from(PEOPLE), st.integers(0, 2**63 - 1)),
        max_size=3,
    ),
)
NOTHING = Notes({}, {}, {}, "", "", {}, {})


def tagged(tag: str) -> Notes:
    return Notes({bytes(16): (tag,)}, {}, {}, "", "", {}, {})


def parts(notes: Notes, time: int, device: bytes = PHONE) -> list[Part]:
    return [Part(device, time, part) for part in notes.parts()]


@settings(max_examples=50)
@given(all_notes)
def test_notes_read_back_as_they_are(notes: Notes) -> None:
    assert Notes.decode(notes.encode()) == notes
    assert newest_notes(parts(notes, 1)) == notes


def test_of_several_the_latest_whole_counts_and_a_later_one_that_is_not_whole_does_not() -> None:
    large = Notes(
        {number.to_bytes(16): ("x" * 100,) for number in range(1_000)}, {}, {}, "", "", {}, {}
    )
    assert len(large.parts()) > 1
    found = [*parts(tagged("old"), 1), *parts(tagged("new"), 2), *parts(large, 3)[:-1]]
    for order in (found, found[::-1]):
        assert newest_notes(order) == tagged("new")
    assert newest_notes([*found, *parts(large, 3)]) == large
    assert newest_notes(parts(large, 3)[1:]) is None


def test_a_part_of_other_bytes_makes_no_whole() -> None:
    (true,) = tagged("sea").parts()
    false = NotesBackup(true.whole, 0, 1, tagged("lie").encode())
    assert newest_notes([Part(PHONE, 5, false)]) is None


def test_notes_of_a_later_version_are_passed_over() -> None:
    further = encoding.encode(["pinned", bytes(16)])
    data = tagged("sea").encode() + len(further).to_bytes(4) + further
    assert Notes.decode(data) == tagged("sea")


@pytest.mark.parametrize(
    "note",
    [
        ["tags", b"short", []],
        ["tags", bytes(16), [b"no text"]],
        ["sensitivity", bytes(16), "secret"],
        ["contact", bytes(32), "ask", "clean", 0],
        ["contact", PEOPLE[0], "never", "clean", 0],
        ["contact", PEOPLE[0], "ask", "dirty", 0],
        ["contact", PEOPLE[0], "ask", "clean", 2],
        ["shared", ALBUM, PEOPLE[0], 2**63],
        ["key", ALBUM, bytes(31)],
        ["in", "Mine", bytes(16), 0],
        ["mark-key", bytes(31)],
        ["mark", bytes(5), bytes(16), PEOPLE[0], 0],
        ["mark", bytes(6), bytes(16), bytes(32), 0],
        ["mark", bytes(6), bytes(16), PEOPLE[0], 2**63],
        [],
    ],
    ids=lambda note: str(note)[:40],
)
def test_a_note_that_is_none_spoils_the_whole_of_which_it_is_part(note: list[object]) -> None:
    encoded = encoding.encode(note)  # type: ignore[arg-type]
    with pytest.raises(KinlightError):
        Notes.decode(len(encoded).to_bytes(4) + encoded)


# Albums.


@settings(max_examples=30)
@given(st.lists(st.integers(0, 60_000), max_size=8))
def test_entries_of_any_length_are_cut_and_joined(lengths: list[int]) -> None:
    entries = [bytes([number]) * length for number, length in enumerate(lengths)]
    found = [Part(PHONE, 1, part) for part in cut_album(ALBUM, entries)]
    assert all(len(part.data) <= PART_BYTES for part in cut_album(ALBUM, entries))
    assert join_albums(found[::-1]).get(ALBUM, []) == entries


def test_what_is_added_changes_the_last_part_alone() -> None:
    entries = [bytes([number]) * 9_000 for number in range(30)]
    before, after = cut_album(ALBUM, entries[:-1]), cut_album(ALBUM, entries)
    assert before[:-1] == after[: len(before) - 1]
    found = [Part(PHONE, 1, part) for part in before] + [Part(PHONE, 2, part) for part in after]
    assert join_albums(found)[ALBUM] == entries


def test_of_a_missing_part_on_nothing_is_taken_and_two_devices_are_told_apart() -> None:
    entries = [bytes([number]) * 30_000 for number in range(5)]
    found = [Part(PHONE, 1, part) for part in cut_album(ALBUM, entries)]
    assert join_albums([found[0], *found[2:]])[ALBUM] == entries[:1]
    other = [Part(LAPTOP, 1, part) for part in cut_album(ALBUM, [b"other"])]
    assert sorted(join_albums([found[0], *other])[ALBUM]) == sorted([entries[0], b"other"])


def test_a_length_beyond_what_an_entry_may_have_ends_it() -> None:
    data = (2**31).to_bytes(4) + b"x"
    assert join_albums([Part(PHONE, 1, AlbumBackup(ALBUM, 0, data))])[ALBUM] == []
    assert newest_notes([]) is None
    assert newest_notes(parts(NOTHING, 1)) == NOTHING
