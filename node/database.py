"""The encrypted database: one SQLCipher connection, its migrations, and errors with a name.

Each write is one durable transaction (`synchronous=FULL`): when it has returned, a cut of power
loses nothing of it. The connection belongs to one thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlcipher

from ..crypto.secret import Secret
from . import schema
from .errors import (
    DiskFullError,
    HomeUnusableError,
    LibraryDamagedError,
    LockedError,
    NewerLibraryError,
)

SMALLEST_BYTES: Final = 512
"""SQLite's smallest page."""

Row = sqlcipher.Row


class Database:
    """The open database."""

    def __init__(self, path: Path, key: Secret) -> None:
        """Open or make the database; `LibraryDamagedError` if `key` doesn't fit or it is broken."""
        try:
            path.touch(mode=0o600)  # SQLite gives its other files the same mode
            self._db = sqlcipher.connect(str(path), isolation_level=None)
        except (sqlcipher.Error, OSError):
            raise HomeUnusableError("library.db can't be opened") from None
        try:
            # A raw key: SQLCipher's own derivation from text would add nothing to 256 random bits.
            self._db.execute(f"PRAGMA key = \"x'{key.reveal().hex()}'\"")
            self._db.execute("PRAGMA temp_store = MEMORY")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.row_factory = Row
            self._migrate()
        except (sqlcipher.Error, LibraryDamagedError, NewerLibraryError) as error:
            self._db.close()
            if isinstance(error, sqlcipher.Error):
                raise _library_error(error) from None
            raise

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a database: SQLite takes a file shorter than a page for a new one."""
        return path.is_file() and path.stat().st_size >= SMALLEST_BYTES

    def close(self) -> None:
        """Close; the key goes with the connection."""
        self._db.close()

    def _migrate(self) -> None:
        version = self.value("PRAGMA user_version")
        if version > schema.VERSION:
            raise NewerLibraryError
        for step in range(version, schema.VERSION):
            script = f"BEGIN; {schema.MIGRATIONS[step]} PRAGMA user_version = {step + 1}; COMMIT;"
            self._db.executescript(script)
        if self.value("PRAGMA quick_check(1)") != "ok":
            raise LibraryDamagedError

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; durable once it has ended."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlcipher.ProgrammingError):  # closed while this ran
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if isinstance(error, sqlcipher.Error):
                raise _library_error(error) from None
            raise

    def write(self, sql: str, *values: object) -> int:
        """One statement as a transaction of its own; returns the number of rows it touched."""
        with self.transaction():
            return self._db.execute(sql, values).rowcount

    def execute(self, sql: str, *values: object) -> int:
        """One statement within `transaction`; returns the number of rows it touched."""
        return self._db.execute(sql, values).rowcount

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows of a query."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlcipher.Error as error:
            raise _library_error(error) from None

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row, if there is one."""
        return next(iter(self.rows(sql, *values)), None)

    def value(self, sql: str, *values: object) -> Any:
        """The first column of the first row; None if there is none."""
        row = self.row(sql, *values)
        return None if row is None else row[0]


def _library_error(error: sqlcipher.Error) -> Exception:
    """Full disks are named; a wrong key and a damaged file look the same to SQLCipher."""
    text = str(error)
    if "closed database" in text:
        return LockedError()
    if isinstance(error, sqlcipher.ProgrammingError):
        return error  # a fault in this program, not in the file
    if "full" in text:
        return DiskFullError()
    if "readonly" in text or "unable to open" in text or "disk I/O" in text:
        return HomeUnusableError("library.db can't be written")
    return LibraryDamagedError(text if "UNIQUE" in text else "")
