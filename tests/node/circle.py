"""Nodes that keep albums together."""

from __future__ import annotations

from pathlib import Path

from kinlight.node.album_shelf import SharedAlbum
from kinlight.node.views_albums import AlbumItem, AlbumPhotoItem

from .nodes import TestedNode

ALBUM = "Summer"


def found(node: TestedNode, album: str = ALBUM, history: str = "all") -> SharedAlbum:
    """An album that takes whatever the tests call a picture."""
    node.engine.albums.create(album, metadata="original", history=history)
    return album_of(node, album)


async def added(node: TestedNode, *paths: Path, album: str = ALBUM) -> list[AlbumItem]:
    """What became of files that were to be added."""
    steps = node.engine.albums.add(album, paths=list(paths))
    return [step async for step in steps if isinstance(step, AlbumItem)]


async def added_one(node: TestedNode, path: Path, album: str = ALBUM) -> str:
    """The id of a photo that was added."""
    (item,) = await added(node, path, album=album)
    assert item.state == "added", item.message
    return item.photo_id or ""


def album_of(node: TestedNode, album: str = ALBUM) -> SharedAlbum:
    return node.engine.albums.find(album)


def key_of(node: TestedNode, album: str = ALBUM) -> bytes:
    """The id of the key under which photos are added now."""
    safe = album_of(node, album).album.authority.safe_epochs()
    return safe[0][1].key_id if safe else b""


def knows(node: TestedNode, album: str = ALBUM) -> bool:
    """Whether the album is here by its name."""
    return any(each.name == album for each in node.engine.albums.all())


def state(node: TestedNode, album: str = ALBUM) -> str | None:
    states = [each.state for each in node.engine.albums.all() if each.name == album]
    return states[-1] if states else None


def photos(node: TestedNode, album: str = ALBUM) -> dict[str, AlbumPhotoItem]:
    return {each.id: each for each in node.engine.albums.show(album).photos}


def has(node: TestedNode, photo: str, album: str = ALBUM) -> bool:
    """Whether a photo of the album is on this machine."""
    found = photos(node, album).get(photo)
    return found is not None and found.state == "here"


def roles(node: TestedNode, album: str = ALBUM) -> dict[str, str]:
    return {each.name: each.role for each in node.engine.albums.show(album).members}


async def let_in(
    admin: TestedNode, member: TestedNode, role: str = "contributor", album: str = ALBUM
) -> None:
    """Invite somebody, who joins."""
    admin.engine.albums.invite(album, member.name, role=role)
    await member.until(lambda: state(member, album) == "invited")
    member.engine.albums.join(album)
