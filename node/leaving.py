"""One line of what leaves, for whoever shares.

Leaves: the picture, time, camera. Left out: place, maker notes, thumbnail, clip.
Leaves: the files as they are, with place, time and camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from . import names

if TYPE_CHECKING:
    from .views_sharing import ShareItem


def line(items: Iterable[ShareItem]) -> str | None:
    """What leaves with these items, all together; None if nothing does."""
    by_policy: dict[str, list[ShareItem]] = {}
    for item in items:
        if item.policy is not None and item.state != "failed":
            by_policy.setdefault(item.policy, []).append(item)
    parts = [_part(policy, each) for policy, each in by_policy.items()]
    if not parts:
        return None
    if len(parts) == 1:
        return f"Leaves: {parts[0]}"
    whom = (_list(list(dict.fromkeys(i.to for i in each))) for each in by_policy.values())
    return " ".join(
        f"For {names.shown(to)} leaves: {part}" for to, part in zip(whom, parts, strict=True)
    )


def _part(policy: str, items: Sequence[ShareItem]) -> str:
    many = len({item.file for item in items}) > 1
    them = "them" if many else "it"
    leaves = [
        word.replace("whatever is in it", f"whatever is in {them}")
        for word in _words(item.leaves for item in items)
    ]
    if policy == "original":
        what = "the files as they are" if many else "the file as it is"
        return f"{what}, with {_list(leaves)}." if leaves else f"{what}."
    left_out = _words(item.left_out for item in items)
    what = ", ".join(["the pictures" if many else "the picture", *leaves])
    return f"{what}. Left out: {', '.join(left_out) or f'nothing, there was no place in {them}'}."


def _words(lists: Iterable[Sequence[str]]) -> list[str]:
    # What was left out is told by the process that had the picture open.
    return list(dict.fromkeys(names.shown(word) for each in lists for word in each))


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
