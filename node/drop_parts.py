"""Photos that browsers are sending, as far as they are here: each a file of sealed parts.

    dropped/ITEM.parts      nonce, part sealed under the item's key, and so on

Nothing of a photo lies open on the disk before it is a sealed blob of the library. All parts but
the last have the same length, so how many are whole is seen from the length of the file: what was
being written when the machine stopped is written again.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..crypto.errors import SourceChangedError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.opening import Entropy
from .errors import UnreadableFileError, storage_error

PART: Final = limits.DROP_PART_BYTES
_NONCE: Final = 12
_SEALED: Final = _NONCE + PART + 16
_SUFFIX: Final = ".parts"


class DropParts:
    """The folder of such files."""

    def __init__(self, folder: Path, entropy: Entropy) -> None:
        self._folder = folder
        self._entropy = entropy

    def of(self, item_id: bytes, length: int, key: Secret) -> PartFile:
        """What is here of a photo of that length."""
        return PartFile(self._path(item_id), length, key, self._entropy)

    def remove(self, item_id: bytes) -> None:
        """What is here of a photo is of no use any more. Else the next start removes it."""
        with contextlib.suppress(OSError):
            self._path(item_id).unlink(missing_ok=True)

    def sweep(self, wanted: Collection[bytes]) -> None:
        """Remove what belongs to none of these items."""
        names = {f"{item_id.hex()}{_SUFFIX}" for item_id in wanted}
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.name not in names:
                    path.unlink(missing_ok=True)

    def _path(self, item_id: bytes) -> Path:
        return self._folder / f"{item_id.hex()}{_SUFFIX}"


class PartFile:
    """One photo on its way. Written from one loop, read from a thread once it is whole."""

    def __init__(self, path: Path, length: int, key: Secret, entropy: Entropy) -> None:
        self._path = path
        self._length = length
        self._seal = AESGCM(key.reveal())
        self._entropy = entropy
        self._file: BinaryIO | None = None
        self._here = 0

    def begin(self) -> int:
        """How many bytes are here, in whole parts. Raises `DiskFullError`, `HomeUnusableError`."""
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
        except OSError as error:
            raise storage_error(error) from None
        self._here = min(size // _SEALED * PART, self._length)
        if self._is_end(size):
            self._here = self._length
        return self._here

    def _is_end(self, size: int) -> bool:
        last = self._length % PART
        return last > 0 and size == self._length // PART * _SEALED + _NONCE + last + 16

    @property
    def here(self) -> int:
        """In bytes."""
        return self._here

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self._here == self._length

    def takes(self, offset: int, data: bytes) -> bool:
        """Whether these are the bytes that come next: a whole part, or the last."""
        return offset == self._here and len(data) == min(PART, self._length - offset)

    def add(self, data: bytes) -> None:
        """The next part. Raises as `begin`."""
        index = self._here // PART
        nonce = self._entropy(_NONCE)
        sealed = nonce + self._seal.encrypt(nonce, data, index.to_bytes(8))
        try:
            if self._file is None:
                self._file = self._open()
                self._file.seek(index * _SEALED)
                self._file.truncate()
            self._file.write(sealed)
            self._file.flush()  # it is said to be here: an end of the daemon takes nothing back
        except OSError as error:
            self.close()
            raise storage_error(error) from None
        self._here += len(data)

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        return os.fdopen(descriptor, "r+b")

    def close(self) -> None:
        """Write out what is buffered. It goes on later, perhaps after a restart."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def source(self) -> BinaryIO:
        """Its bytes, to be read in a thread: `SourceChangedError` where a part is not as it was.

        Raises `UnreadableFileError`.
        """
        try:
            return io.BufferedReader(_Source(self._path, self._seal), PART)
        except OSError as error:
            raise UnreadableFileError(error.strerror or "") from None


class _Source(io.RawIOBase):
    """Reads the parts in order, or from the beginning again."""

    def __init__(self, path: Path, seal: AESGCM) -> None:
        self._file = path.open("rb")
        self._seal = seal
        self._index = 0
        self._left = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if (offset, whence) != (0, os.SEEK_SET):
            raise io.UnsupportedOperation("only to the beginning")
        self._file.seek(0)
        self._index, self._left = 0, b""
        return 0

    def tell(self) -> int:
        return self._index * PART - len(self._left)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if not self._left:
            self._left = self._next()
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _next(self) -> bytes:
        sealed = self._file.read(_SEALED)
        if not sealed:
            return b""
        try:
            part = self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._index.to_bytes(8))
        except (InvalidTag, ValueError):
            raise SourceChangedError from None
        self._index += 1
        return part

    def close(self) -> None:
        self._file.close()
        super().close()
