"""Begins the scheduled events when their moment comes, and places those of an earlier life on the clock of this boot.

What fails here fails for one event alone.
"""

import logging
from collections.abc import Callable

from preroll import wire
from preroll.clock import Clock
from preroll.logs import fields
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.window import Window
from services.recorder.events import clip_life
from services.recorder.events.acceptance import Acceptance
from services.recorder.events.open_event import EventPlan, OpenEvent
from services.recorder.events.records import Records, folder_of
from services.recorder.events.rules import Anchor
from services.recorder.events.schedule import due, why_passed
from services.recorder.store.index import Index
from services.recorder.store.running_time import RunningTime

log = logging.getLogger(__name__)


class Scheduling:
    """Called from one thread, but for `adopted_plan` before that runs."""

    def __init__(
        self,
        cameras: Cameras,
        acceptance: Acceptance,
        index: Index,
        records: Records,
        running: RunningTime,
        clock: Clock,
        boot_id: str,
        start_writers: Callable[[OpenEvent], None],
    ) -> None:
        self._cameras = cameras
        self._acceptance = acceptance
        self._index = index
        self._records = records
        self._running = running
        self._clock = clock
        self._boot_id = boot_id
        self._start_writers = start_writers
        self._began_ns = clock.monotonic_ns()

    def adopted_running_ns(self, event: wire.Event) -> int:
        """The running time at which an event of an earlier life was accepted; never later than now."""
        running_ns = self._running.now_ns(self._clock.monotonic_ns())
        return running_ns if event.running_ns is None else min(event.running_ns, running_ns)

    def attend(self, opened: OpenEvent, now_ns: int) -> None:
        """Begin a scheduled event, or let it fail, or leave it for later. What fails here is this event alone.

        Whatever fails: a clip that is begun gets its writer, or an end.
        """
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
                if not opened.has_writers:
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
        try:
            self._records.store(opened)
        finally:  # what is not stored is stored with the next change: no film is to be lost for it
            self._start_writers(opened)

    def _fail(self, opened: OpenEvent, why: str) -> None:
        """End an event of which nothing can be recorded: no writer has been started."""
        for recording in opened.recordings.values():
            recording.end(why)
        opened.recordings.clear()
        unwritten = [clip for clip in opened.event.clips if clip.state in ("scheduled", "recording")]
        opened.event = clip_life.with_clips(
            opened.event, *(clip_life.failed(clip, clip.requested, (why,), {}) for clip in unwritten)
        )
        log.error("scheduled event failed: %s", why, extra=fields(event_id=opened.event.event_id))
        self._records.store(opened)
        self._records.write_file(opened.plan.folder, opened.event)
        self._records.settle(opened)

    def adopted_plan(self, event: wire.Event) -> EventPlan:
        """The plan of an event of an earlier life, on the clock of this boot."""
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
        return EventPlan(self._boot_id, where, window, folder_of(event))
