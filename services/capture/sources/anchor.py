"""When a frame was captured, out of its stream's own clock.

Pure: no I/O, no clock. One thread owns each.
"""

from typing import Final

from preroll.clock import NS_PER_S

WINDOW_NS: Final = 30 * NS_PER_S
JUMP_NS: Final = 10 * NS_PER_S
LATE_MAX_NS: Final = 1 * NS_PER_S


class LiveAnchor:
    """Maps the stream's time to the monotonic clock by the least delay seen: arrival = capture + a delay that varies.

    The least delay of the last 30 to 60 seconds counts, not of all time: a camera's clock drifts against ours by some
    milliseconds a minute. A stream's time that falls, or that lies 10 s and more behind, begins anew.
    """

    def __init__(self) -> None:
        self._least_ns: int | None = None  # of this window
        self._least_before_ns: int | None = None  # of the window before
        self._window_end_ns = 0
        self._last_stream_ns: int | None = None

    def see(self, stream_ns: int, arrived_ns: int) -> None:
        """Take a frame's delay into account."""
        delay_ns = arrived_ns - stream_ns
        fell = self._last_stream_ns is not None and stream_ns < self._last_stream_ns
        self._last_stream_ns = stream_ns
        if self._least_ns is None or fell or delay_ns - self._offset_ns() > JUMP_NS:
            self._least_ns, self._least_before_ns = delay_ns, None
            self._window_end_ns = arrived_ns + WINDOW_NS
        elif arrived_ns >= self._window_end_ns:
            self._least_ns, self._least_before_ns = delay_ns, self._least_ns
            self._window_end_ns = arrived_ns + WINDOW_NS
        else:
            self._least_ns = min(self._least_ns, delay_ns)

    def time_of(self, stream_ns: int) -> int:
        """The capture time of a frame that has been seen, nanoseconds on the monotonic clock."""
        return stream_ns + self._offset_ns()

    def _offset_ns(self) -> int:
        assert self._least_ns is not None
        return self._least_ns if self._least_before_ns is None else min(self._least_ns, self._least_before_ns)


class PlaybackAnchor:
    """When a file's frames are due, so that it plays in real time, over and over.

    A pass begins one frame after the last of the pass before. Where reading is more than a second behind, the rest is
    put off; it is not rushed through.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._last_due_ns: int | None = None
        self._frame_ns = NS_PER_S // 25

    def begin_pass(self) -> None:
        """The stream's time begins again."""
        self._offset_ns = None

    def due_ns(self, stream_ns: int, now_ns: int) -> int:
        """When the frame of that time is due, on the monotonic clock; never before the one before."""
        if self._offset_ns is None:
            begin_ns = now_ns if self._last_due_ns is None else self._last_due_ns + self._frame_ns
            self._offset_ns = begin_ns - stream_ns
        due_ns = stream_ns + self._offset_ns
        if now_ns - due_ns > LATE_MAX_NS:
            self._offset_ns += now_ns - due_ns
            due_ns = now_ns
        if self._last_due_ns is not None:
            due_ns = max(due_ns, self._last_due_ns + 1)
            self._frame_ns = min(due_ns - self._last_due_ns, NS_PER_S)
        self._last_due_ns = due_ns
        return due_ns
