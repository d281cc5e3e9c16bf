"""All events: from the command that asks for one to the clip that is ready.

The command thread starts, amends and deletes; writers and encoders report from their own threads. A change is made
under the event's lock, stored in the index, then told on the bus. An event is acknowledged once it is stored: its row,
one sync, makes it durable. Everything else comes behind the answer, so that nothing competes with it.
"""

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final, Literal, Protocol

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S, Clock, nanoseconds, seconds
from preroll.logs import fields
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.window import Window
from services.recorder.events import clip_life
from services.recorder.events.acceptance import Acceptance
from services.recorder.events.amending import amend
from services.recorder.events.open_event import EventPlan, OpenEvent
from services.recorder.events.rules import (
    Anchor,
    CommandRejected,
    Limits,
)
from services.recorder.events.schedule import due, why_passed
from services.recorder.events.write_behind import Deferred
from services.recorder.store.database import IndexFull, IndexLocked, IndexUnavailable
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.removal import Removal
from services.recorder.store.running_time import RunningTime

log = logging.getLogger(__name__)

TRY_AGAIN_NS: Final = NS_PER_S
GATHER_S: Final = 0.05


class ClipsStage(Protocol):
    """What happens to an event's clips after the ring: writing, then encoding."""

    def write(self, opened: OpenEvent, recording: Recording) -> None:
        """Begin to write the clip of `recording`."""
        ...

    def is_storage_full(self) -> str | None:
        """Why nothing can be written now, or `None`."""
        ...


class Events:
    """The events that are not finished, and the way to those that are."""

    def __init__(
        self,
        cameras: Cameras,
        index: Index,
        clips: ClipsDir,
        limits: Limits,
        bus: BusSender,
        clock: Clock,
        boot_id: str,
        running: RunningTime,
    ) -> None:
        self._running = running
        self._cameras = cameras
        self._index = index
        self._clips = clips
        self._limits = limits
        self._acceptance = Acceptance(cameras, limits, boot_id)
        self._bus = bus
        self._clock = clock
        self._boot_id = boot_id
        self._began_ns = clock.monotonic_ns()
        self._lock = threading.Lock()
        self._open: dict[str, OpenEvent] = {}
        self._removal = Removal(clips, index)
        self._is_closing = False
        self._accepted: queue.SimpleQueue[OpenEvent] = queue.SimpleQueue()
        self._try_again_ns = 0
        # The event's file serves to rebuild a lost index, a clip's sidecar says what its row is to say: both may wait.
        self._files: Deferred[str, wire.Event] = Deferred("event-files", self._write_file)
        self._rows: Deferred[str, OpenEvent] = Deferred("event-rows", self._keep_row, GATHER_S)
        self.stage: ClipsStage | None = None

    # --- looking

    def get(self, event_id: str) -> wire.Event:
        """The event as it is now; `CommandRejected` when there is none."""
        opened = self.opened(event_id)
        if opened is not None:
            return opened.event
        event = self._index.get(event_id)
        if event is None:
            raise CommandRejected("unknown_event", f"event {event_id} does not exist")
        return event

    def opened(self, event_id: str) -> OpenEvent | None:
        """The event, if it is not finished and not deleted."""
        with self._lock:
            opened = self._open.get(event_id)
        return None if opened is None or opened.is_doomed else opened

    def active(self) -> list[OpenEvent]:
        """Events that are scheduled or being recorded."""
        with self._lock:
            return [opened for opened in self._open.values() if opened.event.state in ("scheduled", "recording")]

    def recording_clips(self) -> int:
        return sum(clip.state == "recording" for opened in self.active() for clip in opened.event.clips)

    # --- commands

    def start(self, command: wire.StartEvent) -> wire.EventReply:
        """Accept an event, or raise `CommandRejected`. When this returns, the event is durable."""
        known = self._known(command)
        if known is not None:
            return known
        if self._is_closing:
            raise CommandRejected("shutting_down", "the recorder is stopping")
        now_ns = self._clock.monotonic_ns()
        active = self.active()
        self._acceptance.check_room(len(active), self.stage.is_storage_full() if self.stage is not None else None)
        plan = self._acceptance.plan(command, now_ns)
        opened = self._acceptance.begin(command, plan, now_ns, self._running.now_ns(now_ns), active)
        try:
            self._index.put(opened.event, plan.as_json())
        except Exception as err:
            self._abandon(opened, err)
            if not isinstance(err, IndexUnavailable):
                raise
            code: wire.RefusalCode = "storage_full" if isinstance(err, IndexFull) else "index_unavailable"
            raise CommandRejected(code, f"the event could not be stored: {err}") from err
        accepted_ns = self._clock.monotonic_ns()
        with opened.lock:
            opened.event = clip_life.durable(opened.event, seconds(accepted_ns - plan.anchor.received_ns))
        with self._lock:
            self._open[command.event_id] = opened
        self._accepted.put(opened)
        return wire.EventReply(event=opened.event, is_new=True)

    def follow_up(self) -> None:
        """Start the writers of the events accepted since the last call, and tell of them.

        To be called when the answers are on their way: the writers of a window's past have much to do at once.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                opened = self._accepted.get_nowait()
                with opened.lock:
                    event = opened.event
                    if not opened.is_doomed:
                        self._tell(opened)
                        self._files.put(opened.plan.folder, event)
                        self._start_writers(opened)
                log.info(
                    "event accepted", extra=fields(event_id=event.event_id, cameras=len(event.clips), state=event.state)
                )

    def amend(self, command: wire.AmendEvent) -> wire.EventReply:
        """Move the end of a running window; an end that has passed already means now.

        Of a window that is over, an end no later than its own asks for nothing more: a command sent twice does no harm.
        A later end is that of all clips, or refused.
        """
        opened = self.opened(command.event_id)
        if opened is None:
            event = self.get(command.event_id)
            if nanoseconds(command.post_s) <= nanoseconds(event.post_s):
                return wire.EventReply(event=event)
            raise CommandRejected(
                "wrong_state", f"event {command.event_id} is {event.state}: it runs no more", event.state
            )
        with opened.held():
            if self._is_closing:
                raise CommandRejected("shutting_down", "the recorder is stopping")
            if amend(opened, command.post_s, self._cameras, self._limits, self._clock.monotonic_ns()):
                self._store(opened)
                self._files.put(opened.plan.folder, opened.event)
            return wire.EventReply(event=opened.event)

    def delete(self, command: wire.DeleteEvent) -> wire.Done:
        """Remove an event; its running clips are ended first. A protected one is not removed."""
        event = self.get(command.event_id)
        if event.is_protected:
            raise CommandRejected("wrong_state", f"event {command.event_id} is protected", event.state)
        opened = self.opened(command.event_id)
        if opened is None:
            if not self.remove(event, "asked"):
                raise CommandRejected("wrong_state", f"event {command.event_id} was changed meanwhile", event.state)
            return wire.Done()
        with opened.lock:
            if not self._index.begin_deletion(command.event_id, opened.plan.folder) and opened.event.is_protected:
                raise CommandRejected("wrong_state", f"event {command.event_id} is protected", opened.event.state)
            self._index.forget(command.event_id)  # its folder goes when its writers are done
            opened.is_doomed = True
            is_busy = opened.is_recording and opened.has_writers
            for recording in opened.recordings.values():
                recording.end("deleted")
        if not is_busy:
            self._remove_doomed(opened)
        return wire.Done()

    def protect(self, command: wire.ProtectEvent) -> wire.EventReply:
        """Keep an event from retention and deletion, or no longer."""
        opened = self.opened(command.event_id)
        if opened is not None:
            with opened.lock:
                opened.event = clip_life.protected(opened.event, is_protected=command.is_protected)
                self._store(opened)
                self._files.put(opened.plan.folder, opened.event)
            return wire.EventReply(event=opened.event)
        event = clip_life.protected(self.get(command.event_id), is_protected=command.is_protected)
        if not self._index.replace(event):
            raise CommandRejected("unknown_event", f"event {command.event_id} does not exist")
        self._clips.write_event(self._folder_of(event), event)
        self._bus.send(lambda stamp: wire.EventChanged.model_validate({**stamp, "event": event}))
        return wire.EventReply(event=event)

    # --- what the stages report

    def change_clip(self, event_id: str, camera_id: str, change: Callable[[wire.Clip], wire.Clip]) -> OpenEvent | None:
        """Change a clip's record, have it stored and told; `None` when the event is gone or deleted."""
        with self._lock:
            opened = self._open.get(event_id)
        if opened is None:
            return None
        with opened.lock:
            opened.event = clip_life.with_clips(opened.event, change(opened.clip(camera_id)))
            if self._is_going(opened):
                return None
            opened.is_stored = False
        self._rows.put(event_id, opened)
        return opened

    def is_open(self, event_id: str) -> bool:
        """Whether the event is not finished yet, or is being deleted."""
        with self._lock:
            return event_id in self._open

    def retire(self, event_id: str) -> bool:
        """Remove a finished event for retention, unless it is protected by now; whether it was."""
        event = self._index.get(event_id)
        return event is not None and not self.is_open(event_id) and self.remove(event, "retention")

    def remove(self, event: wire.Event, reason: Literal["asked", "retention"]) -> bool:
        """Remove a finished event and its files, and tell it; false when there is none, or it is protected by now."""
        folder = self._folder_of(event)
        if not self._index.begin_deletion(event.event_id, folder):
            return False
        self._files.forget(folder)
        try:
            self._removal.end(event.event_id, folder)
        except WriteFailed:
            self._index.cancel_deletion(event.event_id)
            raise
        self._tell_deleted(event, reason)
        return True

    def end_deletions(self) -> None:
        """Try again to remove what was deleted and is still there. `IndexUnavailable` when that cannot be read."""
        self._removal.end_all(self.is_open)

    # --- time

    def tick(self) -> None:
        """Begin the scheduled events whose window has begun; store what could not be stored before."""
        now_ns = self._clock.monotonic_ns()
        self.follow_up()
        if now_ns >= self._try_again_ns:
            self._try_again_ns = now_ns + TRY_AGAIN_NS
            self._files.try_again()
            self._rows.try_again()
        for opened in self.active():
            if opened.event.state == "scheduled":
                try:
                    self._attend(opened, now_ns)
                except Exception:
                    log.exception("scheduled event left alone", extra=fields(event_id=opened.event.event_id))

    # --- start and end of the recorder

    def adopt(self, event: wire.Event) -> OpenEvent:
        """Take an unfinished event of an earlier life back into the table.

        On the same boot the plan holds; after a reboot the clocks have a new origin, and the wall clock, which named
        the moment, places it anew.
        """
        now_ns = self._clock.monotonic_ns()
        running_ns = self._running.now_ns(now_ns)
        noted_ns = running_ns if event.running_ns is None else min(event.running_ns, running_ns)
        opened = OpenEvent(event, self._adopted_plan(event), noted_ns)
        with self._lock:
            self._open[event.event_id] = opened
        if not self._clips.event_file(opened.plan.folder).exists():
            self._files.put(opened.plan.folder, event)
        return opened

    def wait_stored(self, timeout_s: float) -> bool:
        """Wait until the rows of all changes are in the index; false when they are not in time, the disk being full."""
        return self._rows.wait_done(timeout_s)

    def close(self, timeout_s: float) -> None:
        """End every running clip as it is, and wait until they are saved, at most `timeout_s` seconds."""
        self._is_closing = True
        self.follow_up()
        for opened in self.active():
            with opened.lock:
                for recording in opened.recordings.values():
                    recording.end("the recorder was stopped")
        deadline = time.monotonic() + timeout_s
        while self.recording_clips() and time.monotonic() < deadline:
            time.sleep(0.02)
        for behind in (self._rows, self._files):
            behind.wait_done(max(0.1, deadline - time.monotonic()))

    # --- parts

    def _known(self, command: wire.StartEvent) -> wire.EventReply | None:
        opened = self.opened(command.event_id)
        event = opened.event if opened is not None else self._index.get(command.event_id)
        if event is None:
            if self.is_open(command.event_id) or self._index.is_being_deleted(command.event_id):
                raise CommandRejected("conflict", f"event {command.event_id} is being deleted")
            return None
        if event.fingerprint != command.fingerprint:
            raise CommandRejected("conflict", f"event {command.event_id} exists, with another request", event.state)
        return wire.EventReply(event=event)

    def _abandon(self, opened: OpenEvent, err: Exception) -> None:
        for recording in opened.recordings.values():
            recording.end("not accepted")
        if isinstance(err, IndexLocked):
            return  # the answer has waited as long as it may, and nothing was written
        with contextlib.suppress(sqlite3.Error):
            self._index.forget(opened.event.event_id)

    def _start_writers(self, opened: OpenEvent) -> None:
        assert self.stage is not None
        opened.has_writers = True
        for recording in opened.recordings.values():
            self.stage.write(opened, recording)

    def _store(self, opened: OpenEvent) -> None:
        if not self._put(opened):
            self._rows.put(opened.event.event_id, opened)
        self._tell(opened)

    def _put(self, opened: OpenEvent) -> bool:
        """The clip's files are on disk, and say what the row is to say: a full disk delays the row, nothing more."""
        try:
            self._index.put(opened.event, opened.plan.as_json())
            opened.is_stored = True
        except sqlite3.Error as err:
            opened.is_stored = False
            about = fields(event_id=opened.event.event_id, error=str(err))
            log.error("event not stored in the index, tried again later", extra=about)
        return opened.is_stored

    def _keep_row(self, _event_id: str, opened: OpenEvent) -> bool:
        with opened.lock:
            if opened.is_doomed:
                return True
            is_kept = self._put(opened)
            self._close_if_finished(opened)
        self._tell(opened)
        return is_kept

    def _write_file(self, folder: str, event: wire.Event) -> bool:
        try:
            self._clips.write_event(folder, event)
        except WriteFailed as err:
            log.error("event file not written, tried again later: %s", err, extra=fields(event_id=event.event_id))
            return False
        return True

    def _close_if_finished(self, opened: OpenEvent) -> None:
        if opened.is_finished and opened.is_stored:
            with self._lock:
                self._open.pop(opened.event.event_id, None)

    def _tell(self, opened: OpenEvent) -> None:
        event = opened.event
        self._bus.send(lambda stamp: wire.EventChanged.model_validate({**stamp, "event": event}))

    def _is_going(self, opened: OpenEvent) -> bool:
        if opened.is_doomed and not opened.is_recording:
            self._remove_doomed(opened)
        return opened.is_doomed

    def _remove_doomed(self, opened: OpenEvent) -> None:
        with self._lock:
            self._open.pop(opened.event.event_id, None)
        self._files.forget(opened.plan.folder)
        self._removal.end_later(opened.event.event_id, opened.plan.folder)
        self._tell_deleted(opened.event, "asked")

    def _tell_deleted(self, event: wire.Event, reason: Literal["asked", "retention"]) -> None:
        self._bus.send(
            lambda stamp: wire.EventDeleted.model_validate({**stamp, "event_id": event.event_id, "reason": reason})
        )
        log.info("event removed", extra=fields(event_id=event.event_id, reason=reason))

    def _attend(self, opened: OpenEvent, now_ns: int) -> None:
        """Begin a scheduled event, or let it fail, or leave it for later. What fails here is this event alone."""
        with opened.lock:
            if opened.is_doomed or opened.event.state != "scheduled":
                return
            try:
                if opened.plan.is_placed_by_wall:
                    opened.plan = opened.plan.placed_by_wall(self._unix_offset_ns(), self._boot_id)
                noted_ns = opened.event.running_ns if opened.running_ns is None else opened.running_ns
                ran_ns = self._running.now_ns(now_ns) - (noted_ns or 0)
                match due(opened.plan, now_ns, self._began_ns, ran_ns):
                    case "now":
                        self._begin(opened, now_ns)
                    case "passed":
                        self._fail(opened, why_passed(opened.plan, now_ns, ran_ns))
            except Exception as err:
                log.exception("scheduled event not begun", extra=fields(event_id=opened.event.event_id))
                self._fail(opened, f"it could not be begun: {type(err).__name__}: {err}"[:1000])

    def _begin(self, opened: OpenEvent, now_ns: int) -> None:
        with self._cameras.lock:
            self._acceptance.begin_recordings(opened, now_ns)
        opened.event = clip_life.begun(opened.event)
        lost = [clip for clip in opened.event.clips if clip.camera_id not in opened.recordings]
        why = ("the camera is not known any more, and there is no room for another",)
        opened.event = clip_life.with_clips(
            opened.event, *(clip_life.failed(clip, clip.requested, why, {}) for clip in lost)
        )
        self._store(opened)
        self._start_writers(opened)

    def _fail(self, opened: OpenEvent, why: str) -> None:
        """End an event of which nothing can be recorded."""
        for recording in opened.recordings.values():
            recording.end(why)
        idle = [clip for clip in opened.event.clips if clip.state == "scheduled"]
        opened.event = clip_life.with_clips(
            opened.event, *(clip_life.failed(clip, clip.requested, (why,), {}) for clip in idle)
        )
        log.error("scheduled event failed: %s", why, extra=fields(event_id=opened.event.event_id))
        self._store(opened)
        self._files.put(opened.plan.folder, opened.event)
        self._close_if_finished(opened)

    def _adopted_plan(self, event: wire.Event) -> EventPlan:
        plan: EventPlan | None = None
        try:
            facts = self._index.plan(event.event_id)
            plan = EventPlan.from_json(facts) if facts else None
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            about = fields(event_id=event.event_id, error=f"{type(err).__name__}: {err}"[:500])
            log.error("the event's plan is damaged: made anew from its record", extra=about)
        if plan is not None and plan.boot_id == self._boot_id and not plan.is_placed_by_wall:
            return plan
        offset_ns = self._unix_offset_ns()
        return (plan or self._plan_from_record(event, offset_ns)).placed_by_wall(offset_ns, self._boot_id)

    def _unix_offset_ns(self) -> int:
        return self._clock.unix_ns() - self._clock.monotonic_ns()

    def _plan_from_record(self, event: wire.Event, offset_ns: int) -> EventPlan:
        where = Anchor(event.triggered_unix_ns - offset_ns, event.received_unix_ns - offset_ns, offset_ns)
        window = Window.around(where.trigger_ns, event.pre_s, event.post_s)
        return EventPlan(self._boot_id, where, window, self._folder_of(event))

    @staticmethod
    def _folder_of(event: wire.Event) -> str:
        return ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
