"""Writes one clip while it is recorded: a thread that takes a recording's frames and leaves files under their names.

Rule: the ingest side never waits for this thread. When the disk fails, what it did take is kept, the rest is stated, and
the recording is drained so that its frames do not stay in memory.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S, Clock, seconds
from preroll.logs import fields
from preroll.runtime.threads import Threads
from services.recorder.store.disk import OutOfDescriptors, WriteFailed, cause_of
from services.recorder.store.files import ClipsDir
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.clips.journal import FrameName, Journal
from services.recorder.clips.original import OriginalWriter, ticks
from services.recorder.clips.repair import reclaim
from services.recorder.cameras.recording import Recording
from services.recorder.store.syncer import Syncer
from services.recorder.clips.result import ClipFacts, Failed, Written, settle, span_of

log = logging.getLogger(__name__)

TAKE_S: Final = 0.25
OPEN_NS: Final = 10 * NS_PER_S  # a stranger's connections are let go sooner
WALL_STEP_MIN_S: Final = 0.1


class ClipWriter:
    """The writer of one `recording`, from `start` on.

    At the end one of `on_saved` and `on_failed` is called once, from this thread. `describe` gives the event as it is
    at that moment, for the sidecar.
    """

    def __init__(
        self,
        recording: Recording,
        clips: ClipsDir,
        syncer: Syncer,
        clock: Clock,
        boot_id: str,
        describe: Callable[[], wire.Event],
        on_saved: Callable[[Written], None],
        on_failed: Callable[[Failed], None],
    ) -> None:
        self._recording = recording
        self._clips = clips
        self._syncer = syncer
        self._clock = clock
        self._boot_id = boot_id
        self._describe = describe
        self._on_saved = on_saved
        self._on_failed = on_failed
        plan = recording.plan
        self._paths = clips.clip(plan.folder, plan.camera_id)
        self._journal: Journal | None = None
        self._original: OriginalWriter | None = None
        self._frames: list[FrameName] = []  # all that were taken, also those that the disk refused
        self._in_force: Frame | None = None  # at the trigger; None once its picture is on disk
        self._wall_offset_ns = clock.unix_ns() - clock.monotonic_ns()
        self._thread: threading.Thread | None = None

    def start(self, threads: Threads) -> None:
        """Begin. `RuntimeError` when the system gives no thread: nothing is lost, and it may be called again."""
        self._thread = threads.start(f"clip-{self._recording.plan.camera_id}", self._run)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; false when it has not come within `timeout_s` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._conclude(self._record())

    def _conclude(self, failure: WriteFailed | None) -> None:
        count = len(self._frames)
        if failure is not None:
            log.error("clip not written to its end", extra=self._about(error=str(failure)))
            self._recording.give_up(str(failure))
            self._drain()
            count = self._rescue()
        try:
            outcome = self._settle(count, failure)
            if isinstance(outcome, Written):
                self._on_saved(outcome)
            else:
                self._on_failed(outcome)
        except Exception as err:
            log.exception("clip's end not taken up: its files are as they are", extra=self._about())
            self._fail(f"the recorder failed: {type(err).__name__}: {err}"[:1000])

    def _fail(self, why: str) -> None:
        """End the clip all the same: one that was recording for ever would keep its event open for ever."""
        plan = self._recording.plan
        requested = span_of(self._recording.window, plan.unix_offset_ns)
        try:
            self._on_failed(Failed(plan.event_id, plan.camera_id, requested, (why,), {}))
        except Exception:
            log.exception("clip not ended", extra=self._about())

    def _record(self) -> WriteFailed | None:
        """Write the recording to its end and give the file its name; the failure that prevented it, if any."""
        try:
            while not self._recording.settle():
                batch = self._recording.take(TAKE_S)
                if batch:
                    self._write(batch)
            if self._original is not None:
                self._original.close()
                self._clips.rename(self._paths.original_part, self._paths.original)
        except WriteFailed as err:
            return err
        except OSError as err:
            return WriteFailed(f"{cause_of(err)}: {err}")
        except Exception as err:
            log.exception("clip writer failed", extra=self._about())
            return WriteFailed(f"the recorder failed: {type(err).__name__}: {err}")
        finally:
            self._let_go()
        return None

    def _write(self, batch: list[Frame]) -> None:
        first_ns = self._frames[0].t_ns if self._frames else batch[0].t_ns
        names = [FrameName(frame.run_id, frame.seq, frame.t_ns) for frame in batch]
        self._frames += names
        journal, original = self._open(batch[0])
        journal.write(names, self._recording.noted(), self._recording.window)
        for frame in batch:
            original.write(frame.jpeg, ticks(frame.t_ns - first_ns))
            self._choose_poster(frame)
        original.begin_sync()

    def _open(self, first: Frame) -> tuple[Journal, OriginalWriter]:
        """The clip's files. While there is no descriptor for them the frames wait, as for a slow disk."""
        gives_up_ns = self._clock.monotonic_ns() + OPEN_NS
        is_told = False
        while True:
            try:
                return self._opened(first)
            except OutOfDescriptors as err:
                if self._clock.monotonic_ns() > gives_up_ns:
                    raise
                if not is_told:
                    log.warning("clip waits to be written: %s", err, extra=self._about())
                is_told = True
                time.sleep(TAKE_S)

    def _opened(self, first: Frame) -> tuple[Journal, OriginalWriter]:
        recording, disk = self._recording, self._clips.disk
        if self._journal is None:
            self._clips.make_folder(self._paths.folder)
            self._journal = Journal(disk, self._paths.journal_part, recording.plan, self._boot_id, recording.period_ns)
            self._syncer.add(self._journal)
        if self._original is None:
            self._original = OriginalWriter(disk, self._paths.original_part, first.width, first.height)
            self._syncer.add(self._original)
            self._clips.sync_folder(self._paths.folder)  # a power cut must not lose the names of what is synced
        return self._journal, self._original

    def _let_go(self) -> None:
        if self._journal is not None:
            self._syncer.discard(self._journal)
            self._journal.close()
        if self._original is not None:
            self._syncer.discard(self._original)
            self._original.abandon()

    def _choose_poster(self, frame: Frame) -> None:
        """The frame in force at the trigger is the poster: the last one not after it, else the first."""
        is_after = frame.t_ns > self._recording.plan.trigger_ns
        if not is_after or frame.t_ns == self._frames[0].t_ns:
            self._in_force = frame
        if is_after:
            self._put_poster()

    def _put_poster(self) -> None:
        frame, self._in_force = self._in_force, None
        if frame is not None:
            try:
                self._clips.put(self._paths.poster, bytes(frame.jpeg))
            except WriteFailed as err:
                log.warning("poster not written", extra=self._about(error=str(err)))

    def _drain(self) -> None:
        while not self._recording.is_drained:
            self._frames += [FrameName(frame.run_id, frame.seq, frame.t_ns) for frame in self._recording.take(0)]
        self._recording.put_down()

    def _rescue(self) -> int:
        """After a failure: how many frames could be kept, under the original's name."""
        try:
            return reclaim(self._clips, self._paths)
        except (WriteFailed, OSError) as err:
            log.error("clip not rescued", extra=self._about(error=str(err)))
            return 0

    def _settle(self, count: int, failure: WriteFailed | None) -> Written | Failed:
        self._put_poster()
        recording = self._recording
        kept, refused = tuple(self._frames[:count]), self._frames[count:]
        holes = list(recording.holes())
        if refused:
            since_ns = kept[-1].t_ns if kept else recording.window.from_ns
            holes.append(
                Hole("not_written", since_ns, refused[-1].t_ns, refused[0].run_id, refused[0].seq, len(refused))
            )
        reason = recording.end_reason
        if failure is not None and reason is None and refused:
            reason = str(failure)
        stepped_s = seconds(self._clock.unix_ns() - self._clock.monotonic_ns() - self._wall_offset_ns)
        facts = ClipFacts(
            plan=recording.plan,
            window=recording.window,
            period_ns=recording.period_ns,
            frames=kept,
            holes=tuple(holes),
            reason=reason,
            boot_id=self._boot_id,
            is_begin_seen=recording.is_begin_seen,
            is_end_seen=recording.is_end_seen and not refused,
            wall_stepped_s=round(stepped_s, 3) if abs(stepped_s) >= WALL_STEP_MIN_S else None,
        )
        return settle(self._clips, self._paths, facts, self._describe(), self._clock)

    def _about(self, **more: wire.Scalar) -> dict[str, object]:
        plan = self._recording.plan
        return fields(event_id=plan.event_id, camera_id=plan.camera_id, **more)
