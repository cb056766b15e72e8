"""The recovery words in shares: any few of them make the words again, one fewer tells nothing.

SLIP-39 (https://github.com/satoshilabs/slips/blob/master/slip-0039.md), one group, no pass phrase,
by its reference code. A share is 33 words with a checksum of its own, so a slip of the pen is
noticed before shares are put together (docs/spec/guardians.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import shamir_mnemonic
from shamir_mnemonic import MnemonicError
from shamir_mnemonic.share import Share as Slip39

from .errors import BadShareError, MixedSharesError, RepeatedShareError, TooFewSharesError
from .recovery import ENTROPY_BYTES, RecoveryWords
from .secret import Secret

MOST: Final = 16
"""Shares in one set; SLIP-39 has no more."""
LEAST: Final = 2
"""Shares that are needed at least: with one each guardian would have the words."""
SHARE_WORDS: Final = 33
SHARE_BYTES: Final = SHARE_WORDS * 9


@dataclass(frozen=True, slots=True)
class Share:
    """One share: its words, of which set it is, and how many of that set are needed."""

    words: str = field(repr=False)
    set_id: int
    number: int
    need: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """From what a person typed: any spacing and case. `BadShareError` says what is off."""
        words = " ".join(text.lower().split())
        count = len(words.split())
        if count != SHARE_WORDS:
            raise BadShareError(f"{count} words were given, there are {SHARE_WORDS}")
        try:
            found = Slip39.from_mnemonic(words)
        except MnemonicError:
            raise BadShareError("a word is wrong, or two are swapped") from None
        if found.group_count != 1 or len(found.value) != ENTROPY_BYTES:
            raise BadShareError("it is of something else than recovery words of kinlight")
        return cls(words, found.identifier, found.index, found.member_threshold)


def split(words: RecoveryWords, count: int, need: int) -> list[Share]:
    """`count` shares of the words, of which any `need` make them again. Each call makes a new set;
    earlier sets go on working. `ValueError` for numbers that are none.
    """
    if not LEAST <= need <= count <= MOST:
        raise ValueError(f"{LEAST} to {MOST} shares, and not more needed than there are")
    (texts,) = shamir_mnemonic.generate_mnemonics(1, [(need, count)], words.entropy().reveal())
    return [Share.parse(text) for text in texts]


def combine(shares: Iterable[Share]) -> RecoveryWords:
    """The words again; more shares than are needed do no harm.

    Raises `MixedSharesError`, `RepeatedShareError`, `TooFewSharesError`, and `BadShareError` if the
    shares are each right and yet make nothing: somebody changed one with care.
    """
    found = list(shares)
    if not found:
        raise TooFewSharesError
    if len({(each.set_id, each.need) for each in found}) > 1:
        raise MixedSharesError
    need = found[0].need
    by_number = {each.number: each for each in found}
    if any(by_number[each.number].words != each.words for each in found):
        raise MixedSharesError
    if len(by_number) < need:
        if len(by_number) < len(found):
            raise RepeatedShareError(f"{len(by_number)} of {need} different ones are here")
        raise TooFewSharesError(f"{len(by_number)} are here, {need} are needed")
    chosen = [each.words for each in list(by_number.values())[:need]]
    try:
        return RecoveryWords(Secret(shamir_mnemonic.combine_mnemonics(chosen)))
    except MnemonicError:
        raise BadShareError("together they make nothing") from None
