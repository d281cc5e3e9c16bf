"""Makes room: a thread that keeps the running time, and removes what the limits ask for.

All of it is housekeeping: none of its errors ends the recorder, and none keeps another part from its work. An event that
cannot be removed is left for a while, and others go in its place.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from preroll import wire
from preroll.clock import NS_PER_S, Clock, seconds
from preroll.logs import fields
from preroll.runtime.chore import Chore
from preroll.runtime.threads import Threads
from preroll.runtime.watchdog import Heartbeat
from services.recorder.store import running_notes
from services.recorder.store.database import IndexUnavailable
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.retention import Going, Now, Removable, RetentionLimits, Usage, most_by_age, what_goes
from services.recorder.store.running_time import RunningTime

log = logging.getLogger(__name__)

EVERY_S: Final = 2.0
ROOM_MIN_BYTES: Final = 64_000_000  # what clips may write until the next round has ended
ROOM_COUNTED_BYTES: Final = 1_000_000_000  # beyond what is missing: what they may write until it is reckoned anew
NOTE_EVERY_NS: Final = 60 * NS_PER_S
TRY_AGAIN_NS: Final = 60 * NS_PER_S
FAILURES_MAX: Final = 10
ROUND_MAX_NS: Final = 10 * NS_PER_S


class EventOwner(Protocol):
    """What the cleaner asks of the part that owns the events."""

    def is_open(self, event_id: str) -> bool:
        """Whether the event is not finished yet: then it does not go, and its room is not counted on."""
        ...

    def retire(self, event_id: str) -> bool:
        """Remove the event, unless it is protected or gone by now; whether it was.

        `IndexUnavailable` for the index; anything else concerns this event.
        """
        ...

    def end_deletions(self) -> None:
        """Try again to remove what was deleted and is still there."""
        ...


class Cleaner:
    """Keeps the clips directory within its limits."""

    def __init__(
        self,
        clips: ClipsDir,
        index: Index,
        events: EventOwner,
        limits: RetentionLimits,
        running: RunningTime,
        clock: Clock,
        mend_index: Callable[[], bool] = lambda: False,
    ) -> None:
        """`mend_index` makes a lost index anew; whether it did."""
        self._clips = clips
        self._index = index
        self._mend_index = mend_index
        self._events = events
        self._limits = limits
        self._running = running
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._clips_bytes = index.clips_bytes()
        self._is_settled = False
        self._overdue = 0
        self._monotonic_ns = self._note_at_ns = clock.monotonic_ns()
        self._unix_ns = clock.unix_ns()
        self._left_until_ns: dict[str, int] = {}
        self._writing = Chore("note of the running time", self._write_note)
        self._counting = Chore("count of overdue events", self._count_overdue)
        self._removal = Chore("removal of events", self._make_room)
        self._looking = Chore("look at the disk", self._see_disk)
        self._mending = Chore("mending of the index", self._mend)
        self._settling = Chore("settling of the index", index.settle)
        self._ending = Chore("end of deletions", events.end_deletions)
        self._removable_bytes = 0
        self._removable_at_ns: int | None = None
        self.span: tuple[int, int] | None = None
        self._spanning = Chore("look at the events' times", self._see_span)
        self.disk = clips.usage(self._clips_bytes, limits.min_free_bytes)

    def start(self, threads: Threads, limit_s: float) -> None:
        """Begin. A round that takes longer than `limit_s` seconds counts as hung, and ends the process."""
        held_ns = self._running.hold_ns(self._clock.monotonic_ns())
        if held_ns:
            log.warning(
                "the wall clock was set lately: no event is removed by age yet", extra=fields(held_s=seconds(held_ns))
            )
        self._thread = threads.start_watched("cleaner", self._run, limit_s)

    def close(self) -> None:
        """End the thread and write the running time down."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(5)
            if self._thread.is_alive():
                return  # the disk stands still: what was noted in the last minute counts
        self._writing()

    def figures(self) -> wire.Retention:
        now_ns = self._clock.monotonic_ns()
        last_step_ns = self._running.last_step_ns
        return wire.Retention(
            running_s=seconds(self._running.now_ns(now_ns)),
            held_s=seconds(self._running.hold_ns(now_ns)),
            wall_steps=self._running.steps,
            last_step_s=None if last_step_ns is None else seconds(last_step_ns),
            overdue_events=self._overdue,
        )

    def makes_room(self, disk: wire.Disk) -> bool:
        """Whether a disk that is below its minimum will be above it after the next round, events enough being there.

        That is how a full disk goes on recording: the oldest go. Where a round has not helped, the next is not counted on.
        """
        if self.disk.is_full or disk.free_bytes < ROOM_MIN_BYTES:
            return False
        now_ns = self._clock.monotonic_ns()
        missing_bytes = self._limits.min_free_bytes - disk.free_bytes
        if self._removable_at_ns is None or now_ns - self._removable_at_ns > NS_PER_S:
            self._removable_bytes = self._bytes_that_may_go(missing_bytes + ROOM_COUNTED_BYTES)
            self._removable_at_ns = now_ns
        return self._removable_bytes >= missing_bytes

    def clean(self) -> None:
        """One round: look at the clock, make room, see how full the disk is. Raises nothing."""
        # What is judged by the wall clock is judged by the reading that was looked at.
        self._monotonic_ns, self._unix_ns = self._clock.monotonic_ns(), self._clock.unix_ns()
        step_ns = self._running.look(self._monotonic_ns, self._unix_ns)
        if step_ns:
            log.warning(
                "the wall clock was set by %+.0f s: no event is removed by age for an hour of running",
                seconds(step_ns),
                extra=fields(step_s=round(seconds(step_ns), 3)),
            )
        if step_ns or self._monotonic_ns >= self._note_at_ns:
            self._note_at_ns = self._monotonic_ns + NOTE_EVERY_NS
            self._writing()
            self._counting()
        for chore in (self._mending, self._ending, self._removal, self._looking, self._spanning, self._settling):
            chore()

    # --- parts

    def _run(self, heartbeat: Heartbeat) -> None:
        while not self._ended.wait(EVERY_S):
            heartbeat.beat()
            self.clean()

    def _write_note(self) -> None:
        note = self._running.note(self._clock.monotonic_ns(), self._clock.unix_ns())
        running_notes.write_down(self._clips, self._index, note)

    def _count_overdue(self) -> None:
        is_limited = self._limits.max_age_ns > 0
        self._overdue = self._index.removable_before(self._unix_ns - self._limits.max_age_ns) if is_limited else 0

    def _mend(self) -> None:
        if self._mend_index():
            self._is_settled = False  # it may have taken events in, whose age is counted from now on

    def _make_room(self) -> None:
        now = Now(self._unix_ns, self._running.now_ns(self._monotonic_ns))
        if not self._is_settled:
            self._index.settle_running(now.running_ns)
            self._is_settled = True
        if self._usage_now().error is not None:
            return  # a disk that cannot be read, or written, is asked again in the next round
        may_by_age = self._limits.max_age_ns > 0 and self._running.may_remove_by_age(self._monotonic_ns)
        by_age_max = most_by_age(self._index.count()) if may_by_age else 0
        failures = 0
        while True:
            failures_before = failures
            for going in what_goes(self._offered(), self._limits, now, self._usage(), by_age_max):
                is_late = self._clock.monotonic_ns() - self._monotonic_ns > ROUND_MAX_NS
                if is_late or failures >= FAILURES_MAX or self._ended.is_set():
                    return
                try:
                    is_removed = self._events.retire(going.event_id)
                except IndexUnavailable:
                    raise  # no fault of this event's: no other is to go in its place
                except Exception as err:
                    self._leave(going, err)
                    failures += 1
                    continue
                if is_removed:
                    self._note_removed(going)
                by_age_max -= going.cause == "age"
            if failures == failures_before:
                return  # else others go in place of those that could not be removed

    def _usage(self) -> Usage:
        disk = self._usage_now()
        return Usage(disk.clips_bytes, disk.free_bytes if disk.total_bytes else None)

    def _usage_now(self) -> wire.Disk:
        return self._clips.usage(self._index.clips_bytes(), self._limits.min_free_bytes)

    def _bytes_that_may_go(self, enough_bytes: int) -> int:
        """What the next round could remove, of `enough_bytes` or little more. Whoever triggers waits for this."""
        found_bytes = 0
        for event in self._may_go():
            found_bytes += event.size_bytes
            if found_bytes >= enough_bytes:
                break
        return found_bytes

    def _offered(self) -> Iterator[Removable]:
        now_ns = self._monotonic_ns
        self._left_until_ns = {key: until for key, until in self._left_until_ns.items() if until > now_ns}
        return self._may_go()

    def _may_go(self) -> Iterator[Removable]:
        for row in self._index.removable():
            if row[0] not in self._left_until_ns and not self._events.is_open(row[0]):
                yield Removable(*row)

    def _leave(self, going: Going, err: Exception) -> None:
        self._left_until_ns[going.event_id] = self._monotonic_ns + TRY_AGAIN_NS
        about = fields(event_id=going.event_id, cause=going.cause)
        log.error("event not removed, tried again in a minute: %s", err, extra=about)

    def _note_removed(self, going: Going) -> None:
        log.info("event removed by retention", extra=fields(event_id=going.event_id, cause=going.cause))
        if going.cause == "age" and self._running.may_remove_by_age(self._monotonic_ns):
            # The first of this minute. Noted at once: a recorder that crashes and comes back takes no second batch.
            self._running.pause(self._monotonic_ns)
            self._writing()

    def _see_span(self) -> None:
        self.span = self._index.span()

    def _see_disk(self) -> None:
        was_full = self.disk.is_full
        try:
            self._clips_bytes = self._index.clips_bytes()
        finally:
            self.disk = self._clips.usage(self._clips_bytes, self._limits.min_free_bytes)
            if self.disk.is_full != was_full:
                say = log.error if self.disk.is_full else log.info
                said = "disk is full" if self.disk.is_full else "disk has room again"
                say(said, extra=fields(free_bytes=self.disk.free_bytes))
