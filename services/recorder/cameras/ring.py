"""A camera's recent frames in memory. Pure: the table of cameras owns it, and says when which frames go.

Frames are in order of time. Appending and evicting cost O(1); a window costs as many steps as it lies back in time.
"""

from collections import deque
from collections.abc import Iterable

from services.recorder.cameras.frame import OVERHEAD_BYTES, Frame
from services.recorder.cameras.window import Window


class Ring:
    """Frames by reference, until they are let go of. `size_bytes` is the memory that they take."""

    __slots__ = ("_frames", "size_bytes")

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"Ring({len(self._frames)} frames, {self.size_bytes} bytes, {self.held_ns} ns)"

    @property
    def oldest(self) -> Frame | None:
        return self._frames[0] if self._frames else None

    @property
    def newest(self) -> Frame | None:
        return self._frames[-1] if self._frames else None

    @property
    def held_ns(self) -> int:
        """From the oldest frame to the newest."""
        return self._frames[-1].t_ns - self._frames[0].t_ns if self._frames else 0

    def append(self, frame: Frame) -> None:
        """Add the newest frame, later than all others."""
        self._frames.append(frame)
        self.size_bytes += len(frame.jpeg) + OVERHEAD_BYTES

    def evict_before(self, t_ns: int) -> None:
        """Let go of frames older than `t_ns`, but never of the newest."""
        frames = self._frames
        while len(frames) > 1 and frames[0].t_ns < t_ns:
            self.size_bytes -= frames.popleft().held_bytes

    def evict_oldest(self) -> None:
        """Let go of the oldest frame."""
        self.size_bytes -= self._frames.popleft().held_bytes

    def within(self, window: Window) -> list[Frame]:
        """The frames of the window, in order."""
        found: list[Frame] = []
        for frame in reversed(self._frames):
            if frame.t_ns < window.from_ns:
                break
            if frame.t_ns <= window.to_ns:
                found.append(frame)
        found.reverse()
        return found

    def nearest(self, t_ns: int) -> Frame | None:
        """The frame whose time is nearest to `t_ns`."""
        best: Frame | None = None
        for frame in reversed(self._frames):
            if best is not None and abs(frame.t_ns - t_ns) > abs(best.t_ns - t_ns):
                break
            best = frame
        return best

    def beside(self, run_id: str, seq: int, steps: int) -> Frame | None:
        """The frame `steps` places after (before, if negative) the frame `seq` of `run_id`; the ring's end when beyond.

        `None` when the ring does not hold that frame.
        """
        for back, frame in enumerate(reversed(self._frames), start=1):
            if frame.seq == seq and frame.run_id == run_id:
                place = len(self._frames) - back + steps
                return self._frames[max(0, min(place, len(self._frames) - 1))]
        return None

    def recent(self, count: int) -> tuple[Frame, Frame] | None:
        """The newest frame's predecessor by up to `count` places, and the newest; `None` with fewer than two."""
        if len(self._frames) < 2:
            return None
        return self._frames[max(-count - 1, -len(self._frames))], self._frames[-1]


def evict_to(rings: Iterable[Ring], max_bytes: int) -> list[Ring]:
    """Bring the rings' sum down to `max_bytes`, always from the largest, so that each may have an equal share.

    Answers with one entry for each evicted frame. A ring's newest frame goes too where it alone is more than its share: else
    a few large frames of many cameras would take a multiple of what all may.
    """
    held = list(rings)
    total = sum(ring.size_bytes for ring in held)
    evicted: list[Ring] = []
    while total > max_bytes:
        largest = max(held, key=lambda ring: ring.size_bytes)
        before = largest.size_bytes
        largest.evict_oldest()
        total -= before - largest.size_bytes
        evicted.append(largest)
    return evicted
