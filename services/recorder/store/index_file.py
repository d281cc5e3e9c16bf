"""The index's file in use: its connections and transactions, and what becomes of it when it is locked, damaged or lost.

One connection writes, under a lock; each thread that reads has a connection of its own (readers.py). A write that has
returned survives a power cut (WAL with synchronous=FULL). No call waits longer than its deadline, whoever holds the file;
what does not succeed raises `IndexUnavailable`.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from preroll.logs import fields
from services.recorder.store import rows, schema
from services.recorder.store.database import (
    LOG_PAGES,
    IndexDamaged,
    IndexLocked,
    IndexNoFile,
    IndexOfNewerVersion,
    IndexOfOtherVersion,
    IndexUnavailable,
    connect,
    database_files,
    errors_named,
    set_aside,
    set_aside_no_file,
    transaction,
)
from services.recorder.store.filters import Value
from services.recorder.store.readers import READ_WAIT_S, Readers

log = logging.getLogger(__name__)

OPEN_WAIT_S: Final = 30.0
WRITE_WAIT_S: Final = 0.75  # on the way of an answer: the API asks again after a second
_RETRY_S: Final = 0.25
_LOG_BYTES: Final = 4 * 1024 * LOG_PAGES


def _sleep(pause_s: float) -> bool:
    time.sleep(pause_s)
    return False


class IndexFile:
    """What `Index` stands on. Safe to use from several threads; errors are `IndexUnavailable`."""

    def __init__(self, path: Path) -> None:
        """Open the index that is there, of this version, or `IndexUnavailable`. `Index.open` makes and mends it."""
        self._path = path
        self._lock = threading.Lock()
        self._readers = Readers(path)
        self._known: set[str] | None = None
        self._is_in_doubt = False
        self._damage: str | None = None
        self._use(path)

    def _use(self, path: Path) -> None:
        """Write to the file that is there now."""
        with errors_named(path):
            writer = connect(path, READ_WAIT_S)
            try:
                version = schema.version_of(writer)
                if version not in {0, schema.SCHEMA_VERSION}:  # 0: never made, so it has no tables
                    raise IndexOfOtherVersion(f"{path.name} is of version {version}, not {schema.SCHEMA_VERSION}")
                self._total = rows.total_of(writer)
            except sqlite3.Error:
                writer.close()
                raise
        self._writer = writer
        self._identities = _identities_of(path)
        self._folder = _identity_of(path.parent)

    @classmethod
    def open(cls, path: Path, wait_s: float = OPEN_WAIT_S, pause: Callable[[float], bool] = _sleep) -> Self:
        """The index at `path`, of this version. `IndexUnavailable` when it is not to be had within `wait_s` seconds.

        `pause` waits so many seconds; true means that nobody waits for the index any more.

        A missing one is made, empty. A damaged one, or one of a later version, is set aside as `<name>.damaged-<n>` or
        `<name>.newer-<n>` first, and so is what is no file and holds nothing. Whoever opens it fills it from the files.
        What cannot be set aside is not waited for.
        """
        deadline = time.monotonic() + wait_s
        is_told = False
        while True:
            try:
                return cls._opened(path)
            except IndexUnavailable as err:
                if isinstance(err, IndexNoFile) or time.monotonic() >= deadline:
                    raise
                if not is_told:
                    log.warning("index not available, tried again for %g s: %s", wait_s, err)
                    is_told = True
                if pause(_RETRY_S):
                    raise

    @classmethod
    def _opened(cls, path: Path) -> Self:
        for part in database_files(path):
            if (aside := set_aside_no_file(part)) is not None:
                log.error("%s is no file", part.name, extra=fields(set_aside_as=aside.name))
        if path.exists():
            try:
                before = schema.bring_up_to_date(path)
                if before is not None:
                    log.warning("index brought from version %d to %d", before, schema.SCHEMA_VERSION)
                index = cls(path)
                try:
                    index.check_sound()
                except BaseException:
                    index.close()
                    raise
                index._lay_out_log()
                return index
            except IndexDamaged as err:
                aside = set_aside(path, "damaged")
                log.error("index is damaged: %s", err, extra=fields(set_aside_as=aside.name))
            except IndexOfNewerVersion as err:
                aside = set_aside(path, "newer")
                log.error("index is of a later version: %s", err, extra=fields(set_aside_as=aside.name))
        schema.create(path)
        index = cls(path)
        index._lay_out_log()
        return index

    def _lay_out_log(self) -> None:
        """Bring the write-ahead log to its full length now, so that later commits write over it and never lengthen it.

        A file that grows must have its new length committed by the file system, which may first write out what others
        wrote: with clips of four cameras going to the same disk, that made the slowest commit in a hundred three times
        as slow.
        """
        try:
            with self._writing():
                self._writer.execute("CREATE TABLE IF NOT EXISTS filler (data BLOB)")
                self._writer.execute("INSERT INTO filler VALUES (zeroblob(?))", (_LOG_BYTES,))
                self._writer.execute("DELETE FROM filler")
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        except sqlite3.Error as err:
            log.warning("the index's log could not be laid out: %s", err)

    def settle(self) -> None:
        """Bring what the log holds into the database, so that no commit has to; holds up no reader and no writer."""
        self._all("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        with self._lock:
            self._readers.close()
            self._writer.close()

    # --- while it is in use, its file may be removed, replaced or overwritten by somebody

    def misplaced(self) -> str | None:
        """Why what is stored would not be found again: the file is not where it was opened."""
        try:
            if _identity_of(self._path.parent) != self._folder:
                return f"the folder of {self._path.name} is not the one that was opened: is its disk mounted?"
            if _identities_of(self._path) != self._identities:
                return f"{self._path.name} in the clips' folder is not the one that was opened: it is made anew"
        except OSError as err:
            return f"the clips' folder has lost its {self._path.name}: {err.strerror or err}"
        return None

    def loss(self) -> str | None:
        """What has happened to the file, so that it is to be renewed; `None` while it is well.

        A folder that is another one now (its disk is not mounted any more) is no reason: the file is where it was.
        """
        try:
            if _identity_of(self._path.parent) != self._folder:
                return None
        except OSError:
            return None
        return self.misplaced() or self._damage

    def renew(self, fill: Callable[[Self], None]) -> None:
        """Make the file anew of what it still holds, as far as that can be read, and what `fill` adds.

        Until it is ready, what was there is asked, and nothing is written: `IndexLocked`. What then is in its place is set
        aside. `OSError` for the disk.
        """
        made = self._path.with_name(f"{self._path.name}.renewed")
        with self._lock:
            for part in database_files(made):
                part.unlink(missing_ok=True)
            fresh = self._copied(made)
            try:
                fill(fresh)
            finally:
                fresh.close()
            there = any(part.exists() for part in database_files(self._path))
            aside = set_aside(self._path, "damaged").name if there else None
            made.replace(self._path)
            self._readers.retire()
            former = self._writer
            self._use(self._path)
            former.close()  # SQLite leaves the files at the path alone: they are not those that it opened
            self._known = self._damage = None
        log.warning("index renewed", extra=fields(events=self._total.events, set_aside_as=aside))

    def _copied(self, path: Path) -> Self:
        """A copy of the index, or an empty one where it cannot be copied whole."""
        try:
            with errors_named(self._path), closing(sqlite3.connect(path)) as target:
                self._writer.backup(target)
            copy = type(self)(path)
            try:
                copy.check_sound()
            except IndexUnavailable:
                copy.close()
                raise
            return copy
        except IndexUnavailable as err:
            log.warning("index cannot be copied, made of the files alone: %s", err)
            for part in database_files(path):
                part.unlink(missing_ok=True)
            schema.create(path)
            return type(self)(path)

    # --- parts

    @contextmanager
    def _writing(self, wait_s: float = WRITE_WAIT_S) -> Iterator[None]:
        """A transaction of the writer; `IndexLocked` when the turn does not come within `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        if not self._lock.acquire(timeout=wait_s):
            raise IndexLocked(f"{self._path.name} was being written for the last {wait_s:g} s")
        try:
            with self._errors_named():
                left_ms = max(0, round((deadline - time.monotonic()) * 1000))
                self._writer.execute(f"PRAGMA busy_timeout = {left_ms}")
                with transaction(self._writer):
                    yield
                    total = rows.total_of(self._writer)
                self._total = total
        except IndexUnavailable:
            self._is_in_doubt = True
            raise
        finally:
            self._lock.release()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            with errors_named(self._path):
                yield
        except IndexDamaged as err:
            self._damage = str(err)
            raise

    def _all(self, sql: str, values: Iterable[Value] = ()) -> list[Any]:
        return list(self._each(sql, values))

    def _each(self, sql: str, values: Iterable[Value] = ()) -> Generator[Any]:
        with self._errors_named():
            yield from self._readers.each(sql, values)

    def check_sound(self) -> None:
        """`IndexDamaged` when the file is not whole."""
        # quick_check reads every page; of a week's index that is some tenths of a second.
        with errors_named(self._path):
            said = self._writer.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise IndexDamaged(f"{self._path.name} fails its integrity check: {said}")


def _identities_of(path: Path) -> list[tuple[int, int]]:
    """Of the file, its log and its shared memory, all of which are there while it is open."""
    return [_identity_of(part) for part in database_files(path)]


def _identity_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
