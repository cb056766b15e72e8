"""The encrypted database: one SQLCipher connection, its migrations, and errors with a name.

Each write is one durable transaction (`synchronous=FULL`): when it has returned, a cut of power
loses nothing of it. The connection belongs to one thread.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlcipher

from ..crypto.errors import LocalError
from ..crypto.secret import Secret
from . import schema
from .errors import (
    DiskFullError,
    HomeUnusableError,
    LibraryDamagedError,
    LockedError,
    NewerLibraryError,
    storage_error,
)

SMALLEST_BYTES: Final = 512
"""SQLite's smallest page."""
_PAGE_BYTES: Final = 4096
LOG_BYTES: Final = 2 * 1024 * 1024
"""Beyond this the write-ahead log goes into the file, and begins anew."""
_CACHE_BYTES: Final = 4 * 1024 * 1024
"""Pages kept deciphered. A library that is larger is read again by each search, at 15 microseconds
a page; SQLCipher's own 8 MB would hold those of up to about 2,000 photos."""
_PROBE_BYTES: Final = 64 * 1024

Row = sqlcipher.Row


class Database:
    """The open database."""

    def __init__(self, path: Path, key: Secret) -> None:
        """Open or make the database; `LibraryDamagedError` if `key` doesn't fit or it is broken."""
        self._path = path
        self._key = key
        try:
            path.touch(mode=0o600)  # SQLite gives its other files the same mode
            self._db = sqlcipher.connect(str(path), isolation_level=None)
        except (sqlcipher.Error, OSError):
            raise HomeUnusableError("library.db can't be opened") from None
        try:
            _unlock(self._db, key)
            self._db.execute("PRAGMA temp_store = MEMORY")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_BYTES // 1024}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // _PAGE_BYTES}")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.row_factory = Row
            self._listeners: list[Callable[[], None]] = []
            self._migrate()
        except (sqlcipher.Error, LibraryDamagedError, NewerLibraryError) as error:
            self._db.close()
            if isinstance(error, sqlcipher.Error):
                raise _library_error(error, self._path) from None
            raise

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a database: SQLite takes a file shorter than a page for a new one."""
        return path.is_file() and path.stat().st_size >= SMALLEST_BYTES

    def close(self) -> None:
        """Close; the key goes with the connection."""
        self._db.close()

    def faults(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; nothing if all of it is right.

        It reads the whole file on a connection of its own, so it may be called in any thread. What
        is written meanwhile may look like damage: where it finds some, ask `faults_at_rest` too.
        """
        try:
            connection = sqlcipher.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        except sqlcipher.Error as error:
            return [type(error).__name__]
        with contextlib.closing(connection) as reader:
            try:
                _unlock(reader, self._key)
            except sqlcipher.Error as error:
                return [type(error).__name__]
            return _faults(reader)

    def faults_at_rest(self) -> list[str]:
        """As `faults`, on the connection that writes, so that nothing is written meanwhile."""
        return _faults(self._db)

    def copy_to(self, path: Path) -> None:
        """All of it as it is at this moment, in a file of its own under the same key.

        On a connection of its own, so it may be called in any thread: what is written meanwhile is
        not in it. What lay at `path` is replaced.
        """
        try:
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            with (
                contextlib.closing(
                    sqlcipher.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
                ) as source,
                contextlib.closing(sqlcipher.connect(str(path), isolation_level=None)) as target,
            ):
                _unlock(source, self._key)
                _unlock(target, self._key)
                source.backup(target)
        except sqlcipher.Error as error:
            raise _library_error(error, path) from None
        except OSError as error:
            raise storage_error(error) from None

    def rekey(self, key: Secret) -> None:
        """Encrypt all of it anew. For a database that nobody else has open."""
        try:
            self._db.execute("PRAGMA journal_mode = DELETE")  # a log can't change its key
            self._db.execute(f"PRAGMA rekey = \"x'{key.reveal().hex()}'\"")
        except sqlcipher.Error as error:
            raise _library_error(error, self._path) from None
        self._key = key

    def dangling(self) -> dict[tuple[str, str], int]:
        """How many rows of a table point at a row of another that is not there."""
        found: dict[tuple[str, str], int] = {}
        for row in self.rows("PRAGMA foreign_key_check"):
            pair = row[0], row[2]
            found[pair] = found.get(pair, 0) + 1
        return found

    def listen(self, told: Callable[[], None]) -> None:
        """`told` is called after each transaction; it must not fail."""
        self._listeners.append(told)

    def _migrate(self) -> None:
        version = self.value("PRAGMA user_version")
        if version > schema.VERSION:
            raise NewerLibraryError
        if version < schema.VERSION:
            steps = "".join(schema.MIGRATIONS[version:])
            set_version = f"PRAGMA user_version = {schema.VERSION}"
            self._db.executescript(f"BEGIN; {steps} {set_version}; COMMIT;")
        if self.value("PRAGMA quick_check(1)") != "ok":
            raise LibraryDamagedError

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; durable once it has ended, within another one once that has ended."""
        if self.in_transaction:
            with self._part():
                yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
            for told in self._listeners:
                told()
        except BaseException as error:
            with contextlib.suppress(sqlcipher.ProgrammingError):  # closed while this ran
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if isinstance(error, sqlcipher.Error):
                raise _library_error(error, self._path) from None
            raise

    @contextlib.contextmanager
    def _part(self) -> Generator[None]:
        """A part of a transaction: if it fails, nothing of it is done and the rest may go on."""
        try:
            self._db.execute("SAVEPOINT part")
            yield
            self._db.execute("RELEASE part")
        except BaseException as error:
            with contextlib.suppress(sqlcipher.Error):
                if self._db.in_transaction:  # a full disk ends the whole of it
                    self._db.execute("ROLLBACK TO part")
                    self._db.execute("RELEASE part")
            if isinstance(error, sqlcipher.Error):
                raise _library_error(error, self._path) from None
            raise

    def write(self, sql: str, *values: object) -> int:
        """One statement as a transaction of its own; returns the number of rows it touched."""
        with self.transaction():
            return self._db.execute(sql, values).rowcount

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is under way."""
        try:
            return self._db.in_transaction
        except sqlcipher.Error as error:
            raise _library_error(error, self._path) from None

    @property
    def changes(self) -> int:
        """How many rows were written since it was opened."""
        return self._db.total_changes

    def execute(self, sql: str, *values: object) -> int:
        """One statement within `transaction`; returns the number of rows it touched."""
        return self._db.execute(sql, values).rowcount

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows of a query."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlcipher.Error as error:
            raise _library_error(error, self._path) from None

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row, if there is one."""
        return next(iter(self.rows(sql, *values)), None)

    def value(self, sql: str, *values: object) -> Any:
        """The first column of the first row; None if there is none."""
        row = self.row(sql, *values)
        return None if row is None else row[0]


def where(**wanted: object) -> tuple[str, list[object]]:
    """The condition that columns have these values, and the values; None stands for any.

    (Asked as `? IS NULL OR column = ?`, SQLite reads the whole table whatever its indexes.)
    """
    given = {column: value for column, value in wanted.items() if value is not None}
    return " AND ".join(["true", *(f"{column} = ?" for column in given)]), list(given.values())


def _unlock(connection: sqlcipher.Connection, key: Secret) -> None:
    """Give a raw key: SQLCipher's derivation from text would add nothing to 256 random bits."""
    connection.execute(f"PRAGMA key = \"x'{key.reveal().hex()}'\"")


def _faults(connection: sqlcipher.Connection) -> list[str]:
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found += [row[0] for row in connection.execute("PRAGMA cipher_integrity_check")]
    except sqlcipher.Error as error:
        return [str(error)]
    return [fault for fault in found if fault != "ok"]


def _library_error(error: sqlcipher.Error, path: Path) -> Exception:
    """Full disks are named; a wrong key and a damaged file look the same to SQLCipher."""
    text = str(error)
    if "closed database" in text:
        return LockedError()
    if isinstance(error, sqlcipher.ProgrammingError):
        return error  # a fault in this program, not in the file
    if "full" in text:
        return DiskFullError()
    if "readonly" in text or "unable to open" in text or "disk I/O" in text:
        return _why_unwritable(path)
    return LibraryDamagedError(text if "UNIQUE" in text else "")


def _why_unwritable(path: Path) -> LocalError:
    """SQLite tells a full disk by its errno alone, and a used-up quota has another one."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failed:
        if isinstance(storage_error(failed), DiskFullError):
            return DiskFullError()
    return HomeUnusableError("library.db can't be written")
