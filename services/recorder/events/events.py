"""All events: from the command that asks for one to the clip that is ready.

The command thread starts, amends and deletes; writers and encoders report from their own threads. A change is made
under the event's lock, stored in the index, then told on the bus. An event is acknowledged once it is stored: its row,
one sync, makes it durable. Everything else comes behind the answer, so that nothing competes with it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S, Clock, seconds
from preroll.logs import fields
from preroll.runtime.patience import Patience
from preroll.runtime.threads import Threads
from services.recorder.cameras.table import Cameras
from services.recorder.events import clip_life
from services.recorder.events.acceptance import Acceptance
from services.recorder.events.admission import Supply
from services.recorder.events.amending import amend, check_finished
from services.recorder.events.clips_stage import ClipsStage
from services.recorder.events.handover import Handover
from services.recorder.events.keeping import Keeping
from services.recorder.events.open_event import EventPlan, OpenEvent
from services.recorder.events.open_events import OpenEvents
from services.recorder.events.records import Records, refused
from services.recorder.events.rules import CommandRejected, Limits
from services.recorder.events.scheduling import Scheduling
from services.recorder.store.database import IndexUnavailable
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.running_time import RunningTime

log = logging.getLogger(__name__)

TRY_AGAIN_NS: Final = NS_PER_S
CLOSE_STEP_S: Final = 0.02


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
        threads: Threads,
        supply: Callable[[], Supply] = Supply,
        min_free_bytes: int = 0,
    ) -> None:
        """`supply` reads what there is for one more event."""
        self._running = running
        self._cameras = cameras
        self._index = index
        self._clips = clips
        self._limits = limits
        self._acceptance = Acceptance(cameras, limits, boot_id, min_free_bytes)
        self._supply = supply
        self._clock = clock
        self._boot_id = boot_id
        self._open = OpenEvents()
        self._is_closing = False
        self._try_again_ns = 0
        self._records = Records(index, clips, bus, threads, self._close_if_finished)
        self._handover = Handover(self._records, self._clips_stage)
        self._scheduling = Scheduling(
            cameras, self._acceptance, index, self._records, running, clock, boot_id, self._handover.start_writers
        )
        self._keeping = Keeping(self._open, self._records, self._is_needed)
        self.stage: ClipsStage | None = None

    # --- looking

    def get(self, event_id: str) -> wire.Event:
        """The event as it is now; `CommandRejected` when there is none."""
        opened = self.opened(event_id)
        if opened is not None:
            return opened.event
        return self._records.existing(event_id)

    def opened(self, event_id: str) -> OpenEvent | None:
        """The event, if it is not finished and not deleted."""
        return self._open.living(event_id)

    def active(self) -> list[OpenEvent]:
        """Events that are scheduled or being recorded."""
        return self._open.active()

    def recording_clips(self) -> int:
        return sum(clip.state == "recording" for opened in self.active() for clip in opened.event.clips)

    # --- commands

    def start(self, command: wire.StartEvent) -> wire.EventReply:
        """Accept an event, or raise `CommandRejected`. When this returns, the event is durable."""
        with refused("the event could not be stored"):
            known = self._known(command)
        if known is not None:
            return known
        now_ns = self._clock.monotonic_ns()
        plan = self._judge(command, now_ns)
        taken = self._clips.taken(plan.folder, (each.plan.folder for each in self.active()))
        if taken is not None:
            raise CommandRejected("conflict", f"event_id={command.event_id} cannot be used: {taken}")
        opened = self._acceptance.begin(command, plan, now_ns, self._running.now_ns(now_ns))
        try:
            self._records.insert(opened)
        except CommandRejected:
            for recording in opened.recordings.values():
                recording.end("not accepted")
            raise
        accepted_ns = self._clock.monotonic_ns()
        with opened.lock:
            opened.event = clip_life.durable(opened.event, seconds(accepted_ns - plan.anchor.received_ns))
        self._open.add(opened)
        self._handover.put(opened)
        return wire.EventReply(event=opened.event, is_new=True)

    def check(self, command: wire.CheckTrigger) -> wire.TriggerChecked:
        """What a trigger with default settings would meet now. Records nothing."""
        now_ns = self._clock.monotonic_ns()
        refusal = None
        try:
            self._judge(
                wire.StartEvent(event_id="check", fingerprint="", received=command.received, age_ns=command.age_ns),
                now_ns,
            )
            self._records.check()
        except CommandRejected as err:
            refusal = err.refusal
        with self._cameras.lock:
            live = sum(track.state(now_ns) == "live" for track in self._cameras)
        return wire.TriggerChecked(cameras_live=live, refused=refusal)

    def follow_up(self) -> None:
        """Start the writers of the events accepted since the last call, and tell of them.

        To be called when the answers are on their way: the writers of a window's past have much to do at once.
        """
        self._handover.follow_up()

    def amend(self, command: wire.AmendEvent) -> wire.EventReply:
        """Move the end of a running window; an end that has passed already means now.

        Of a window that is over, an end no later than its own asks for nothing more: a command sent twice does no harm.
        A later end is that of all clips, or refused.
        """
        opened = self.opened(command.event_id)
        if opened is None:
            event = self.get(command.event_id)
            check_finished(event, command.post_s)
            return wire.EventReply(event=event)
        with opened.held():
            if self._is_closing:
                raise CommandRejected("shutting_down", "the recorder is stopping")
            if amend(opened, command.post_s, self._cameras, self._limits, self._clock.monotonic_ns()):
                self._records.store(opened)
                self._records.write_file(opened.plan.folder, opened.event)
            return wire.EventReply(event=opened.event)

    def delete(self, command: wire.DeleteEvent) -> wire.Done:
        """Remove an event; its running clips are ended first. A protected one is not removed."""
        self._keeping.delete(command.event_id)
        return wire.Done()

    def protect(self, command: wire.ProtectEvent) -> wire.EventReply:
        """Keep an event from retention and deletion, or no longer."""
        return wire.EventReply(event=self._keeping.protect(command.event_id, is_protected=command.is_protected))

    # --- what the stages report

    def change_clip(self, event_id: str, camera_id: str, change: Callable[[wire.Clip], wire.Clip]) -> OpenEvent | None:
        """Change a clip's record, have it stored and told; `None` when the event is gone or deleted."""
        opened = self._open.get(event_id)
        if opened is None:
            return None
        with opened.lock:
            opened.event = clip_life.with_clips(opened.event, change(opened.clip(camera_id)))
            if opened.is_doomed:
                self._keeping.end_doomed(opened)
                return None
            opened.is_stored = False
        self._records.store_behind(opened)
        return opened

    def is_open(self, event_id: str) -> bool:
        """Whether retention must leave the event: it is recorded, or its files are needed, or it is being deleted."""
        return self._keeping.is_open(event_id)

    def retire(self, event_id: str) -> bool:
        """Remove an event for retention, unless it is protected or needed by now; whether it was.

        `IndexUnavailable` for the index; anything else concerns this event.
        """
        try:
            return self._keeping.retire(event_id)
        except CommandRejected as err:
            if isinstance(err.__cause__, IndexUnavailable):
                raise err.__cause__ from err
            raise

    def end_deletions(self) -> None:
        """Try again to remove what was deleted and is still there. `IndexUnavailable` when that cannot be read."""
        self._records.end_removals(lambda event_id: self._open.get(event_id) is not None)

    def store_all(self) -> None:
        """Have all events that are not finished stored: the index was made anew."""
        for opened in self._open.all():
            self._records.store_behind(opened)

    # --- time

    def tick(self) -> None:
        """Begin the scheduled events whose window has begun; store what could not be stored before."""
        now_ns = self._clock.monotonic_ns()
        self.follow_up()
        if now_ns >= self._try_again_ns:
            self._try_again_ns = now_ns + TRY_AGAIN_NS
            self._records.try_again()
            self._keeping.try_again()
        for opened in self.active():
            if opened.event.state == "scheduled":
                try:
                    self._scheduling.attend(opened, now_ns)
                except Exception:
                    log.exception("scheduled event left alone", extra=fields(event_id=opened.event.event_id))

    # --- start and end of the recorder

    def adopt(self, event: wire.Event) -> OpenEvent:
        """Take an unfinished event of an earlier life back into the table.

        On the same boot the plan holds; after a reboot the clocks have a new origin, and the wall clock, which named
        the moment, places it anew.
        """
        opened = OpenEvent(event, self._scheduling.adopted_plan(event), self._scheduling.adopted_running_ns(event))
        self._open.add(opened)
        if not self._clips.event_file(opened.plan.folder).exists():
            self._records.write_file(opened.plan.folder, event)
        return opened

    def wait_stored(self, timeout_s: float) -> bool:
        """Wait until the rows of all changes are in the index; false when they are not in time, the disk being full."""
        return self._records.wait_stored(timeout_s)

    def close(self, timeout_s: float) -> None:
        """End every running clip as it is, and wait until they are saved, at most `timeout_s` seconds."""
        self._is_closing = True
        self.follow_up()
        for opened in self.active():
            with opened.lock:
                for recording in opened.recordings.values():
                    recording.end("the recorder was stopped")
        patience = Patience(timeout_s, CLOSE_STEP_S)
        while self.recording_clips() and not patience.is_over():
            time.sleep(CLOSE_STEP_S)
        for wait in (self._records.wait_stored, self._records.wait_written):
            wait(max(0.1, patience.left_s))

    # --- parts

    def _known(self, command: wire.StartEvent) -> wire.EventReply | None:
        opened = self.opened(command.event_id)
        event = opened.event if opened is not None else self._records.get(command.event_id)
        if event is None:
            if self._open.get(command.event_id) is not None or self._records.is_being_removed(command.event_id):
                raise CommandRejected("conflict", f"event {command.event_id} is being deleted")
            return None
        if event.fingerprint != command.fingerprint:
            raise CommandRejected("conflict", f"event {command.event_id} exists, with another request", event.state)
        return wire.EventReply(event=event)

    def _judge(self, command: wire.StartEvent, now_ns: int) -> EventPlan:
        """Where the event would lie; `CommandRejected` when it cannot be recorded."""
        if self._is_closing:
            raise CommandRejected("shutting_down", "the recorder is stopping")
        return self._acceptance.judge(command, now_ns, self.active(), self._supply())

    def _close_if_finished(self, opened: OpenEvent) -> None:
        if opened.is_finished and opened.is_stored:
            self._open.drop(opened)

    def _clips_stage(self) -> ClipsStage:
        assert self.stage is not None
        return self.stage

    def _is_needed(self, event_id: str) -> bool:
        return self.stage is not None and self.stage.needs(event_id)
