"""What we use of SLIP-39's reference code."""

from collections.abc import Iterable, Sequence

class MnemonicError(Exception): ...

def generate_mnemonics(
    group_threshold: int, groups: Sequence[tuple[int, int]], master_secret: bytes
) -> list[list[str]]: ...
def combine_mnemonics(mnemonics: Iterable[str]) -> bytes: ...
