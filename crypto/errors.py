"""The root of the error tree, and the errors that keys and seals can raise.

Two branches that never mix: `LocalError` says that our own side broke a rule (a wrong pass
phrase, a full disk, a wrong call), `PeerError` that the other side did (a bad signature, a lie
about a size). The first line of each docstring is the sentence that the user reads, so it says
what happened and, where something can be done, what to do.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class KinlightError(Exception):
    """Something went wrong in kinlight."""

    code: ClassVar[str] = "error"
    """Stable kebab-case name: what `--json` prints and what the wire table maps to a number."""

    def __init__(self, detail: str = "") -> None:
        if type(self) in (KinlightError, LocalError, PeerError):
            raise TypeError(f"{type(self).__name__} is abstract: raise one of its subclasses")
        super().__init__(detail)
        self.detail = detail

    @classmethod
    def sentence(cls) -> str:
        """The first paragraph of the docstring, on one line."""
        return " ".join((inspect.getdoc(cls) or cls.__name__).split("\n\n")[0].split())

    def __str__(self) -> str:
        happened, advice = self._halves()
        return f"{happened}: {self.detail}{advice}" if self.detail else self.sentence()

    @classmethod
    def _halves(cls) -> tuple[str, str]:
        """What happened, and what to do about it; a detail stands between."""
        happened, stop, advice = cls.sentence().partition(". ")
        return happened.rstrip("."), stop + advice

    @classmethod
    def detail_of(cls, message: str) -> str:
        """The detail in the text of such an error."""
        happened, advice = cls._halves()
        if message == cls.sentence():
            return ""
        return message.removeprefix(f"{happened}: ").removesuffix(advice)


class LocalError(KinlightError):
    """This side broke a rule."""

    code = "local"


class PeerError(KinlightError):
    """The other side broke a rule."""

    code = "peer"


class MalformedError(PeerError):
    """A message or file is not in the one form that its specification allows."""

    code = "malformed"


class BadSignatureError(PeerError):
    """A signature does not verify, so the statement under it counts for nothing."""

    code = "bad-signature"


class BadCertificateError(PeerError):
    """A device certificate does not lead to the identity that it claims."""

    code = "bad-certificate"


class SealBrokenError(PeerError):
    """A sealed thing could not be opened: wrong key, wrong place or changed bytes."""

    code = "seal-broken"


class PieceMismatchError(PeerError):
    """A piece is not the one that was asked for; it was not stored."""

    code = "piece-mismatch"


class ChannelError(PeerError):
    """The secure channel failed; nothing that came over it was kept."""

    code = "channel-failed"


class WeakChannelError(ChannelError):
    """The other side did not agree to TLS 1.3 with X25519MLKEM768, so nothing was said to it."""

    code = "channel-weak"


class TruncatedError(ChannelError):
    """The connection was cut in the middle; it will be tried again."""

    code = "cut"


class WrongCodeError(PeerError):
    """The pairing code does not match. Check the words; three wrong tries end a code."""

    code = "wrong-code"


class InvalidCodeError(LocalError):
    """That is not a pairing code."""

    code = "invalid-code"


class WrongPassphraseError(LocalError):
    """The pass phrase is wrong; nothing was unlocked and nothing changed."""

    code = "wrong-passphrase"


class WrongWordsError(LocalError):
    """These are not the words of this node or backup; nothing was unlocked and nothing changed."""

    code = "wrong-words"


class BadShareError(LocalError):
    """This is no share of recovery words as it was shown. Read it out again, word by word."""

    code = "share-bad"


class MixedSharesError(LocalError):
    """These shares are not of one set, but of somebody else's words or of an earlier split. Ask the
    guardians for those of one day.
    """

    code = "shares-mixed"


class RepeatedShareError(LocalError):
    """One share was given twice. Ask another guardian for theirs."""

    code = "share-twice"


class TooFewSharesError(LocalError):
    """More shares are needed. Ask further guardians for theirs."""

    code = "shares-few"


class KeyFileError(LocalError):
    """The key file is damaged. Restore keys.bin from a copy; the photos are untouched."""

    code = "key-file-damaged"


class UnsupportedCryptoError(LocalError):
    """The OpenSSL in this installation lacks X25519MLKEM768. Update the `cryptography` package."""

    code = "openssl-too-old"


class SourceChangedError(LocalError):
    """The file changed while it was read, so it was left out. Try again when it is at rest."""

    code = "file-changed"


class NotEncodableError(LocalError):
    """A value has no canonical encoding."""

    code = "not-encodable"
