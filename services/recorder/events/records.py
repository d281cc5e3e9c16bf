"""Keeps the records of events: their rows in the index, `event.json` in their folders, and word of them on the bus.

A new event's row is durable before its answer. What changes later may come behind: the newest state of each event is
written again and again until the disk takes it. Errors are said once for each cause, and told apart: only a full disk is
"full".
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from preroll import wire
from preroll.bus import BusSender
from preroll.logs import fields
from preroll.runtime.threads import Threads
from services.recorder.events.open_event import HELD_WITHIN_S, OpenEvent
from services.recorder.events.rules import CommandRejected
from services.recorder.events.write_behind import Deferred, Postponed
from services.recorder.store.database import IndexFull, IndexLocked, IndexUnavailable
from services.recorder.store.disk import OutOfDescriptors, StorageFull, WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.removal import Removal

log = logging.getLogger(__name__)

GATHER_S: Final = 0.05


def cause_of(err: Exception) -> tuple[wire.RefusalCode, str]:
    """The code and the words for an error of the index or of the disk. Only what is full is full."""
    match err:
        case IndexFull() | StorageFull():
            return "storage_full", str(err)
        case IndexUnavailable():
            return "index_unavailable", str(err)
        case OutOfDescriptors():
            return "out_of_descriptors", str(err)
        case WriteFailed():
            return "storage_failed", str(err)
    return "internal", f"{type(err).__name__}: {err}"


@contextmanager
def refused(doing: str) -> Iterator[None]:
    """Turns an error of the index or of the disk into a refusal that names it."""
    try:
        yield
    except (IndexUnavailable, WriteFailed) as err:
        code, words = cause_of(err)
        raise CommandRejected(code, f"{doing}: {words}") from err


class Records:
    """`on_stored` is called with an event's lock held, each time its newest state is in the index."""

    def __init__(
        self, index: Index, clips: ClipsDir, bus: BusSender, threads: Threads, on_stored: Callable[[OpenEvent], None]
    ) -> None:
        self._index = index
        self._clips = clips
        self._bus = bus
        self._on_stored = on_stored
        self._removal = Removal(clips, index)
        self._refused: str | None = None  # an event whose row may be there all the same
        self._refusing = threading.Lock()
        self._files: Deferred[str, wire.Event] = Deferred("writing event files", self._write_file, threads)
        self._rows: Deferred[str, OpenEvent] = Deferred(
            "writing events to the index", self._write_row, threads, GATHER_S
        )
        self._remains: Deferred[Path, None] = Deferred("removing files", self._remove_files, threads)

    # --- looking

    def get(self, event_id: str) -> wire.Event | None:
        """The event as the index has it; one that was refused is none."""
        return None if event_id == self._refused else self._index.get(event_id)

    def existing(self, event_id: str) -> wire.Event:
        """As `get`; `CommandRejected` when there is none."""
        event = self.get(event_id)
        if event is None:
            raise CommandRejected("unknown_event", f"event {event_id} does not exist")
        return event

    # --- a new event

    def insert(self, opened: OpenEvent) -> None:
        """Store the row of a new event, durably, or `CommandRejected`.

        What a failed commit has left is not known. It is removed before any other event is stored: so there is at most
        one such row, and it is not shown.
        """
        event_id = opened.event.event_id
        with self._refusing:
            self._remove_refused()
            try:
                self._index.put(opened.event, opened.plan.as_json())
            except Exception as err:
                if not isinstance(err, IndexLocked):  # then nothing was written
                    self._refused = event_id
                code, words = cause_of(err)
                if code == "internal":
                    log.exception("event not stored", extra=fields(event_id=event_id))
                raise CommandRejected(code, f"event {event_id} could not be stored: {words}") from err

    def check(self) -> None:
        """`CommandRejected` when a new event could not be stored now. Stores nothing."""
        with self._refusing:
            self._remove_refused()
            with refused("the event could not be stored"):
                self._index.get("check")
                self._index.check()

    def _remove_refused(self) -> None:
        if self._refused is not None:
            with refused("no event can be stored"):
                self._index.forget(self._refused)
            self._refused = None

    # --- changes

    def commit(self, opened: OpenEvent, event: wire.Event) -> None:
        """Change the event to `event`, durably, or `CommandRejected` with the event as it was. Under the event's lock."""
        with refused(f"event {event.event_id} could not be changed"):
            if self._index.is_being_deleted(event.event_id):
                raise CommandRejected("conflict", f"event {event.event_id} is being deleted", event.state)
            self._index.put(event, opened.plan.as_json())
        opened.event = event
        opened.is_stored = True
        self.tell(opened)

    def store(self, opened: OpenEvent) -> None:
        """Store a change, durably if that can be done now. Under the event's lock."""
        opened.is_stored = False
        try:
            self._put(opened)
        except Postponed:
            self.store_behind(opened)
        self.tell(opened)

    def store_behind(self, opened: OpenEvent) -> None:
        """Store a change soon, and tell it then."""
        self._rows.put(opened.event.event_id, opened)

    def write_file(self, folder: str, event: wire.Event) -> None:
        """Write `event.json` soon: a lost index is rebuilt from it."""
        self._files.put(folder, event)

    def change_finished(self, event: wire.Event) -> None:
        """Store and tell a change of an event that nothing else changes any more, or `CommandRejected`."""
        with refused(f"event {event.event_id} could not be changed"):
            if not self._index.replace(event):
                raise CommandRejected("unknown_event", f"event {event.event_id} does not exist")
        self.write_file(folder_of(event), event)
        self._tell(event)

    def settle(self, opened: OpenEvent) -> None:
        """See whether the event's newest state is in the index. Under the event's lock."""
        if opened.is_stored:
            self._on_stored(opened)

    def tell(self, opened: OpenEvent) -> None:
        """Tell of the event as it is now, once."""
        event = opened.event
        if opened.told is not event:
            opened.told = event
            self._tell(event)

    # --- removing

    def begin_removal(self, event: wire.Event) -> None:
        """Note, durably, that the event goes, and forget its row; its files go by `end_removal`."""
        event_id = event.event_id
        with refused(f"event {event_id} could not be removed"):
            self._begin_deletion(event)
            self._index.forget(event_id)

    def end_removal(self, event: wire.Event) -> None:
        """Remove the files of an event whose removal has begun, and tell it; `CommandRejected` when that cannot be now."""
        self._forget_file(event)
        with refused(f"event {event.event_id} could not be removed"):
            self._end_deletion(event, "asked")

    def remove(self, event: wire.Event, reason: Literal["asked", "retention"]) -> Path | None:
        """Remove the event, and tell it; `CommandRejected`, with the event as it was, when that cannot be done now.

        What retention has removed leaves its files, for `remove_remains`. That takes long: no lock is to be held for it.
        """
        with refused(f"event {event.event_id} could not be removed"):
            self._begin_deletion(event)
            try:
                self._forget_file(event)
                return self._end_deletion(event, reason)
            except (CommandRejected, WriteFailed):
                self._index.cancel_deletion(event.event_id)
                self.write_file(folder_of(event), event)  # it may have waited to be written
                raise

    def remove_remains(self, remains: Path) -> None:
        """Remove the files of an event that is removed."""
        self._clips.remove_doomed(remains)

    def is_being_removed(self, event_id: str) -> bool:
        return self._index.is_being_deleted(event_id)

    def end_removals(self, is_busy: Callable[[str], bool]) -> None:
        """End removals that were begun and could not be ended, but of events that are busy."""
        self._removal.end_all(is_busy)

    def _begin_deletion(self, event: wire.Event) -> None:
        if not self._index.begin_deletion(event.event_id, folder_of(event)):
            raise CommandRejected("wrong_state", f"event {event.event_id} was changed meanwhile", event.state)

    def _forget_file(self, event: wire.Event) -> None:
        if not self._files.forget(folder_of(event), HELD_WITHIN_S):
            raise CommandRejected("busy", f"event {event.event_id} is being written, for more than {HELD_WITHIN_S:g} s")

    def _end_deletion(self, event: wire.Event, reason: Literal["asked", "retention"]) -> Path | None:
        """The folder's new name is the deletion. Its files go behind an answer; retention, which waits for their room, gets
        their place.
        """
        event_id = event.event_id
        remains = self._removal.take_away(event_id, folder_of(event))
        self._bus.send(
            lambda stamp: wire.EventDeleted.model_validate({**stamp, "event_id": event_id, "reason": reason})
        )
        log.info("event removed", extra=fields(event_id=event_id, reason=reason))
        if remains is None or reason == "retention":
            return remains
        self._remains.put(remains, None)
        return None

    # --- time

    def try_again(self) -> None:
        """Do what could not be done before."""
        for behind in (self._files, self._rows, self._remains):
            behind.try_again()
        with self._refusing:
            try:
                self._remove_refused()
            except CommandRejected as err:
                log.debug("row of a refused event not removed yet: %s", err)

    def wait_stored(self, timeout_s: float) -> bool:
        """Wait until the rows of all changes are in the index; false when they are not in time."""
        return self._rows.wait_done(timeout_s)

    def wait_written(self, timeout_s: float) -> bool:
        """As `wait_stored`, for the events' files and for what is being removed."""
        return self._files.wait_done(timeout_s) and self._remains.wait_done(timeout_s)

    @property
    def failures(self) -> int:
        """How often a row, a file or a removal could not be done, since the start."""
        return self._files.failures + self._rows.failures + self._remains.failures

    # --- parts

    def _write_row(self, _event_id: str, opened: OpenEvent) -> None:
        with opened.lock:
            if opened.is_doomed:
                return
            try:
                self._put(opened)
            finally:
                self.tell(opened)
            self.settle(opened)

    def _put(self, opened: OpenEvent) -> None:
        """The clip's files are on disk, and say what the row is to say: a full disk delays the row, nothing more."""
        try:
            self._index.put(opened.event, opened.plan.as_json())
        except IndexUnavailable as err:
            raise Postponed(str(err)) from err
        opened.is_stored = True

    def _write_file(self, folder: str, event: wire.Event) -> None:
        try:
            self._clips.write_event(folder, event)
        except WriteFailed as err:
            raise Postponed(str(err)) from err

    def _remove_files(self, remains: Path, _: None) -> None:
        self.remove_remains(remains)

    def _tell(self, event: wire.Event) -> None:
        self._bus.send(lambda stamp: wire.EventChanged.model_validate({**stamp, "event": event}))


def folder_of(event: wire.Event) -> str:
    return ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
