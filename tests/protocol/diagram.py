"""Draws the session table: `python -m tests.protocol.diagram` prints what channel.md shows."""

from __future__ import annotations

from collections.abc import Iterator

from kinlight.crypto.channel import Role
from kinlight.protocol.messages import Message
from kinlight.protocol.session import ALL_WORK, MOVES, State

ROLES: tuple[Role, ...] = ("dialer", "listener")


def diagram(role: Role) -> str:
    """One role's part of the table in Mermaid's language, in the order of the table."""
    lines = ["```mermaid", "stateDiagram-v2"]
    states = list(reached(role))
    lines += [f'    state "{state.value}" as {state.name}' for state in states]
    lines.append(f"    [*] --> {State.CHANNEL.name}")
    moves: dict[tuple[State, State], list[str]] = {}
    for (who, before, what), after in MOVES.items():
        if who == role and before in states:
            name = what if isinstance(what, str) else _name(what)
            names = moves.setdefault((before, after), [])
            if name not in names:
                names.append(name)
    lines += [
        f"    {before.name} --> {after.name}: {' or '.join(names)}"
        for (before, after), names in moves.items()
    ]
    lines += [f"    {State.ENDED.name} --> [*]", "```"]
    return "\n".join(lines)


def reached(role: Role) -> Iterator[State]:
    """The states that a session of that role can be in, nearest first."""
    found = [State.CHANNEL]
    for state in found:
        yield state
        for (who, before, _), after in MOVES.items():
            if who == role and before is state and after not in found:
                found.append(after)


def _name(message: type[Message]) -> str:
    return "work" if message in ALL_WORK else message.__name__


if __name__ == "__main__":
    print("\n\n".join(f"The {role}:\n\n{diagram(role)}" for role in ROLES))
