"""The index: every event, and how to find it. SQLite, opened by the recorder alone.

What is written is durable on return. The figures come from memory.
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

from preroll import wire
from services.recorder.store import rows, schema
from services.recorder.store.filters import cursor_of, listing
from services.recorder.store.index_file import WRITE_WAIT_S, IndexFile

PAGE_BYTES: Final = 1_000_000  # of a message's 4 MiB
SETTLED_TOGETHER: Final = 500  # events in one transaction
TURN_S: Final = 0.002  # a lock that is let go and taken at once comes to no other thread


class Index(IndexFile):
    """The events of one clips directory. Safe to use from several threads; errors are `IndexUnavailable`."""

    # --- writing

    def put(self, event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        """Store the event in place of a former record; durable on return. `plan` stays as it was when `None`."""
        with self._writing():
            rows.put(self._writer, event, None if plan is None else json.dumps(plan))
        self._is_in_doubt = False

    def put_all(self, events: Iterable[wire.Event]) -> None:
        """Store many events, all or none; durable on return."""
        with self._writing():
            for event in events:
                rows.put(self._writer, event, None)

    def replace(self, event: wire.Event) -> bool:
        """Store the event in place of its former record; false when there is none, or it is being deleted."""
        with self._writing():
            if not rows.may_change(self._writer, event.event_id):
                return False
            rows.put(self._writer, event, None)
            return True

    def forget(self, event_id: str) -> None:
        """Forget the event, if it is known: it was not accepted in the end, or its deletion has begun."""
        with self._writing():
            rows.delete(self._writer, event_id)

    def begin_deletion(self, event_id: str, folder: str) -> bool:
        """Note, durably, that the event and its folder are to go; false when there is none, or it is protected.

        The folder is to go next, then `end_deletion`; what a crash leaves is in `deletions`.
        """
        with self._writing():
            if not rows.is_known(self._writer, event_id, is_protected=False):
                return False
            self._writer.execute("INSERT OR REPLACE INTO deletion VALUES (?, ?)", (event_id, folder))
            return True

    def cancel_deletion(self, event_id: str) -> None:
        """The folder could not be removed: the event stays."""
        with self._writing():
            self._writer.execute("DELETE FROM deletion WHERE event_id = ?", (event_id,))

    def end_deletion(self, event_id: str) -> None:
        """The folder is gone, and so is the event."""
        with self._writing():
            rows.delete(self._writer, event_id)
            self._writer.execute("DELETE FROM deletion WHERE event_id = ?", (event_id,))

    def remember_cameras(self, camera_ids: Iterable[str], wait_s: float = WRITE_WAIT_S) -> None:
        """Remember cameras beyond the recorder's life; costs nothing when they are known."""
        if self._known is None:
            self._known = set(self.cameras())
        new = set(camera_ids) - self._known
        if new:
            with self._writing(wait_s):
                rows.remember(self._writer, new)
            self._known |= new

    def forget_camera(self, camera_id: str) -> None:
        with self._writing():
            self._writer.execute("DELETE FROM camera WHERE camera_id = ?", (camera_id,))
        if self._known is not None:
            self._known.discard(camera_id)

    def put_running(self, note: str) -> None:
        """Store the note of the running time; durable on return."""
        with self._writing():
            self._writer.execute("INSERT OR REPLACE INTO running VALUES (1, ?)", (note,))

    def settle_running(self, now_ns: int) -> None:
        """Have each event without a running time count from `now_ns`, and none from later.

        After an update from a version without it that is all of them. So it is done in parts, with a pause for the
        triggers that wait for their turn.
        """
        sql = "SELECT number FROM event WHERE running_ns IS NULL OR running_ns > ?"
        numbers = [(now_ns, number, now_ns) for (number,) in self._all(sql, (now_ns,))]
        for first in range(0, len(numbers), SETTLED_TOGETHER):
            with self._writing():
                self._writer.executemany(
                    "UPDATE event SET running_ns = ? WHERE number = ? AND (running_ns IS NULL OR running_ns > ?)",
                    numbers[first : first + SETTLED_TOGETHER],
                )
            time.sleep(TURN_S)

    def check(self) -> None:
        """`IndexUnavailable` when nothing could be stored now. Changes nothing.

        After a write that failed, a transaction that writes nothing says little: then the version is written, as it is.
        """
        with self._writing():
            if self._is_in_doubt:
                self._writer.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
        self._is_in_doubt = False

    # --- reading

    def running(self) -> str | None:
        """The note of the running time as it was stored."""
        found = self._all("SELECT note FROM running")
        return str(found[0][0]) if found else None

    def highest_running_ns(self, at_most_ns: int) -> int:
        """The highest running time that an event was noted with, of those that are not beyond `at_most_ns`; or 0."""
        return int(self._all("SELECT max(running_ns) FROM event WHERE running_ns <= ?", (at_most_ns,))[0][0] or 0)

    def get(self, event_id: str) -> wire.Event | None:
        found = self._all("SELECT event_id, record FROM event WHERE event_id = ?", (event_id,))
        return rows.event_of(*found[0]) if found else None

    def plan(self, event_id: str) -> dict[str, Any] | None:
        """The recorder's own facts of an event, as they were put with it."""
        found = self._all("SELECT plan FROM event WHERE event_id = ?", (event_id,))
        return rows.plan_of(found[0][0]) if found else None

    def page(self, query: wire.ListEvents) -> wire.EventsReply:
        """A page of events, newest first, of equal times the one accepted last. `WireError` for a foreign cursor.

        It ends early where its records are of more than `PAGE_BYTES`: what answers has other threads beside it.
        """
        shown: list[Any] = []
        size_bytes = 0
        next_cursor = None
        with closing(self._each(*listing(query))) as found:
            for row in found:
                if len(shown) == query.limit or size_bytes > PAGE_BYTES:
                    next_cursor = cursor_of(*shown[-1][:2])
                    break
                shown.append(row)
                size_bytes += len(row[3])
        if query.as_records:
            return wire.EventsReply(events=(), records=tuple(row[3] for row in shown), next_cursor=next_cursor)
        events = tuple(event for row in shown if (event := rows.event_of(*row[2:])) is not None)
        return wire.EventsReply(events=events, next_cursor=next_cursor)

    def unfinished(self) -> list[wire.Event]:
        """Events that are scheduled or being recorded, oldest first."""
        return list(self._events("WHERE state IN ('scheduled', 'recording') ORDER BY triggered"))

    def waiting(self) -> list[wire.Event]:
        """Events with a clip that is saved and not yet ready, or failed without a sidecar; oldest first."""
        return list(self._events("WHERE is_waiting = 1 ORDER BY triggered"))

    def all_events(self) -> Iterator[wire.Event]:
        return self._events("ORDER BY triggered, number")

    def removable(self) -> Iterator[tuple[str, int, int, int]]:
        """Events that retention may remove: id, trigger time (Unix ns), running time, size in bytes.

        In the order of running time, of equals the one accepted first; events without a running time come first.
        """
        yield from self._each(
            "SELECT event_id, triggered, coalesce(running_ns, 0), size_bytes FROM event "
            "WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording') ORDER BY running_ns, number"
        )

    def removable_before(self, unix_ns: int) -> int:
        """How many events that retention may remove were triggered before that wall time."""
        sql = (
            "SELECT count(*) FROM event "
            "WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording') AND triggered < ?"
        )
        return int(self._all(sql, (unix_ns,))[0][0])

    def moments(self) -> Iterator[tuple[str, int]]:
        """Each event's id and trigger time (Unix ns), in no order."""
        yield from self._each("SELECT event_id, triggered FROM event")

    def deletions(self) -> list[tuple[str, str]]:
        """Deletions that were begun and not ended: id and folder."""
        return self._all("SELECT event_id, folder FROM deletion")

    def is_being_deleted(self, event_id: str) -> bool:
        return bool(self._all("SELECT 1 FROM deletion WHERE event_id = ?", (event_id,)))

    def span(self) -> tuple[int, int] | None:
        """When the oldest and the newest event were triggered, wall time; `None` when there are none."""
        oldest, newest = self._all("SELECT (SELECT min(triggered) FROM event), (SELECT max(triggered) FROM event)")[0]
        return None if oldest is None else (oldest, newest)

    def count(self) -> int:
        return self._total.events

    def clips_bytes(self) -> int:
        """Bytes of all files of all events."""
        return self._total.size_bytes

    def cameras(self) -> list[str]:
        return [row[0] for row in self._all("SELECT camera_id FROM camera ORDER BY camera_id")]

    # --- parts

    def _events(self, where: str) -> Iterator[wire.Event]:
        for row in self._each(f"SELECT event_id, record FROM event {where}"):  # noqa: S608 - `where` is ours
            event = rows.event_of(*row)
            if event is not None:
                yield event
