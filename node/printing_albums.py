"""What the commands about albums that several people keep print; see `printing`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .printing import Output, size

if TYPE_CHECKING:
    from .views_albums import (
        AlbumAct,
        AlbumDetails,
        AlbumFork,
        AlbumItem,
        AlbumLogEntry,
        AlbumMember,
        AlbumPhotoItem,
        AlbumSummary,
    )

_ME: Final = "me"
_ID: Final = 8
"""Digits of an id that people are shown and type."""
_ROLES: Final = {
    "owner": "its owner",
    "admin": "an admin",
    "contributor": "a contributor",
    "viewer": "a viewer",
}
_MAY: Final = {
    "admin": "They add photos, let people in and take them out.",
    "contributor": "They add photos and comment.",
    "viewer": "They see the photos and comment.",
}
_DUE: Final = {
    "removal": "Somebody was taken out who knows the key, so it has to change.",
    "merge": "Two admins changed the key at the same time, so it has to change once more.",
    "age": "The key is old enough to be changed.",
    "newcomers": "The key is to be given to devices that came.",
}
_PHOTO_STATES: Final = {
    "away": "let go here",
    "coming": "on its way",
    "no-key": "its key is not here",
    "hidden": "hidden here",
    "refused": "refused: it was not what was promised",
}


def listed(out: Output, found: Sequence[AlbumSummary], *, left: int = 0) -> None:
    """Albums, and what waits; `left` counts those that are not shown."""
    if out.as_json:
        for each in found:
            out.value(each)
        return
    if not found:
        out.say(
            "You keep no album with others yet. `kinlight album create NAME` founds one;"
            " `kinlight albums` lists those of your library."
        )
        _left_out(out, left)
        return
    rows = [
        (
            each.id[:_ID],
            _name(each),
            _person(each.owner),
            _standing_word(each),
            f"{each.members}",
            f"{each.photos}, {each.here} here",
        )
        for each in found
    ]
    out.table(("id", "album", "owner", "you", "members", "photos"), rows)
    invitations(out, found)
    for each in found:
        for line in _key_lines(each):
            out.say(f"{_name(each)}: {line}", style="yellow")
    _left_out(out, left)


def _left_out(out: Output, left: int) -> None:
    if left:
        count = _count(left, "album")
        out.say(f"{count} that you are no longer in: `kinlight album list --left`.", style="dim")


def invitations(out: Output, found: Sequence[AlbumSummary]) -> None:
    """The albums that wait for somebody here, for people."""
    for each in found:
        if each.state == "invited" and not out.as_json:
            out.say(_invitation(each), style="green")


def album(out: Output, found: AlbumSummary) -> None:
    """An album in short."""
    if out.as_json:
        out.value(found)
        return
    out.say(f"{_name(found)}, {found.id[:_ID]}: {_counts(found)}.", style="bold")
    out.say(f"{_standing(found)} {_form(found)} {_history(found)}")
    for line in _key_lines(found):
        out.say(line, style="yellow")


def created(out: Output, made: AlbumSummary, *, twin: bool = False) -> None:
    """An album that was founded, and what to do next; `twin` if another has that name."""
    album(out, made)
    if not out.as_json:
        named = shlex.quote(_name(made))
        if twin:
            out.say(
                f"Another album is called {_name(made)}, too: say {made.id[:_ID]} for this one."
            )
            named = made.id[:_ID]
        out.say(
            f"`kinlight album add {named} PATH` adds photos, `kinlight album invite {named} NAME`"
            " lets a contact in."
        )


def shown(out: Output, found: AlbumDetails) -> None:
    """All of an album."""
    if out.as_json:
        out.value(found)
        return
    album(out, found.album)
    rows = [_member(each) for each in found.members]
    out.table(("member", "role", "devices", ""), rows)
    if sum(each.seniority is not None for each in found.members) > 1:
        seniors = sorted(found.members, key=lambda each: each.seniority or 0)
        order = [_person(each.name) for each in seniors if each.seniority is not None]
        out.say(f"Admins by seniority: {', '.join(order)}. None can take out one before them.")
    for fork in found.forks:
        out.say(_fork(found.album, fork), style="yellow")
    for each in found.photos:
        _photo(out, found.album, each)
    if len(found.photos) < found.album.photos:
        out.say(f"There are more than these {len(found.photos)}: `--limit` shows more of them.")
    out.say(f"Rules call its members {found.album.attribute}, with their role.", style="dim")


def log(out: Output, entries: Sequence[AlbumLogEntry]) -> None:
    """What admins did."""
    for entry in entries:
        if out.as_json:
            out.value(entry)
            continue
        acts = "; ".join(_act(act, entry.by) for act in entry.acts)
        out.say(f"{times.shown(entry.time)}  {_person(entry.by)} {acts}")
        if entry.fork is not None:
            out.say(
                f"    A fork: the same device wrote {entry.fork[:_ID]}, and neither knows the"
                " other. It was copied, or it lies.",
                style="yellow",
            )
        if not entry.counts:
            reason = names.shown(entry.message or entry.code or "")
            out.say(f"    This does not count. {reason}", style="yellow")


def invited(out: Output, found: AlbumDetails, contact: str) -> None:
    """Somebody was let in, or has another role."""
    if out.as_json:
        out.value(found)
        return
    wanted = names.folded(contact)
    for member in found.members:
        if names.folded(member.name) == wanted:
            sees = "all photos in it" if found.album.history == "all" else "what is added from now"
            out.say(
                f"{_person(member.name)} is {_ROLES[member.role]} of {_name(found.album)}."
                f" {_MAY.get(member.role, '')} Who comes now sees {sees}."
            )
            out.say("They take part once they join: `kinlight album join` there.")


def joined(out: Output, found: AlbumSummary) -> None:
    """This node takes part."""
    album(out, found)
    if not out.as_json:
        out.say("Its photos come from whichever member is here and has them.")


def left(out: Output, found: AlbumSummary) -> None:
    """This node takes part no longer."""
    if out.as_json:
        out.value(found)
        return
    out.say(_standing(found))


def rotated(out: Output, found: AlbumSummary) -> None:
    """The key was changed."""
    if out.as_json:
        out.value(found)
        return
    out.say(
        f"{_name(found)} has another key from now on. Members get it as they are here; what was"
        " added before stays under the keys of before."
    )


def removed(out: Output, found: AlbumDetails, who: str) -> None:
    """Somebody was taken out, and what that does not do."""
    if out.as_json:
        out.value(found)
        return
    out.say(
        f"{names.shown(who)} is out of {_name(found.album)}, and its key has changed: what is added"
        " from now on does not open there. What was there before they keep."
    )


def item(out: Output, added: AlbumItem) -> None:
    """A photo that was or was not added; people read only of what failed."""
    if out.as_json:
        out.value(added)
    elif added.state == "failed":
        reason = names.shown(added.message or added.code or "")
        out.say(f"✗ {names.shown(added.name)}: {reason}", style="red")


def added(out: Output, items: Sequence[AlbumItem]) -> None:
    """What adding came to, for people: how many, their ids, and what they tell no more."""
    if out.as_json:
        return
    for each in items:
        if each.state != "failed":
            says = {"present": " (was in it)", "waiting": " (waits)"}.get(each.state, "")
            out.say(f"{(each.photo_id or '')[:_ID]}  {names.shown(each.name)}{says}")
    counts = Counter(each.state for each in items)
    words = [
        f"{counts[state]} {word}"
        for state, word in (
            ("added", "added"),
            ("present", "in it already"),
            ("waiting", "waiting for the album's key"),
            ("failed", "failed"),
        )
        if counts[state]
    ]
    out.say(", ".join(words) + ".")
    if counts["waiting"]:
        out.say("They are added by themselves as soon as the key is here.", style="yellow")
    left_out = list(dict.fromkeys(word for each in items for word in each.left_out))
    if left_out:
        out.say(f"Left out: {', '.join(left_out)}.")


def said(out: Output, found: AlbumDetails, photo: str) -> None:
    """A photo, after something was said of it."""
    if out.as_json:
        out.value(found)
        return
    about = _of(found, photo)
    if about is None:  # beyond those that are shown
        out.say("Done.")
    else:
        _photo(out, found.album, about)


def hidden(out: Output, found: AlbumDetails, photo: str) -> None:
    """A photo that was deleted for this node alone, or is wanted again."""
    if out.as_json:
        out.value(found)
        return
    about = _of(found, photo)
    if about is not None and about.state != "hidden":
        out.say("It is wanted again, and comes as long as a member has it.")
    elif about is not None and about.by == _ME:
        out.say("It is hidden here. It is yours, so it stays in your library, and with the others.")
    else:
        out.say("It is deleted here, unless it came another way, too. The others keep it.")


def asked(out: Output, found: AlbumDetails, photo: str) -> None:
    """All were asked to delete a photo."""
    said(out, found, photo)
    if not out.as_json:
        out.say(
            "All members are asked. Nothing was deleted by that: each decides for themselves, and"
            " nobody can know who does."
        )


def _of(found: AlbumDetails, photo: str) -> AlbumPhotoItem | None:
    digits = photo.strip().lower()
    return next((each for each in found.photos if each.id.startswith(digits)), None)


def _name(found: AlbumSummary) -> str:
    return names.shown(found.name) if found.name else f"album {found.id[:_ID]}"


def _person(name: str) -> str:
    return "you" if name == _ME else names.shown(name)


def _people(found: Sequence[str]) -> str:
    return ", ".join(map(_person, found))


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _counts(found: AlbumSummary) -> str:
    members, photos = _count(found.members, "member"), _count(found.photos, "photo")
    return f"{members}, {photos}, {found.here:,} of them here"


def _standing_word(found: AlbumSummary) -> str:
    if found.state == "joined":
        return found.role or ""
    return {"invited": "asked to join", "left": "left", "removed": "taken out"}[found.state]


def _standing(found: AlbumSummary) -> str:
    """How this node stands to it, in a sentence."""
    owner = "" if found.owner == _ME else f" It was founded by {_person(found.owner)}."
    match found.state:
        case "invited":
            return _invitation(found)
        case "left" if found.role is not None and found.members > 1:
            return (
                f"You asked to be taken out of {_name(found)}: an admin's node does it as soon as"
                " it hears of it. What came stays here."
            )
        case "left":
            return f"You left {_name(found)}. What came stays here."
        case "removed":
            return "You were taken out. What came stays here, and nothing more comes."
        case _:
            return f"You are {_ROLES.get(found.role or '', 'in it')}.{owner}"


def _invitation(found: AlbumSummary) -> str:
    by, begins = _person(found.invited_by or found.owner), found.id[:_ID]
    role = _ROLES.get(found.role or "", "a member")
    return (
        f"{by} lets you into {_name(found)} as {role}. `kinlight album join {begins}` takes part,"
        f" `kinlight album leave {begins}` declines."
    )


def _form(found: AlbumSummary) -> str:
    if found.max_px is not None:
        return f"Photos are added as copies of at most {found.max_px} pixels a side."
    kinds = {"original": "as they are", "no-location": "without their place"}
    return f"Photos are added {kinds.get(found.metadata, 'as clean copies')}."


def _history(found: AlbumSummary) -> str:
    if found.history == "all":
        return "Who comes later sees what was there before."
    return "Who comes later sees nothing of what was there before."


def _key_lines(found: AlbumSummary) -> list[str]:
    """Whether something is to be done for the key, and by whom."""
    if found.state != "joined":
        return []
    if found.due is not None:
        why = _DUE.get(found.due, "The key has to change.")
        now = f"`kinlight album rotate {found.id[:_ID]}` does it now."
        return [f"{why} Your node or that of a more senior admin does it; {now}"]
    if found.key == "due":
        return ["The key has to change before anything is added: an admin's node does that."]
    if found.key == "coming":
        return ["The key was changed, and the new one has not come here yet."]
    return []


def _member(found: AlbumMember) -> tuple[str, str, str, str]:
    says: list[str] = []
    if found.name == found.fingerprint:
        says.append("no contact of yours")
    if found.leaving:
        says.append("asked to be taken out")
    if found.keyless:
        which = ", ".join(device[:_ID] for device in found.keyless)
        says.append(f"not given the newest key yet: {which}")
    devices = ", ".join(device[:_ID] for device in found.devices)
    return _person(found.name), found.role, devices, "; ".join(says)


def _fork(found: AlbumSummary, fork: AlbumFork) -> str:
    whose = "Your" if fork.by == _ME else f"{names.shown(fork.by)}'s"
    device = fork.device[:_ID]
    return (
        f"{whose} device {device} wrote two things of which neither knows the other: it was copied,"
        " or it lies. All that it wrote counts as before;"
        f" `kinlight album remove {found.id[:_ID]} --device {device}` takes it out."
    )


def _photo(out: Output, found: AlbumSummary, photo: AlbumPhotoItem) -> None:
    """One photo and what is said of it. Whatever a member wrote stands behind their name."""
    begins = photo.id[:_ID]
    words = [f"by {_person(photo.by)}", times.shown(photo.added)]
    if photo.bytes is not None:
        words.append(size(photo.bytes))
    if photo.state == "coming" and found.state != "joined":
        words.append("not here")
    elif photo.state in _PHOTO_STATES:
        words.append(_PHOTO_STATES[photo.state])
    if photo.preview and photo.state == "coming":
        words.append("can be previewed")
    if photo.cover:
        words.append("the cover")
    out.say(f"{begins}  {names.shown(photo.name or 'a photo')}, {', '.join(words)}")
    if photo.caption is not None:
        out.say(f"    “{names.shown(photo.caption)}”")
    if photo.favourite_of:
        out.say(f"    A favourite of {_people(photo.favourite_of)}.")
    if photo.comments_left_out:
        out.say(f"    {_count(photo.comments_left_out, 'older comment')} not shown.", style="dim")
    for comment in photo.comments:
        text = "(its key is not here)" if comment.text is None else names.shown(comment.text)
        out.say(f"    {_person(comment.by)}, {times.shown(comment.time)}: {text}")
    if photo.original_asked_by:
        mine = photo.by == _ME
        line = f"    Asked for its original by {_people(photo.original_asked_by)}."
        if mine:
            line += f" `kinlight album give-original {found.id[:_ID]} {begins} NAME` gives it."
        out.say(line, style="yellow" if mine else "")
    if photo.delete_asked_by:
        others = [name for name in photo.delete_asked_by if name != _ME]
        verb = "ask" if len(photo.delete_asked_by) > 1 or not others else "asks"
        line = f"    Request: {_people(photo.delete_asked_by)} {verb} all to delete it."
        if others and photo.state != "hidden":
            line += f" `kinlight album hide {found.id[:_ID]} {begins}` does so here."
        out.say(line, style="yellow")


def _act(act: AlbumAct, by: str) -> str:
    who = "" if act.who is None else _person(act.who)
    device = (act.device or "")[:_ID]
    match act.what:
        case "create":
            return "founded the album"
        case "member":
            return f"made {who} {_ROLES.get(act.role or '', act.role or '')}"
        case "device":
            return f"let in device {device} of {who}"
        case "remove" if act.who == by:
            return "left"
        case "remove":
            return f"took {who} out"
        case "drop":
            return f"took device {device} out"
        case "epoch":
            return "changed the key"
        case "wraps":
            return "gave the key to devices that came"
        case "tier":
            return "changed the form of photos"
        case _:
            name = "(its key is not here)" if act.value is None else names.shown(act.value)
            return f"named it {name}"
