"""The owner's rules as text: TOML that a person can read and edit.

    [[rule]]
    name = "the club sees small pictures"
    effect = "allow"
    actions = ["view"]
    attributes = { role = ["club"] }
    attested_by = ["me", "anna"]
    photo = { albums = ["Summer"], has_faces = false, sensitivity = ["low", "normal"] }
    context = { from = "08:00", until = "22:00", networks = ["lan"] }
    rendition = { max_px = 2048, location = "removed" }

Whatever isn't understood is an error that names the rule and the field: a rule that is left out
by mistake would be worse than none.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from . import limits
from .attributes import NAME
from .errors import BadPolicyError
from .policy import ACTIONS, NETWORKS, SENSITIVITIES, Rule
from .rendition import ORIGINAL, Rendition

ME: Final = "me"
"""How the owner's own identity is called in the text."""

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_CONTROLS: Final = ("Cc", "Cs", "Zl", "Zp")
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse(text: str, names: Mapping[str, bytes]) -> tuple[Rule, ...]:
    """The rules that `text` holds, in its order. Raises `BadPolicyError`.

    `names` says which keys `me` and other names stand for; a key may also be 64 hex digits.
    """
    if len(text.encode("utf-8", "replace")) > limits.POLICY_BYTES:
        raise BadPolicyError(f"more than {limits.POLICY_BYTES} bytes")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicyError(f"not TOML: {error}".replace("\n", " ")) from None
    except (RecursionError, ValueError):  # nested too deep, a number too long
        raise BadPolicyError("not TOML") from None
    table = _Table(document, "", names)
    found = cast("list[object]", table.take("rule", list) or [])
    table.end()
    if len(found) > limits.POLICY_RULES:
        raise BadPolicyError(f"more than {limits.POLICY_RULES} rules")
    rules: list[Rule] = []
    for number, item in enumerate(found, 1):
        rule = _rule(number, item, names)
        if any(rule.name == other.name for other in rules):
            raise BadPolicyError(f"rule {number}: name: there are two rules of this name")
        rules.append(rule)
    return tuple(rules)


def write(rules: Iterable[Rule], names: Mapping[str, bytes]) -> str:
    """The text of rules; what `parse` makes of it is the same rules."""
    called: dict[bytes, str] = {}
    for name, key in names.items():
        called.setdefault(key, name)
    return "\n".join(_write_rule(rule, called) for rule in rules)


# Reading.


class _Table:
    """Takes the fields of a TOML table one by one; what is left at the end is an error."""

    def __init__(self, fields: dict[str, Any], where: str, names: Mapping[str, bytes]) -> None:
        self._fields = dict(fields)
        self._where = where
        self.names = names

    def fault(self, field: str, complaint: str) -> BadPolicyError:
        """An error that says where."""
        return BadPolicyError(f"{self._where}{field}: {complaint}")

    def take(self, field: str, kind: type) -> Any:
        """The field, or None where it isn't; it must be of this very type."""
        found = self._fields.pop(field, None)
        if found is not None and type(found) is not kind:
            raise self.fault(field, f"not a {_TYPES[kind]}")
        return found

    def table(self, field: str) -> _Table:
        """A table inside; an empty one where there is none."""
        return _Table(self.take(field, dict) or {}, f"{self._where}{field}.", self.names)

    def text(self, field: str) -> str | None:
        """Some text, short and without control characters."""
        found = self.take(field, str)
        return None if found is None else self._checked(field, found)

    def one_of(self, field: str, allowed: Iterable[str], default: str) -> str:
        """One of a few words."""
        found = self.text(field)
        if found is not None and found not in allowed:
            raise self.fault(field, f"one of {', '.join(allowed)}")
        return found or default

    def texts(self, field: str, allowed: Iterable[str] | None = None) -> frozenset[str] | None:
        """A list of texts, each once."""
        found = self.take(field, list)
        if found is None:
            return None
        items = cast("list[object]", found)
        if not 1 <= len(items) <= limits.POLICY_ITEMS:
            raise self.fault(field, f"1 to {limits.POLICY_ITEMS} items")
        for item in items:
            text = self._checked(field, item)
            if allowed is not None and text not in allowed:
                raise self.fault(field, f"each one of {', '.join(allowed)}")
        if len(set(items)) != len(items):
            raise self.fault(field, "an item twice")
        return frozenset(cast("list[str]", items))

    def keys(self, field: str) -> frozenset[bytes] | None:
        """A list of names that stand for keys."""
        found = self.texts(field)
        return None if found is None else frozenset(self._key(field, name) for name in found)

    def _key(self, field: str, name: str) -> bytes:
        if name in self.names:
            return self.names[name]
        if not _KEY.fullmatch(name):
            raise self.fault(field, f"nobody is called {json.dumps(name)}")
        return bytes.fromhex(name)

    def minute(self, field: str) -> int | None:
        """A time of day in minutes."""
        found = self.text(field)
        if found is None:
            return None
        match = _TIME.fullmatch(found)
        if match is None:
            raise self.fault(field, 'a time looks like "08:30"')
        return 60 * int(match[1]) + int(match[2])

    def left(self) -> list[str]:
        """The names of the fields that nobody took."""
        return list(self._fields)

    def end(self) -> None:
        """Refuse what isn't known."""
        for field in self._fields:
            raise self.fault(json.dumps(field[:40]).strip('"'), "there is no such field")

    def _checked(self, field: str, found: object) -> str:
        if not isinstance(found, str):
            raise self.fault(field, "not a text")
        if any(unicodedata.category(char) in _CONTROLS for char in found):
            raise self.fault(field, "control characters in it")
        if not 1 <= len(found.encode()) <= limits.POLICY_TEXT_BYTES:
            raise self.fault(field, f"1 to {limits.POLICY_TEXT_BYTES} bytes")
        return found


_TYPES: Final[dict[type, str]] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    list: "list",
    dict: "table",
    datetime.date: "day like 2027-01-31",
}


def _rule(number: int, item: object, names: Mapping[str, bytes]) -> Rule:
    if not isinstance(item, dict):
        raise BadPolicyError(f"rule {number}: not a table")
    fields = cast("dict[str, Any]", item)
    name = _Table(fields, f"rule {number}: ", names).text("name")
    if name is None:
        raise BadPolicyError(f"rule {number}: name: it has none")
    table = _Table(fields, f"rule {json.dumps(name, ensure_ascii=False)}: ", names)
    table.take("name", str)
    effect = table.text("effect")
    if effect not in ("allow", "deny"):
        raise table.fault("effect", "allow or deny")
    photo, context = table.table("photo"), table.table("context")
    attributes = _attributes(table.table("attributes"))
    attested_by = table.keys("attested_by")
    if attributes and attested_by is None:
        if ME not in names:
            raise table.fault("attested_by", "nobody is named")
        attested_by = frozenset([names[ME]])
    elif attested_by and not attributes:
        raise table.fault("attested_by", "there are no attributes")
    first, last = (context.take(field, datetime.date) for field in ("first_day", "last_day"))
    if first is not None and last is not None and last < first:
        raise context.fault("last_day", "before first_day")
    rule = Rule(
        name,
        effect == "allow",
        table.texts("actions", ACTIONS),
        attributes,
        attested_by or frozenset(),
        photo.texts("albums"),
        photo.texts("tags"),
        photo.take("has_faces", bool),
        photo.take("has_location", bool),
        photo.texts("sensitivity", SENSITIVITIES),
        _hours(context),
        first,
        last,
        context.texts("networks", NETWORKS),
        context.keys("devices"),
        context.take("fresh_factor", bool),
        _rendition(table.table("rendition"), allow=effect == "allow"),
    )
    for part in (photo, context, table):
        part.end()
    return rule


def _attributes(table: _Table) -> tuple[tuple[str, frozenset[str]], ...]:
    found: list[tuple[str, frozenset[str]]] = []
    for name in sorted(table.left()):
        if not NAME.fullmatch(name) or len(name) > limits.ATTRIBUTE_NAME_BYTES:
            raise table.fault(json.dumps(name[:40]).strip('"'), "not an attribute's name")
        found.append((name, table.texts(name) or frozenset()))
    if len(found) > limits.POLICY_ITEMS:
        raise table.fault("", f"more than {limits.POLICY_ITEMS}")
    return tuple(found)


def _hours(table: _Table) -> tuple[int, int] | None:
    start, end = table.minute("from"), table.minute("until")
    if start is None and end is None:
        return None
    if start is None or end is None or start == end:
        raise table.fault("from", "goes with an until at another time")
    return start, end


def _rendition(table: _Table, *, allow: bool) -> Rendition:
    max_px = table.take("max_px", int)
    if max_px is not None and not 1 <= max_px <= limits.RENDITION_PX:
        raise table.fault("max_px", f"1 to {limits.RENDITION_PX}")
    faces = table.one_of("faces", ("shown", "hidden"), "shown")
    location = table.one_of("location", ("kept", "removed"), "kept")
    watermark = table.take("watermark", bool)
    table.end()
    found = Rendition(max_px, faces == "hidden", location == "removed", bool(watermark))
    if found != ORIGINAL and not allow:
        raise table.fault("", "a rule that denies gives no rendition")
    return found


# Writing.


def _write_rule(rule: Rule, called: Mapping[bytes, str]) -> str:
    def keys(found: Iterable[bytes] | None) -> list[str] | None:
        return None if found is None else [called.get(key, key.hex()) for key in found]

    hours = [f"{minute // 60:02}:{minute % 60:02}" for minute in rule.hours or ()] or [None, None]
    rendition = rule.rendition
    fields: dict[str, object] = {
        "name": rule.name,
        "effect": "allow" if rule.allow else "deny",
        "actions": rule.actions,
        "attributes": dict(rule.attributes),
        "attested_by": keys(rule.attested_by or None),
        "photo": {
            "albums": rule.albums,
            "tags": rule.tags,
            "has_faces": rule.has_faces,
            "has_location": rule.has_location,
            "sensitivity": rule.sensitivity,
        },
        "context": {
            "from": hours[0],
            "until": hours[1],
            "first_day": rule.first_day,
            "last_day": rule.last_day,
            "networks": rule.networks,
            "devices": keys(rule.devices),
            "fresh_factor": rule.fresh_factor,
        },
        "rendition": {
            "max_px": rendition.max_px,
            "faces": "hidden" if rendition.faces_hidden else None,
            "location": "removed" if rendition.location_removed else None,
            "watermark": rendition.watermarked or None,
        },
    }
    lines = [f"{name} = {_write(value)}" for name, value in fields.items() if _said(value)]
    return "\n".join(["[[rule]]", *lines, ""])


def _said(value: object) -> bool:
    if isinstance(value, dict):
        return any(_said(item) for item in cast("dict[str, object]", value).values())
    return value is not None


def _write(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime.date():
            return value.isoformat()
        case dict():
            fields = cast("dict[str, object]", value).items()
            said = [f"{name} = {_write(item)}" for name, item in fields if _said(item)]
            return f"{{ {', '.join(said)} }}"
        case _:
            items = sorted(cast("Iterable[str]", value))
            return f"[{', '.join(_write(item) for item in items)}]"
