"""What is printed of faces; see `printing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import names
from .printing import Output

if TYPE_CHECKING:
    from .views_faces import AnonymisedFile, FaceItem

_RISKS: Final = {
    "low": "each was seen clearly; look at the copy all the same",
    "some": "not all were seen clearly, so some may be missing: look at the copy",
    "high": "no face was found, which does not say that there is none",
}


def anonymised(out: Output, found: AnonymisedFile) -> None:
    """A picture and its faces, and the copy in which they are hidden."""
    if out.as_json:
        out.value(found)
        return
    out.say(names.shown(found.copy or found.file), style="bold")
    for number, face in enumerate(found.faces, 1):
        out.say(f"  {number}  {_face(face)}" + (f": {face.method}" if found.copy else ""))
    out.say(f"  {_RISKS.get(found.missed_risk, found.missed_risk)}")
    if found.left_out:
        out.say(f"  left out: {', '.join(found.left_out)}")


def _face(face: FaceItem) -> str:
    left, top, width, height = face.box
    seen = "named" if face.score is None else f"seen with {face.score:.2f}"
    return f"{width} x {height} px at {left},{top}, {seen}"
