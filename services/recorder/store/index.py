"""The index: every event, and how to find it. SQLite, opened by the recorder alone; it can be lost, the files cannot.

One connection writes, under a lock; each thread that reads has a connection of its own, so that a slow write never holds
up a question. A write that has returned survives a power cut (WAL with synchronous=FULL).
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import msgpack

from preroll import wire
from preroll.logs import fields
from services.recorder.recovery.event_folder import event_in
from services.recorder.store.filters import cursor_of, name_of, names_of, place_of

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 2
BUSY_S: Final = 5.0
# SQLite begins its log anew once all of it is in the database: `settle` sees to that long before it is as long as this,
# and the commit that makes it longer does it itself.
LOG_PAGES: Final = 4_000
LOG_BYTES: Final = 4 * 1024 * LOG_PAGES
_SCHEMA: Final = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    triggered INTEGER NOT NULL,
    state TEXT NOT NULL,
    is_protected INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    record BLOB NOT NULL,
    plan TEXT
);
CREATE INDEX event_by_time ON event (triggered, number);
CREATE INDEX event_unfinished ON event (triggered) WHERE state IN ('scheduled', 'recording');
CREATE INDEX event_waiting ON event (triggered) WHERE is_waiting = 1;
CREATE TABLE filter (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE found_by (
    filter INTEGER NOT NULL, triggered INTEGER NOT NULL, event INTEGER NOT NULL,
    PRIMARY KEY (filter, triggered, event)
) WITHOUT ROWID;
CREATE TABLE camera (camera_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE total (size_bytes INTEGER NOT NULL, events INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER event_added AFTER INSERT ON event BEGIN
    UPDATE total SET size_bytes = size_bytes + new.size_bytes, events = events + 1;
END;
CREATE TRIGGER event_changed AFTER UPDATE OF size_bytes ON event BEGIN
    UPDATE total SET size_bytes = size_bytes + new.size_bytes - old.size_bytes;
END;
CREATE TRIGGER event_gone AFTER DELETE ON event BEGIN
    UPDATE total SET size_bytes = size_bytes - old.size_bytes, events = events - 1;
END;
"""


# Added to an index of any age when it is opened: recorders without it read and write the same file.
_RUNNING: Final = """
ALTER TABLE event ADD COLUMN running_ns INTEGER;
DROP INDEX IF EXISTS event_removable;
CREATE INDEX event_oldest ON event (running_ns, number, triggered, event_id, size_bytes)
    WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording');
CREATE TABLE running (only INTEGER PRIMARY KEY CHECK (only = 1), note TEXT NOT NULL);
"""


class Index:
    """The events of one clips directory. Safe to use from several threads; errors are `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        """Open the index that is there; `sqlite3.DatabaseError` when it is none. `Index.open` makes and mends it."""
        self._path = path
        self._lock = threading.Lock()
        self._readers_lock = threading.Lock()
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}
        self._known: set[str] | None = None
        self._writer = _connect(path)
        try:
            version = self._writer.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError(f"index version {version} is not {SCHEMA_VERSION}")
        except sqlite3.Error:
            self._writer.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Self:
        """The index at `path`. One that is missing or damaged is built anew from the files beside it.

        A damaged one is set aside as `<name>.damaged-<n>`.
        """
        if path.exists():
            try:
                index = cls(path)
                if index._is_sound():
                    index._add_running()
                    index._lay_out_log()
                    return index
                index.close()
                reason = "it fails its integrity check"
            except sqlite3.DatabaseError as err:
                reason = str(err)
            aside = _set_aside(path)
            log.error("index is damaged", extra=fields(reason=reason, set_aside_as=aside.name))
        _build(path)
        index = cls(path)
        index._lay_out_log()
        return index

    def _add_running(self) -> None:
        with self._lock, self._writer:
            if not any(column[1] == "running_ns" for column in self._writer.execute("PRAGMA table_info(event)")):
                self._writer.executescript(f"BEGIN; {_RUNNING}")

    def _lay_out_log(self) -> None:
        """Bring the write-ahead log to its full length now, so that later commits write over it and never lengthen it.

        A file that grows must have its new length committed by the file system, which may first write out what others
        wrote: with clips of four cameras going to the same disk, that made the slowest commit in a hundred three times
        as slow.
        """
        try:
            with self._lock, self._writer:
                self._writer.execute("CREATE TABLE IF NOT EXISTS filler (data BLOB)")
                self._writer.execute("INSERT INTO filler VALUES (zeroblob(?))", (LOG_BYTES,))
                self._writer.execute("DELETE FROM filler")
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        except sqlite3.Error as err:
            log.warning("the index's log could not be laid out: %s", err)

    def settle(self) -> None:
        """Bring what the log holds into the database, so that no commit has to; holds up no reader and no writer."""
        self._read("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        with self._lock, self._readers_lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
            self._writer.close()

    # --- writing

    def put(self, event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        """Store the event in place of a former record; durable on return. `plan` stays as it was when `None`."""
        with self._lock, self._writer:
            _put(self._writer, event, None if plan is None else json.dumps(plan))

    def put_all(self, events: Iterable[wire.Event]) -> None:
        """Store many events, all or none; durable on return."""
        with self._lock, self._writer:
            for event in events:
                _put(self._writer, event, None)

    def adopt(self, event_file: Path) -> bool:
        """Take in the event of a folder, as its files have it; false when none of them can be read."""
        event = event_in(event_file.parent)
        if event is not None:
            self.put(event)
        return event is not None

    def delete(self, event_id: str) -> None:
        """Forget the event, if it is known."""
        with self._lock, self._writer:
            former = _former(self._writer, event_id)
            if former is not None:
                number, triggered, names = former
                _lose(self._writer, number, triggered, names)
                self._writer.execute("DELETE FROM event WHERE number = ?", (number,))

    def remember_cameras(self, camera_ids: Iterable[str]) -> None:
        """Remember cameras beyond the recorder's life; costs nothing when they are known."""
        if self._known is None:
            self._known = set(self.cameras())
        new = set(camera_ids) - self._known
        if new:
            with self._lock, self._writer:
                _remember(self._writer, new)
            self._known |= new

    def forget_camera(self, camera_id: str) -> None:
        with self._lock, self._writer:
            self._writer.execute("DELETE FROM camera WHERE camera_id = ?", (camera_id,))
        if self._known is not None:
            self._known.discard(camera_id)

    def put_running(self, note: str) -> None:
        """Store the note of the running time; durable on return."""
        with self._lock, self._writer:
            self._writer.execute("INSERT OR REPLACE INTO running VALUES (1, ?)", (note,))

    def settle_running(self, now_ns: int) -> None:
        """Have each event without a running time count from `now_ns`, and none from later."""
        with self._lock, self._writer:
            self._writer.execute(
                "UPDATE event SET running_ns = ? WHERE running_ns IS NULL OR running_ns > ?", (now_ns, now_ns)
            )

    # --- reading

    def running(self) -> str | None:
        """The note of the running time as it was stored."""
        row = self._read("SELECT note FROM running").fetchone()
        return None if row is None else str(row[0])

    def highest_running_ns(self, at_most_ns: int) -> int:
        """The highest running time that an event was noted with, of those that are not beyond `at_most_ns`; or 0."""
        row = self._read("SELECT max(running_ns) FROM event WHERE running_ns <= ?", (at_most_ns,)).fetchone()
        return int(row[0] or 0)

    def get(self, event_id: str) -> wire.Event | None:
        row = self._read("SELECT record FROM event WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None else _decoded(row[0])

    def plan(self, event_id: str) -> dict[str, Any] | None:
        """The recorder's own facts of an event, as they were put with it."""
        row = self._read("SELECT plan FROM event WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None or row[0] is None else json.loads(row[0])

    def page(self, query: wire.ListEvents) -> wire.EventsReply:
        """A page of events, newest first, of equal times the one accepted last. `WireError` for a foreign cursor."""
        sql, values = _listing(query)
        rows = self._read(sql, values).fetchall()
        shown = rows[: query.limit]
        next_cursor = cursor_of(*shown[-1][:2]) if len(rows) > query.limit else None
        return wire.EventsReply(events=tuple(_decoded(row[2]) for row in shown), next_cursor=next_cursor)

    def unfinished(self) -> list[wire.Event]:
        """Events that are scheduled or being recorded, oldest first."""
        return self._events("WHERE state IN ('scheduled', 'recording') ORDER BY triggered")

    def waiting(self) -> list[wire.Event]:
        """Events with a clip that is saved and not yet ready, oldest first."""
        return self._events("WHERE is_waiting = 1 ORDER BY triggered")

    def removable(self) -> Iterator[tuple[str, int, int, int]]:
        """Events that retention may remove: id, trigger time (Unix ns), running time, size in bytes.

        In the order of running time, of equals the one accepted first; events without a running time come first.
        """
        yield from self._read(
            "SELECT event_id, triggered, coalesce(running_ns, 0), size_bytes FROM event "
            "WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording') ORDER BY running_ns, number"
        )

    def removable_before(self, unix_ns: int) -> int:
        """How many events that retention may remove were triggered before that wall time."""
        sql = (
            "SELECT count(*) FROM event "
            "WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording') AND triggered < ?"
        )
        return int(self._read(sql, (unix_ns,)).fetchone()[0])

    def all_events(self) -> Iterator[wire.Event]:
        for (record,) in self._read("SELECT record FROM event ORDER BY triggered, number"):
            yield _decoded(record)

    def count(self) -> int:
        return int(self._read("SELECT events FROM total").fetchone()[0])

    def clips_bytes(self) -> int:
        """Bytes of all files of all events."""
        return int(self._read("SELECT size_bytes FROM total").fetchone()[0])

    def cameras(self) -> list[str]:
        return [row[0] for row in self._read("SELECT camera_id FROM camera ORDER BY camera_id")]

    # --- parts

    def _events(self, where: str) -> list[wire.Event]:
        return [_decoded(row[0]) for row in self._read(f"SELECT record FROM event {where}")]  # noqa: S608

    def _read(self, sql: str, values: Iterable[str | int] = ()) -> sqlite3.Cursor:
        thread = threading.current_thread()
        reader = self._readers.get(thread)
        if reader is None:
            reader = _connect(self._path)
            with self._readers_lock:
                for ended in [other for other in self._readers if not other.is_alive()]:
                    self._readers.pop(ended).close()
                self._readers[thread] = reader
        return reader.execute(sql, tuple(values))

    def _is_sound(self) -> bool:
        # quick_check reads every page; of a week's index that is some tenths of a second.
        return bool(self._writer.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def _build(path: Path) -> None:
    """Make the index from what the files tell, in one transaction: it is there whole or not at all."""
    found = 0
    writer = _connect(path)
    try:
        with writer:
            writer.executescript(f"BEGIN; {_SCHEMA} {_RUNNING}")
            for event_file in sorted(path.parent.glob("[0-9]*/[A-Za-z0-9]*/event.json")):
                event = event_in(event_file.parent)
                if event is not None:
                    _put(writer, event, None)
                    _remember(writer, (clip.camera_id for clip in event.clips))
                    found += 1
            writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    finally:
        writer.close()
    if found:
        log.warning("index rebuilt from the files", extra=fields(events=found))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return aside


def _put(writer: sqlite3.Connection, event: wire.Event, plan: str | None) -> None:
    triggered = event.triggered_unix_ns
    size_bytes = sum(fact.size_bytes for clip in event.clips for fact in clip.files.values())
    is_waiting = any(clip.state == "saved" for clip in event.clips)
    packed: bytes = msgpack.packb(event.model_dump())
    row = (triggered, event.state, event.is_protected, is_waiting, size_bytes, packed, plan)
    names = names_of((clip.camera_id for clip in event.clips), event.labels)
    former = _former(writer, event.event_id)
    if former is None:
        inserted = writer.execute(
            "INSERT INTO event "
            "(triggered, state, is_protected, is_waiting, size_bytes, record, plan, event_id, running_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, event.event_id, event.running_ns),
        )
        assert inserted.lastrowid is not None
        _find_by(writer, inserted.lastrowid, triggered, names)
        return
    number, former_triggered, former_names = former
    writer.execute(
        "UPDATE event SET triggered = ?, state = ?, is_protected = ?, is_waiting = ?, size_bytes = ?, record = ?, "
        "plan = coalesce(?, plan) WHERE number = ?",
        (*row, number),
    )
    if (former_triggered, former_names) != (triggered, names):
        _lose(writer, number, former_triggered, former_names)
        _find_by(writer, number, triggered, names)


def _former(writer: sqlite3.Connection, event_id: str) -> tuple[int, int, frozenset[str]] | None:
    """An event's number, trigger time and names, as they are stored."""
    row = writer.execute("SELECT number, triggered, record FROM event WHERE event_id = ?", (event_id,)).fetchone()
    if row is None:
        return None
    record = msgpack.unpackb(row[2])
    return row[0], row[1], names_of((clip["camera_id"] for clip in record["clips"]), record["labels"])


def _find_by(writer: sqlite3.Connection, number: int, triggered: int, names: Iterable[str]) -> None:
    rows = [(name,) for name in names]
    writer.executemany("INSERT OR IGNORE INTO filter (name) VALUES (?)", rows)
    writer.executemany(
        "INSERT INTO found_by VALUES ((SELECT number FROM filter WHERE name = ?), ?, ?)",
        [(name, triggered, number) for (name,) in rows],
    )


def _lose(writer: sqlite3.Connection, number: int, triggered: int, names: Iterable[str]) -> None:
    writer.executemany(
        "DELETE FROM found_by WHERE filter = (SELECT number FROM filter WHERE name = ?) AND triggered = ? AND event = ?",
        [(name, triggered, number) for name in names],
    )
    writer.executemany(
        "DELETE FROM filter WHERE name = ? "
        "AND NOT EXISTS (SELECT 1 FROM found_by WHERE found_by.filter = filter.number)",
        [(name,) for name in names],
    )


def _remember(writer: sqlite3.Connection, camera_ids: Iterable[str]) -> None:
    writer.executemany("INSERT OR IGNORE INTO camera VALUES (?)", [(name,) for name in sorted(set(camera_ids))])


def _decoded(record: bytes) -> wire.Event:
    return wire.Event.model_validate(msgpack.unpackb(record, use_list=False))


def _listing(query: wire.ListEvents) -> tuple[str, list[str | int]]:
    """The statement: one index in the order of the answer, whichever filter is given."""
    where, values = list[str](), list[str | int]()
    name = name_of(query)
    if name is None:
        source, number = "event AS f", "f.number"
    else:
        source, number = "found_by AS f", "f.event"
        where.append("f.filter = (SELECT number FROM filter WHERE name = ?)")
        values.append(name)
    if query.since_unix_ns is not None:
        where.append("f.triggered >= ?")
        values.append(query.since_unix_ns)
    if query.until_unix_ns is not None:
        where.append("f.triggered <= ?")
        values.append(query.until_unix_ns)
    if query.cursor is not None:
        where.append(f"(f.triggered, {number}) < (?, ?)")
        values += place_of(query.cursor)
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    values.append(query.limit + 1)
    places = f"SELECT f.triggered, {number} AS number FROM {source} {condition}"  # noqa: S608 - values are parameters
    places += f"ORDER BY f.triggered DESC, {number} DESC LIMIT ?"
    return (
        f"SELECT place.triggered, place.number, event.record FROM ({places}) AS place "  # noqa: S608
        "CROSS JOIN event ON event.number = place.number ORDER BY place.triggered DESC, place.number DESC"
    ), values
