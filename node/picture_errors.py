"""What can go wrong with pictures: opening, changing, checking, marking, and hiding faces."""

from __future__ import annotations

from ..crypto.errors import LocalError


class PictureRefusedError(LocalError):
    """The picture can't be opened."""

    code = "picture-refused"


class CannotStripError(LocalError):
    """The file can't be changed so that it tells less; the policy `original` takes it as it is."""

    code = "cannot-strip"


class StripFailedError(LocalError):
    """A copy made to tell less is not what it must be, so it was thrown away."""

    code = "strip-failed"


class DecoderDiedError(LocalError):
    """The process that opened the picture ended without an answer; nothing else was touched."""

    code = "decoder-died"


class DecoderUnavailableError(LocalError):
    """Pictures can't be opened at the moment: the service that does it is not there."""

    code = "decoder-unavailable"


class DecoderTimeoutError(LocalError):
    """The picture took too long to open, so it was given up."""

    code = "decoder-timeout"


class SandboxTooWeakError(LocalError):
    """Pictures are not opened: this system's sandbox is weaker than config.toml demands."""

    code = "sandbox-too-weak"


class OldPictureLibraryError(LocalError):
    """Pictures are not opened: a library that opens them is too old to be safe. Update it."""

    code = "picture-library-old"


class CheckUnavailableError(LocalError):
    """Signs of editing can't be looked for here. `pip install "kinlight[ml]"` installs what can."""

    code = "check-unavailable"


class CheckDiedError(LocalError):
    """The process that looks for signs of editing ended without an answer."""

    code = "check-died"


class CheckTimeoutError(LocalError):
    """The check for signs of editing took too long, so it was given up."""

    code = "check-timeout"


class MarkUnavailableError(LocalError):
    """Marks can't be set or read here. `pip install "kinlight[ml]"` installs what can."""

    code = "mark-unavailable"


class MarkFailedError(LocalError):
    """The process that sets and reads marks ended without an answer, or took too long."""

    code = "mark-failed"


class CannotMarkError(LocalError):
    """The picture can't bear an invisible mark."""

    code = "cannot-mark"


class FacesUnavailableError(LocalError):
    """Faces can't be looked for here. `pip install "kinlight[ml]"` installs what can."""

    code = "faces-unavailable"


class FacesFailedError(LocalError):
    """The process that hides faces ended without an answer, or took too long."""

    code = "faces-failed"


class CannotAnonymiseError(LocalError):
    """No faces can be hidden in the picture."""

    code = "cannot-anonymise"


class NoFaceError(LocalError):
    """No face was hidden, so no copy was written. `--box` names a place that was not found."""

    code = "no-face"


class UnsureFacesError(LocalError):
    """It is not sure that all faces were found, so no copy was written."""

    code = "unsure-faces"
