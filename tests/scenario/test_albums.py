"""A family keeps an album: real daemons, that end, are killed and come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.node.views_albums import AlbumDetails

from .household import Household, Person, is_well, sha256, together
from .pictures import noise, picture

ALBUM = "Summer"


def shows(person: Person, fits: Callable[[AlbumDetails], bool]) -> AlbumDetails:
    """The album as soon as it fits; until it is heard of it is asked for again."""

    def known(found: AlbumDetails | None) -> bool:
        return found is not None and fits(found)

    async def ask(node: Node) -> AlbumDetails | None:
        found = [each for each in await node.album_list() if each.name == ALBUM]
        return await node.album_show(found[-1].id) if found else None

    details = person.until(ask, known)
    assert details is not None
    return details


def here(*photos: str) -> Callable[[AlbumDetails], bool]:
    """Whether these photos are on the machine."""

    def fits(found: AlbumDetails) -> bool:
        states = {photo.id: photo.state for photo in found.photos}
        return all(states.get(photo) == "here" for photo in photos)

    return fits


def add(person: Person, *paths: Path) -> list[str]:
    items = person.ask(lambda node: node.album_add(ALBUM, list(paths)))
    assert [item.state for item in items] == ["added"] * len(paths)
    ids = {item.file: item.photo_id or "" for item in items}  # they come as they are done
    return [ids[str(path)] for path in paths]


def let_in(admin: Person, *people: Person, role: str = "contributor") -> None:
    for person in people:
        name = person.name
        admin.ask(lambda node, name=name: node.album_invite(ALBUM, name, role=role))
        shows(person, lambda found: found.album.state == "invited")
        person.ask(lambda node: node.album_join(ALBUM))


@pytest.fixture
def family(household: Household) -> tuple[Person, Person, Person]:
    """Anna, Bob and Carol, who all know each other; the album is Anna's, Bob an admin."""
    anna, bob, carol = (household.person(name) for name in ("Anna", "Bob", "Carol"))
    together(anna.make, bob.make, carol.make)
    for host, guest in ((anna, bob), (anna, carol), (bob, carol)):
        household.introduce(host, guest)
    anna.ask(lambda node: node.album_create(ALBUM, metadata="original"))
    let_in(anna, bob, role="admin")
    let_in(anna, carol)
    return anna, bob, carol


@pytest.mark.timeout(600)
def test_a_family_s_album_lives_through_kills_removal_and_leaving(
    family: tuple[Person, Person, Person], tmp_path: Path
) -> None:
    anna, bob, carol = family
    paths = [picture(tmp_path / f"{number}.jpg", number) for number in range(3)]
    large = noise(tmp_path / "large.bin", 3_000_000, 9)
    first = add(anna, paths[0], large)
    second = add(carol, paths[1])
    for person in family:
        shows(person, here(*first, *second))
    assert sha256(bob.exported(second[0], tmp_path / "bob")) == sha256(paths[1])
    assert sha256(carol.exported(first[1], tmp_path / "carol")) == sha256(large)

    # A machine loses its power, and another one is off meanwhile.
    bob.kill()
    carol.stop()
    third = add(anna, paths[2])
    anna.ask(lambda node: node.album_rotate(ALBUM))
    bob.start()
    shows(bob, here(*third))
    anna.kill()
    carol.start()
    shows(carol, here(*third))  # of Bob, with a key that Anna made
    anna.start()

    # Carol is taken out while she is away: the others go on.
    carol.stop()
    bob.ask(lambda node: node.album_remove(ALBUM, "Carol"))
    later = add(bob, picture(tmp_path / "later.jpg", 7))
    shows(anna, here(*later))
    carol.start()
    out = shows(carol, lambda found: found.album.state == "removed")
    assert here(*first, *second, *third)(out)
    assert not {photo.id for photo in out.photos} & set(later)

    # Bob leaves.
    bob.ask(lambda node: node.album_leave(ALBUM))
    left = shows(anna, lambda found: len(found.members) == 1 and found.album.due is None)
    assert left.album.role == "owner"
    for person in family:
        is_well(person)
