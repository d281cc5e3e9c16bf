"""The index: every event, and how to find it. SQLite, opened by the recorder alone; it can be lost, the files cannot.

One connection writes, under a lock; each thread that reads has a connection of its own, so that a slow write never holds
up a question. A write that has returned survives a power cut (WAL with synchronous=FULL).
"""

import base64
import binascii
import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgpack
from pydantic import ValidationError

from preroll import wire
from preroll.logs import fields
from services.recorder import sidecar
from services.recorder.admission import state_of
from services.recorder.files import sha256_of

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1
BUSY_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE event (
    event_id TEXT PRIMARY KEY,
    triggered INTEGER NOT NULL,
    state TEXT NOT NULL,
    is_protected INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    record BLOB NOT NULL,
    plan TEXT
) WITHOUT ROWID;
CREATE INDEX event_by_time ON event (triggered DESC, event_id DESC);
CREATE INDEX event_unfinished ON event (state) WHERE state IN ('scheduled', 'recording');
CREATE INDEX event_waiting ON event (is_waiting) WHERE is_waiting = 1;
CREATE INDEX event_removable ON event (triggered, event_id)
    WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording');
CREATE TABLE clip (
    event_id TEXT NOT NULL, camera_id TEXT NOT NULL, triggered INTEGER NOT NULL,
    PRIMARY KEY (event_id, camera_id)
) WITHOUT ROWID;
CREATE INDEX clip_by_camera ON clip (camera_id, triggered DESC, event_id DESC);
CREATE TABLE label (
    event_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, triggered INTEGER NOT NULL,
    PRIMARY KEY (event_id, key)
) WITHOUT ROWID;
CREATE INDEX label_by_key ON label (key, triggered DESC, event_id DESC);
CREATE INDEX label_by_value ON label (key, value, triggered DESC, event_id DESC);
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


class Index:
    """The events of one clips directory. Safe to use from several threads; errors are `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        """Open a sound index, or make an empty one. `Index.open` is the way in."""
        self._path = path
        self._lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._known: set[str] | None = None
        self._writer = _connect(path)
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"index version {version} is not {SCHEMA_VERSION}")

    @classmethod
    def open(cls, path: Path) -> "Index":
        """The index at `path`. One that is missing or damaged is built anew from the files beside it.

        A damaged one is set aside as `<name>.damaged-<n>`.
        """
        if path.exists():
            try:
                index = cls(path)
                if index._is_sound():
                    return index
                index.close()
                reason = "it fails its integrity check"
            except sqlite3.DatabaseError as err:
                reason = str(err)
            aside = _set_aside(path)
            log.error("index is damaged", extra=fields(reason=reason, set_aside_as=aside.name))
        index = cls(path)
        index._rebuild(path.parent)
        return index

    def close(self) -> None:
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._writer.close()

    # --- writing

    def put(self, event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        """Store the event in place of a former record; durable on return. `plan` stays as it was when `None`."""
        with self._lock, self._writer:
            self._put(event, None if plan is None else json.dumps(plan))

    def adopt(self, event_file: Path) -> bool:
        """Take in the event of a folder, as its files have it; false when its record cannot be read."""
        event = _event_of(event_file)
        if event is not None:
            self.put(event)
        return event is not None

    def delete(self, event_id: str) -> None:
        """Forget the event, if it is known."""
        with self._lock, self._writer:
            for table in ("event", "clip", "label"):
                self._writer.execute(f"DELETE FROM {table} WHERE event_id = ?", (event_id,))  # noqa: S608

    def remember_cameras(self, camera_ids: Iterable[str]) -> None:
        """Remember cameras beyond the recorder's life; costs nothing when they are known."""
        if self._known is None:
            self._known = set(self.cameras())
        new = set(camera_ids) - self._known
        if new:
            with self._lock, self._writer:
                self._writer.executemany("INSERT OR IGNORE INTO camera VALUES (?)", [(name,) for name in sorted(new)])
            self._known |= new

    def forget_camera(self, camera_id: str) -> None:
        with self._lock, self._writer:
            self._writer.execute("DELETE FROM camera WHERE camera_id = ?", (camera_id,))
        if self._known is not None:
            self._known.discard(camera_id)

    # --- reading

    def get(self, event_id: str) -> wire.Event | None:
        row = self._read("SELECT record FROM event WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None else _decoded(row[0])

    def plan(self, event_id: str) -> dict[str, Any] | None:
        """The recorder's own facts of an event, as they were put with it."""
        row = self._read("SELECT plan FROM event WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None or row[0] is None else json.loads(row[0])

    def page(self, query: wire.ListEvents) -> wire.EventsReply:
        """A page of events, newest first. `ValueError` for a cursor that was never given."""
        sql, values = _listing(query)
        rows = self._read(sql, values).fetchall()
        events = tuple(_decoded(row[0]) for row in rows[: query.limit])
        last = events[-1] if len(rows) > query.limit else None
        return wire.EventsReply(events=events, next_cursor=_cursor_of(last) if last is not None else None)

    def unfinished(self) -> list[wire.Event]:
        """Events that are scheduled or being recorded."""
        return self._events("WHERE state IN ('scheduled', 'recording') ORDER BY triggered")

    def waiting(self) -> list[wire.Event]:
        """Events with a clip that is saved and not yet ready, oldest first."""
        return self._events("WHERE is_waiting = 1 ORDER BY triggered")

    def removable(self) -> Iterator[tuple[str, int, int]]:
        """Events that retention may remove, oldest first: id, trigger time (Unix ns), size in bytes."""
        yield from self._read(
            "SELECT event_id, triggered, size_bytes FROM event "
            "WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording') ORDER BY triggered, event_id"
        )

    def all_events(self) -> Iterator[wire.Event]:
        for (record,) in self._read("SELECT record FROM event ORDER BY triggered, event_id"):
            yield _decoded(record)

    def count(self) -> int:
        return int(self._read("SELECT events FROM total").fetchone()[0])

    def clips_bytes(self) -> int:
        """Bytes of all files of all events."""
        return int(self._read("SELECT size_bytes FROM total").fetchone()[0])

    def cameras(self) -> list[str]:
        return [row[0] for row in self._read("SELECT camera_id FROM camera ORDER BY camera_id")]

    # --- parts

    def _put(self, event: wire.Event, plan: str | None) -> None:
        event_id, triggered = event.event_id, event.triggered_unix_ns
        size_bytes = sum(fact.size_bytes for clip in event.clips for fact in clip.files.values())
        is_waiting = any(clip.state == "saved" for clip in event.clips)
        self._writer.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO UPDATE SET "
            "triggered = excluded.triggered, state = excluded.state, is_protected = excluded.is_protected, "
            "is_waiting = excluded.is_waiting, size_bytes = excluded.size_bytes, record = excluded.record, "
            "plan = coalesce(excluded.plan, plan)",
            (event_id, triggered, event.state, event.is_protected, is_waiting, size_bytes, _encoded(event), plan),
        )
        self._writer.executemany(
            "INSERT OR IGNORE INTO clip VALUES (?, ?, ?)",
            [(event_id, clip.camera_id, triggered) for clip in event.clips],
        )
        self._writer.executemany(
            "INSERT OR IGNORE INTO label VALUES (?, ?, ?, ?)",
            [(event_id, key, value, triggered) for key, value in event.labels.items()],
        )

    def _events(self, where: str) -> list[wire.Event]:
        return [_decoded(row[0]) for row in self._read(f"SELECT record FROM event {where}")]  # noqa: S608

    def _read(self, sql: str, values: Iterable[str | int] = ()) -> sqlite3.Cursor:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = _connect(self._path)
            with self._lock:
                self._readers.append(reader)
        return reader.execute(sql, tuple(values))

    def _is_sound(self) -> bool:
        # quick_check reads every page; of a week's index that is some tens of milliseconds.
        return bool(self._writer.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")

    def _rebuild(self, clips_dir: Path) -> None:
        """Take in every event that the files tell of: the event's record, with the clips as their sidecars have them."""
        found = 0
        with self._lock, self._writer:
            for event_file in sorted(clips_dir.glob("[0-9]*/[A-Za-z0-9]*/event.json")):
                event = _event_of(event_file)
                if event is not None:
                    self._put(event, None)
                    self._writer.executemany(
                        "INSERT OR IGNORE INTO camera VALUES (?)", [(clip.camera_id,) for clip in event.clips]
                    )
                    found += 1
        if found:
            log.warning("index rebuilt from the files", extra=fields(events=found))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def _encoded(event: wire.Event) -> bytes:
    packed: bytes = msgpack.packb(event.model_dump())
    return packed


def _decoded(record: bytes) -> wire.Event:
    return wire.Event.model_validate(msgpack.unpackb(record, use_list=False))


def _event_of(event_file: Path) -> wire.Event | None:
    """The event of a folder: its record, with each clip as its sidecar has it."""
    try:
        event = wire.Event.model_validate_json(event_file.read_bytes())
    except (OSError, ValidationError) as err:
        log.error("event file is damaged", extra=fields(file=event_file.parent.name, error=str(err)[:500]))
        return None
    newest = event
    clips: list[wire.Clip] = []
    for clip in event.clips:
        try:
            document = sidecar.parse(event_file.with_name(f"{clip.camera_id}.json").read_bytes())
        except (OSError, sidecar.SidecarDamaged):
            clips.append(clip)
            continue
        clips.append(_with_sidecar(document.clip, event_file.with_name(f"{clip.camera_id}.json")))
        newest = document.event
    # The event's own changes (an amended end, protection) are in whichever file was written last.
    return newest.model_copy(
        update={"clips": tuple(clips), "state": state_of(tuple(clips)), "is_protected": event.is_protected}
    )


def _with_sidecar(clip: wire.Clip, path: Path) -> wire.Clip:
    """The clip with its sidecar among its files: a sidecar does not list itself."""
    name = path.relative_to(path.parent.parent.parent).as_posix()
    fact = wire.FileFact(path=name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
    return clip.model_copy(update={"files": {**clip.files, "sidecar": fact}})


def _listing(query: wire.ListEvents) -> tuple[str, list[str | int]]:
    """The statement: one index in the order of the answer, whichever filter is given."""
    source, where, values = "event AS e", list[str](), list[str | int]()
    if query.camera_id is not None:
        source = "clip AS e JOIN event AS r ON r.event_id = e.event_id"
        where.append("e.camera_id = ?")
        values.append(query.camera_id)
    if query.label is not None:
        key, is_pair, value = query.label.partition("=")
        if query.camera_id is None:
            source = "label AS e JOIN event AS r ON r.event_id = e.event_id"
            where.append("e.key = ?" + (" AND e.value = ?" if is_pair else ""))
        else:
            same = " AND l.value = ?" if is_pair else ""
            where.append(f"EXISTS (SELECT 1 FROM label AS l WHERE l.event_id = e.event_id AND l.key = ?{same})")  # noqa: S608 - values are parameters
        values += [key, value] if is_pair else [key]
    if query.since_unix_ns is not None:
        where.append("e.triggered >= ?")
        values.append(query.since_unix_ns)
    if query.until_unix_ns is not None:
        where.append("e.triggered <= ?")
        values.append(query.until_unix_ns)
    if query.cursor is not None:
        where.append("(e.triggered, e.event_id) < (?, ?)")
        values += _from_cursor(query.cursor)
    record = "e.record" if source.startswith("event") else "r.record"
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    values.append(query.limit + 1)
    return f"SELECT {record} FROM {source} {condition}ORDER BY e.triggered DESC, e.event_id DESC LIMIT ?", values  # noqa: S608


def _cursor_of(event: wire.Event) -> str:
    return base64.urlsafe_b64encode(f"{event.triggered_unix_ns}/{event.event_id}".encode()).decode()


def _from_cursor(cursor: str) -> list[str | int]:
    try:
        triggered, _, event_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("/")
        return [int(triggered), event_id]
    except (binascii.Error, ValueError) as err:
        raise wire.WireError(f"cursor={cursor[:80]!r} was not given by a page of events") from err
