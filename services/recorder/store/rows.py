"""An event as rows of the index: writing, changing and reading them, within a transaction of the caller's."""

import json
import logging
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgpack
from pydantic import ValidationError

from preroll import wire
from preroll.logs import fields
from services.recorder.store.filters import names_of

log = logging.getLogger(__name__)


class Total(NamedTuple):
    """Of all events together."""

    size_bytes: int
    events: int


class _Former(NamedTuple):
    number: int
    triggered: int
    names: frozenset[str]


def total_of(connection: sqlite3.Connection) -> Total:
    return Total(*connection.execute("SELECT size_bytes, events FROM total").fetchone())


def is_known(connection: sqlite3.Connection, event_id: str, *, is_protected: bool | None = None) -> bool:
    """Whether there is such an event, protected or not where that is asked."""
    row = connection.execute("SELECT is_protected FROM event WHERE event_id = ?", (event_id,)).fetchone()
    return row is not None and (is_protected is None or bool(row[0]) == is_protected)


def may_change(connection: sqlite3.Connection, event_id: str) -> bool:
    """Whether there is such an event that is not being deleted."""
    going = connection.execute("SELECT 1 FROM deletion WHERE event_id = ?", (event_id,)).fetchone()
    return going is None and is_known(connection, event_id)


def put(writer: sqlite3.Connection, event: wire.Event, plan: str | None) -> None:
    """Store the event in place of its former self; no `plan` keeps the former one."""
    triggered = event.triggered_unix_ns
    size_bytes = sum(fact.size_bytes for clip in event.clips for fact in clip.files.values())
    is_waiting = any(clip.state == "saved" or _may_come_back(clip) for clip in event.clips)
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
    writer.execute(
        "UPDATE event SET triggered = ?, state = ?, is_protected = ?, is_waiting = ?, size_bytes = ?, record = ?, "
        "plan = coalesce(?, plan) WHERE number = ?",
        (*row, former.number),
    )
    if (former.triggered, former.names) != (triggered, names):
        _lose(writer, former)
        _find_by(writer, former.number, triggered, names)


def delete(writer: sqlite3.Connection, event_id: str) -> None:
    """Remove the event's rows, if there are any."""
    former = _former(writer, event_id)
    if former is not None:
        _lose(writer, former)
        writer.execute("DELETE FROM event WHERE number = ?", (former.number,))


def remember(writer: sqlite3.Connection, camera_ids: Iterable[str]) -> None:
    writer.executemany("INSERT OR IGNORE INTO camera VALUES (?)", [(name,) for name in sorted(set(camera_ids))])


def event_of(event_id: str, record: bytes) -> wire.Event | None:
    """The event that was put; `None` for a record that cannot be read, which costs that event alone."""
    try:
        return wire.Event.model_validate(msgpack.unpackb(record, use_list=False))
    except (ValidationError, ValueError, TypeError, msgpack.UnpackException) as err:
        log.error("record in the index cannot be read", extra=fields(event_id=event_id, error=str(err)[:500]))
        return None


def plan_of(text: str | None) -> dict[str, Any] | None:
    """The plan that was put with an event; `None` when there is none to be read."""
    try:
        plan = json.loads(text) if text is not None else None
    except ValueError:
        return None
    return plan if isinstance(plan, dict) else None


def _may_come_back(clip: wire.Clip) -> bool:
    """Whether the clip failed and nothing on disk says so: perhaps the disk did not give or take what is there."""
    return clip.state == "failed" and "sidecar" not in clip.files


def _former(writer: sqlite3.Connection, event_id: str) -> _Former | None:
    """An event's number, trigger time and names, as they are stored."""
    row = writer.execute("SELECT number, triggered, record FROM event WHERE event_id = ?", (event_id,)).fetchone()
    if row is None:
        return None
    try:
        record = msgpack.unpackb(row[2])
        names = names_of([clip["camera_id"] for clip in record["clips"]], record["labels"])
    except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException):
        names = frozenset()  # its names stay, and lead nowhere
    return _Former(row[0], row[1], names)


def _find_by(writer: sqlite3.Connection, number: int, triggered: int, names: Iterable[str]) -> None:
    found = [(name, triggered, number) for name in names]
    writer.executemany("INSERT OR IGNORE INTO filter (name) VALUES (?)", [row[:1] for row in found])
    writer.executemany(
        "INSERT OR IGNORE INTO found_by VALUES ((SELECT number FROM filter WHERE name = ?), ?, ?)", found
    )


def _lose(writer: sqlite3.Connection, former: _Former) -> None:
    writer.executemany(
        "DELETE FROM found_by WHERE filter = (SELECT number FROM filter WHERE name = ?) AND triggered = ? AND event = ?",
        [(name, former.triggered, former.number) for name in former.names],
    )
    writer.executemany(
        "DELETE FROM filter WHERE name = ? "
        "AND NOT EXISTS (SELECT 1 FROM found_by WHERE found_by.filter = filter.number)",
        [(name,) for name in former.names],
    )
