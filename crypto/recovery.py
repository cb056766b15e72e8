"""The 24 recovery words, and the keys that they alone can make.

The words are BIP-39 English: 256 random bits and a checksum. They are shown once, at first run;
the root key that certifies devices is derived from them whenever it is needed and never stored.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from mnemonic import Mnemonic

from .errors import WrongWordsError
from .secret import Secret

WORD_COUNT: Final = 24
ENTROPY_BYTES: Final = 32

_ROOT = b"kinlight/root1"
_RECOVERY_KEM = b"kinlight/recovery-kem1"
_UNLOCK = b"kinlight/unlock1"


def is_word(word: str) -> bool:
    """Whether a word, in small letters, is one of those that recovery words are made of."""
    return word in Mnemonic("english").wordlist


class RecoveryWords:
    """The 256 bits behind the words. `repr` shows nothing; `phrase` is for the screen, once."""

    def __init__(self, entropy: Secret) -> None:
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError(f"recovery words need {ENTROPY_BYTES} bytes of entropy")
        self._entropy = entropy

    @classmethod
    def parse(cls, phrase: str) -> RecoveryWords:
        """From what a person typed: any spacing and case; `WrongWordsError` says what is off."""
        words = unicodedata.normalize("NFKD", phrase).lower().split()
        if len(words) != WORD_COUNT:
            raise WrongWordsError(f"{len(words)} words were given, there are {WORD_COUNT}")
        book = Mnemonic("english")
        known = set(book.wordlist)
        for position, word in enumerate(words, start=1):
            if word not in known:
                raise WrongWordsError(f"word {position} is not in the list")
        if not book.check(" ".join(words)):
            raise WrongWordsError("the checksum is off: a word is wrong or two are swapped")
        return cls(Secret(bytes(book.to_entropy(words))))

    def phrase(self) -> str:
        """The 24 words, separated by single spaces."""
        return Mnemonic("english").to_mnemonic(self._entropy.reveal())

    def entropy(self) -> Secret:
        """The bits themselves, to be split among guardians."""
        return self._entropy

    def root_seed(self) -> Secret:
        """Seed of the identity's Ed25519 root key."""
        return self._entropy.derive(_ROOT)

    def recovery_kem_seed(self) -> Secret:
        """Seed of the X-Wing key to which a node's snapshots are sealed."""
        return self._entropy.derive(_RECOVERY_KEM)

    def unlock_key(self) -> Secret:
        """Key of the key store's recovery slot."""
        return self._entropy.derive(_UNLOCK)

    def __repr__(self) -> str:
        return "RecoveryWords(hidden)"
