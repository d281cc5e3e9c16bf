"""What the capture says of itself once a second, on the bus."""

import functools

from preroll import wire
from preroll.addresses import without_password
from preroll.bus import BusSender, Stamped
from preroll.clock import NS_PER_S, Clock
from preroll.process import Shutdown
from preroll.runtime.chore import Chore
from services.capture.loop import CaptureLoop
from services.capture.numbering import Numbering

STATUS_PERIOD_S = 1.0


class StatusReport:
    """Reads the loop's counters; the frame rate is measured between two reports."""

    def __init__(
        self, camera_id: str, run_id: str, source: str, loop: CaptureLoop, numbering: Numbering, clock: Clock
    ) -> None:
        self._camera_id = camera_id
        self._run_id = run_id
        self._source = without_password(source)
        self._loop = loop
        self._numbering = numbering
        self._clock = clock
        self._last_ns = clock.monotonic_ns()
        self._last_frames = 0

    def run(self, bus: BusSender, shutdown: Shutdown) -> None:
        """Report until the end is requested."""
        report = Chore("status report", lambda: bus.send(functools.partial(self.message, fps=self.measure_fps())))
        while not shutdown.wait(STATUS_PERIOD_S):
            report()

    def measure_fps(self) -> float:
        """Frames a second since the last call."""
        now_ns, frames = self._clock.monotonic_ns(), self._numbering.frames
        passed_ns, new_frames = now_ns - self._last_ns, frames - self._last_frames
        self._last_ns, self._last_frames = now_ns, frames
        return new_frames * NS_PER_S / passed_ns if passed_ns > 0 else 0.0

    def message(self, stamp: Stamped, fps: float) -> wire.CaptureStatus:
        return wire.CaptureStatus.model_validate(
            {
                **stamp,
                "camera_id": self._camera_id,
                "run_id": self._run_id,
                "source": self._source,
                "is_open": self._loop.is_open,
                "fps": round(fps, 2),
                "frames": self._numbering.frames,
                "rejected": self._numbering.rejected,
                "reopened": self._loop.reopened,
            }
        )
