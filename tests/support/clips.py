"""A clip on its way to disk, for tests: its plan, its event, and the writer that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preroll import wire
from preroll.clock import Clock
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.window import Window
from services.recorder.clips.result import Failed, Written
from services.recorder.clips.writer import ClipWriter
from services.recorder.store.disk import Disk
from services.recorder.store.files import ClipsDir
from services.recorder.store.names import ClipPaths
from services.recorder.store.syncer import Syncer
from tests.support.clocks import HandClock

BOOT_ID = "boot-of-the-test"
UNIX_OFFSET_NS = 1_800_000_000 * 1_000_000_000
PERIOD_NS = 33_333_333


@dataclass(frozen=True, slots=True)
class Take:
    """One clip: `frames` are all the frames of its window, `event` is the event of which it is the only clip."""

    frames: Sequence[Frame]
    plan: ClipPlan
    event: wire.Event

    @classmethod
    def of(cls, frames: Sequence[Frame], *, event_id: str = "ev1", camera_id: str = "cam1") -> "Take":
        """The trigger lies 1 ns after the middle frame; the window reaches from the first frame to the last."""
        trigger_ns = frames[len(frames) // 2].t_ns + 1
        window = Window(frames[0].t_ns, frames[-1].t_ns)
        folder = ClipsDir.folder_of(event_id, trigger_ns + UNIX_OFFSET_NS)
        clip = wire.Clip(
            camera_id=camera_id,
            state="recording",
            coverage="full",
            missing_s=0.0,
            complete=None,
            shortfall=(),
            requested=wire.Span(from_unix_ns=window.from_ns + UNIX_OFFSET_NS, to_unix_ns=window.to_ns + UNIX_OFFSET_NS),
            delivered=None,
            files={},
        )
        event = wire.Event(
            event_id=event_id,
            state="recording",
            triggered_unix_ns=trigger_ns + UNIX_OFFSET_NS,
            received_unix_ns=trigger_ns + UNIX_OFFSET_NS,
            pre_s=1.0,
            post_s=1.0,
            labels={"line": "4"},
            is_protected=False,
            fingerprint="fingerprint",
            accepted_after_s=0.002,
            clips=(clip,),
        )
        return cls(frames, ClipPlan(event_id, camera_id, folder, trigger_ns, window, UNIX_OFFSET_NS), event)

    def paths(self, root: Path) -> ClipPaths:
        return ClipsDir(root).clip(self.plan.folder, self.plan.camera_id)

    def begun(self, count: int | None = None, holes: Sequence[Hole] = (), backlog: Backlog | None = None) -> Recording:
        """The recording when the first `count` frames (all by default) came out of the ring."""
        return Recording(self.plan, self.frames[:count], holes, PERIOD_NS, backlog or Backlog(10**9))

    def over(self, holes: Sequence[Hole] = ()) -> Recording:
        """The recording when all frames have come and the window is over."""
        recording = self.begun(None, holes)
        recording.expire(self.plan.window.to_ns + 2_000_000_000)
        return recording


class Writing:
    """A clip writer at work; `outcome` waits for what comes of it."""

    def __init__(
        self,
        take: Take,
        recording: Recording,
        root: Path,
        disk: Disk | None = None,
        clock: Clock | None = None,
        *,
        is_begun: bool = True,
    ) -> None:
        self.outcomes: list[Written | Failed] = []
        self._syncer = Syncer(interval_s=0.02)
        self.writer = ClipWriter(
            recording,
            ClipsDir(root, disk),
            self._syncer,
            clock or HandClock(),
            BOOT_ID,
            lambda: take.event,
            self.outcomes.append,
            self.outcomes.append,
        )
        self._syncer.start(Threads(Shutdown()))
        if is_begun:
            self.writer.start(Threads(Shutdown()))

    def outcome(self) -> Written | Failed:
        ended = self.writer.join(30)
        self._syncer.close()
        assert ended, "the clip writer has not ended within 30 s"
        (outcome,) = self.outcomes
        return outcome

    def written(self) -> Written:
        outcome = self.outcome()
        assert isinstance(outcome, Written), outcome
        return outcome
