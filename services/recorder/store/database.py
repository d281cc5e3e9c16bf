"""The index's file: connections to it, what SQLite's errors mean for the recorder, and setting a file aside.

Rule: only what SQLite says about the file's content is damage. A file that is locked, or that the disk does not give or
take, is as good as before, and is left where it is.
"""

import errno
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from services.recorder.store.holders import holders_of

# SQLite begins its log anew once all of it is in the database: `Index.settle` sees to that long before it is as long as
# this, and the commit that makes it longer does it itself.
LOG_PAGES: Final = 4_000
BESIDE: Final = ("-wal", "-shm")
_SHARED_BYTES: Final = 32 * 1024  # what the memory shared by the connections takes of the disk
_PRIMARY: Final = 0xFF  # an extended result code carries its primary one in the lowest byte (sqlite.org/rescode.html)
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# SQLITE_ERROR is a statement that the file's tables do not fit: ours are fixed, so the file is not our index.
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})


class IndexUnavailable(sqlite3.OperationalError):
    """The index cannot be read or written now; for the operator. The text names the file and the reason."""


class IndexLocked(IndexUnavailable):
    """Another program, or a long write of our own, holds the index: it may be free again in a moment."""


class IndexFull(IndexUnavailable):
    """There is no space for what is to be written."""


class IndexDamaged(IndexUnavailable):
    """What is in the file is not an index."""


class IndexNoFile(IndexUnavailable):
    """What is in the file's place is none, and cannot be set aside: it is for the operator to remove."""


class IndexOfOtherVersion(IndexUnavailable):
    """Another version of Preroll made the file."""


class IndexOfNewerVersion(IndexOfOtherVersion):
    """A later version of Preroll made the file."""


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into those above."""
    try:
        yield
    except IndexUnavailable:
        raise
    except sqlite3.Error as err:
        raise _named(err, path) from err


def _named(err: sqlite3.Error, path: Path) -> IndexUnavailable:
    extended: int = getattr(err, "sqlite_errorcode", 0)  # an error of the module itself has none
    code = extended & _PRIMARY
    if code in _LOCKED:
        by = holders_of(database_files(path)) or "another program"
        return IndexLocked(f"{path.name} is locked by {by}: {err}")
    if code == sqlite3.SQLITE_FULL:
        return IndexFull(f"no space for {path.name}: {err}")
    if code in _DAMAGED or extended == sqlite3.SQLITE_IOERR_SHORT_READ:
        return IndexDamaged(f"{path.name} is damaged: {err}")
    # SQLite calls both an error of reading, or that it cannot open the file.
    if _is_full(path.parent):
        return IndexFull(f"{path.name} cannot be used, its disk is full: {err}")
    why = ", its disk is read-only" if _is_read_only(path.parent) else ""
    return IndexUnavailable(f"{path.name} cannot be used{why}: {err}")


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _SHARED_BYTES
    except OSError:
        return False


def _is_read_only(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # Windows has no such call
        return False


def connect(path: Path, wait_s: float, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
    """A connection that begins no transaction by itself, and waits `wait_s` for others' locks.

    Mode `rwc` makes a file that is missing. No other may: a file that was removed would come back empty.
    """
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done within, or nothing; durable at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself after some errors
            connection.execute("ROLLBACK")
        raise


def beside(path: Path, suffix: str) -> Path:
    """A file that belongs to the database: its log or its shared memory."""
    return path.with_name(path.name + suffix)


def database_files(path: Path) -> tuple[Path, ...]:
    """All files of the database, its own last."""
    return (*(beside(path, suffix) for suffix in BESIDE), path)


def set_aside(path: Path, why: str) -> Path:
    """Rename the database to `<name>.<why>-<n>`, with its log: it is kept, and its place is free. `OSError`."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.{why}-{number}")):
        number += 1
    # The log first: one that is left beside a new database would be taken for its own.
    for suffix in (*BESIDE, ""):
        part = beside(path, suffix)
        if os.path.lexists(part):
            part.replace(beside(aside, suffix))
    return aside


def set_aside_no_file(path: Path) -> Path | None:
    """Set aside what is in the place of `path`, where it is no file and holds nothing; `None` where there is no such thing.

    An empty folder, a pipe, a socket, a link to nothing: with a rename nothing is lost. `IndexNoFile` for what holds
    something, and for what keeps its name.
    """
    what = _no_file(path)
    if what is None:
        return None
    try:
        return set_aside(path, "damaged")
    except OSError as err:
        hint = ""
        if err.errno == errno.EBUSY:
            hint = ": something is mounted there; a bind mount of a file that is missing makes an empty folder"
        raise IndexNoFile(f"{path.name} is {what}, and cannot be renamed ({err.strerror}){hint}") from err


def _no_file(path: Path) -> str | None:
    """What is in the place of the file, in words; `IndexNoFile` for what holds something."""
    try:
        if not path.exists():
            return "a link to nothing" if path.is_symlink() else None
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return None
        if stat.S_ISDIR(mode) and not any(path.iterdir()):
            return "an empty folder"
    except OSError:
        return None  # SQLite meets the same, and it may pass
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return "a pipe or a socket"
    what = "a folder with something in it" if stat.S_ISDIR(mode) else "a device"
    raise IndexNoFile(f"{path.name} is {what}: it is left where it is, and the recorder needs its place")
