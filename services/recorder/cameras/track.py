"""One camera: what it has sent, its ring, and the clips that its frames go to.

All of it is guarded by the lock of its `Cameras`.
"""

from collections import deque
from typing import Final

from preroll.clock import NS_PER_S, seconds
from preroll.wire import (
    FPS_MAX,
    INT63_MAX,
    RUN_ID_PATTERN,
    Camera,
    CameraState,
    FrameHeader,
    Losses,
    WireError,
    is_run_id,
)
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import GapFinder, Hole
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.ring import Ring
from services.recorder.cameras.timeline import Timeline
from services.recorder.cameras.unwritten import Unwritten
from services.recorder.cameras.window import Window

SECOND_RUN_SILENCE_NS: Final = 2 * NS_PER_S
LOST_AFTER_NS: Final = 10 * NS_PER_S
STALLED_AFTER_NS: Final = NS_PER_S
STARTING_NS: Final = 10 * NS_PER_S
FUTURE_MAX_NS: Final = NS_PER_S // 2
FPS_FRAMES: Final = 60
HOLES_MAX: Final = 4096


class CameraTrack:
    """One camera. All of it is guarded by the lock of its `Cameras`."""

    def __init__(self, camera_id: str, boot_id: str, known_since_ns: int, backlog: Backlog) -> None:
        self.camera_id = camera_id
        self.ring = Ring()
        self.recordings: list[Recording] = []
        self._unwritten = Unwritten()
        self._backlog = backlog
        self.gaps = GapFinder()
        self.run_id: str | None = None
        self.speaker: str | None = None  # the key whose frames are taken: the ingest thread's own, without the lock
        self.frames = 0
        self.received_ns = 0
        self.known_since_ns = known_since_ns
        self.rejected_by_capture = 0
        self.lost_on_wire = 0
        self.rejected_by_recorder = 0
        self.refused_second_run = 0
        self.refused_foreign_key = 0
        self.out_of_order = 0
        self.evicted_early = 0
        self.dropped_by_writer = 0
        self.restarts = 0
        self._newest_ns = -INT63_MAX
        self._holes: deque[Hole] = deque(maxlen=HOLES_MAX)
        self._boot_id = boot_id
        self._timeline = Timeline(boot_id)

    def take(self, header: FrameHeader, jpeg: memoryview | bytes, received_ns: int) -> bool:
        """Take a frame into the ring and into the clips being recorded; false when it is refused (and counted).

        `WireError` when its run has a name that cannot be one.
        """
        run_id = self.run_id  # one text for all frames of a run: each header brings its own
        if run_id is None or run_id != header.run_id:
            if not is_run_id(header.run_id):
                raise WireError(f"frame header: run_id={header.run_id!r:.100} does not match {RUN_ID_PATTERN}")
            if run_id is not None and received_ns - self.received_ns < SECOND_RUN_SILENCE_NS:
                self.refused_second_run += 1
                return False
            run_id = self._begin_run(header)
        t_ns = self._timeline.to_local(
            header.boot_id, header.monotonic_ns, received_ns, is_frozen=bool(self.recordings)
        )
        if t_ns > received_ns + FUTURE_MAX_NS or t_ns <= self._newest_ns:
            self.gaps.reject()
            self._refuse(received_ns)
            return False
        holes = self.gaps.follow(run_id, header.seq, header.rejected, t_ns)
        if holes is None:
            self._refuse(received_ns)
            return False
        self.received_ns = received_ns
        self._newest_ns = t_ns
        self.frames += 1
        for hole in holes:
            self._note(hole)
        frame = Frame(run_id, header.seq, t_ns, header.width, header.height, jpeg)
        self.ring.append(frame)
        if self.recordings:
            self._record(frame)
        return True

    def reject(self) -> None:
        """A frame that names this camera was malformed."""
        self.rejected_by_recorder += 1
        self.gaps.reject()

    def begin(self, plan: ClipPlan) -> Recording:
        """Begin a clip with what the ring holds of its window."""
        window = plan.window
        holes = self.holes_within(window)
        oldest, newest = self.ring.oldest, self.ring.newest
        is_begin_seen = oldest is not None and oldest.t_ns <= window.from_ns
        recording = Recording(
            plan, self.ring.within(window), holes, self.gaps.period_ns, self._backlog, is_begin_seen=is_begin_seen
        )
        if newest is not None and newest.t_ns > window.to_ns:
            recording.close()
            self._unwritten.add(recording)
        else:
            self.recordings.append(recording)
        return recording

    def resume(self, recording: Recording) -> None:
        """A recording of this camera that was over is to take frames again."""
        if recording not in self.recordings:
            self._unwritten.remove(recording)
            self.recordings.append(recording)

    @property
    def is_recorded(self) -> bool:
        """Clips take its frames, or wait to have them written."""
        return bool(self.recordings or self._unwritten)

    def let_go(self) -> None:
        """The ring has let go of frames: clips that wait for them go on holding them, as far as the backlog allows."""
        oldest = self.ring.oldest
        until_ns = INT63_MAX if oldest is None else oldest.t_ns
        for recordings in (self.recordings, self._unwritten):
            for recording in recordings:
                if recording.waits_since_ns < until_ns:
                    self.dropped_by_writer += recording.leave_ring(until_ns)

    def holes_within(self, window: Window) -> list[Hole]:
        """The holes that touch the window, oldest first."""
        return [hole for hole in self._holes if hole.touches(window.from_ns, window.to_ns)]

    def missing_ns(self, window: Window, now_ns: int) -> int:
        """How much of the window's past the ring cannot give: before its oldest frame, in its holes, since its newest."""
        oldest, newest = self.ring.oldest, self.ring.newest
        if oldest is None or newest is None:
            return window.missing_ns(None, now_ns, self.gaps.period_ns)
        past_to_ns = min(now_ns, window.to_ns)
        missing_ns = window.missing_ns(oldest.t_ns, now_ns, self.gaps.period_ns)
        if past_to_ns - newest.t_ns > STALLED_AFTER_NS:
            missing_ns += max(0, past_to_ns - max(newest.t_ns, window.from_ns))
        from_ns, until_ns = max(window.from_ns, oldest.t_ns), past_to_ns
        for hole in reversed(self._holes):
            if hole.to_ns <= from_ns:
                break
            inside_ns = min(hole.to_ns, until_ns) - max(hole.from_ns, from_ns)
            missing_ns += max(0, inside_ns - self.gaps.period_ns)
            until_ns = min(until_ns, hole.from_ns)  # several causes of one hole stand one after the other
        return missing_ns

    def expire(self, now_ns: int) -> None:
        """Close clips whose end has passed without a frame."""
        for recording in self.recordings:
            recording.expire(now_ns)
        self._set_finished_aside()
        self._unwritten.tidy_up()

    def state(self, now_ns: int) -> CameraState:
        if self.frames == 0:
            return "starting" if now_ns - self.known_since_ns < STARTING_NS else "lost"
        silent_ns = now_ns - self.received_ns
        if silent_ns > LOST_AFTER_NS:
            return "lost"
        return "stalled" if silent_ns > max(STALLED_AFTER_NS, 5 * self.gaps.period_ns) else "live"

    def describe(self, now_ns: int, wanted_s: float) -> Camera:
        state = self.state(now_ns)
        newest = self.ring.newest
        return Camera(
            camera_id=self.camera_id,
            state=state,
            run_id=self.run_id,
            width=newest.width if newest else 0,
            height=newest.height if newest else 0,
            fps=self._fps() if state == "live" else 0.0,
            frames=self.frames,
            ring_s=min(86_400.0, seconds(self.ring.held_ns)),
            ring_frames=len(self.ring),
            ring_bytes=self.ring.size_bytes,
            wanted_s=wanted_s,
            age_s=min(86_400.0, max(0.0, seconds(now_ns - self.received_ns))) if self.frames else None,
            losses=self.losses(),
        )

    def losses(self) -> Losses:
        return Losses(
            rejected_by_capture=self.rejected_by_capture,
            lost_on_wire=self.lost_on_wire,
            rejected_by_recorder=self.rejected_by_recorder,
            refused_second_run=self.refused_second_run,
            refused_foreign_key=self.refused_foreign_key,
            out_of_order=self.out_of_order,
            evicted_early=self.evicted_early,
            dropped_by_writer=self.dropped_by_writer,
            restarts=self.restarts,
        )

    def _begin_run(self, header: FrameHeader) -> str:
        if self.run_id is not None:
            self.restarts += 1
        self.run_id = header.run_id
        return header.run_id

    def _refuse(self, received_ns: int) -> None:
        """A frame did not go on from the one before. One odd time must not spoil the mapping of all that follow."""
        self.out_of_order += 1
        if received_ns - self.received_ns > SECOND_RUN_SILENCE_NS:
            self._timeline = Timeline(self._boot_id)

    def _note(self, hole: Hole) -> None:
        missing = hole.missing or 0
        match hole.cause:
            case "lost_on_wire":
                self.lost_on_wire += missing
            case "rejected_by_capture":
                self.rejected_by_capture += missing
            case "renumbered":
                self.restarts += 1
        self._holes.append(hole)
        for recording in self.recordings:
            recording.note(hole)

    def _record(self, frame: Frame) -> None:
        is_any_over = False
        for recording in self.recordings:
            recording.offer(frame)
            is_any_over = is_any_over or recording.is_over
        if is_any_over:
            self._set_finished_aside()

    def _set_finished_aside(self) -> None:
        over = [recording for recording in self.recordings if recording.is_over]
        if over:
            self.recordings = [recording for recording in self.recordings if not recording.is_over]
            for recording in over:
                self._unwritten.add(recording)

    def _fps(self) -> float:
        ends = self.ring.recent(FPS_FRAMES)
        if ends is None:
            return 0.0
        frames = min(FPS_FRAMES, len(self.ring) - 1)
        # Frames that arrive together, after a pause, may be a nanosecond apart.
        return min(FPS_MAX, round(frames / seconds(ends[1].t_ns - ends[0].t_ns), 3))
