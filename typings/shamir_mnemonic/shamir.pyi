"""Where it draws its randomness: the generator of vectors fixes that."""

from collections.abc import Callable

RANDOM_BYTES: Callable[[int], bytes]
