"""The backlog: frames that clips wait to have written and that no ring holds any more, bounded over all cameras.

What a clip waits for costs nothing as long as the ring holds it, too. When the ring lets go of it, it counts here: once,
however many clips wait for it, until the last of them has had it written. Where there is no room, the clip drops it.
"""

import threading
from collections import deque

from services.recorder.cameras.frame import Frame


class Backlog:
    """The sum and its bound. From any thread."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._size_bytes = 0
        self._holders: dict[int, int] = {}  # of each frame, by its identity: whoever is counted holds it
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def admit(self, frame: Frame) -> bool:
        """Count one more clip that holds `frame`; false, and not counted, where there is no room."""
        with self._lock:
            if id(frame) not in self._holders and self._size_bytes + frame.held_bytes > self.max_bytes:
                return False
            self._hold(frame)
            return True

    def count(self, frame: Frame) -> None:
        """Count one more clip that holds `frame`, whatever the bound."""
        with self._lock:
            self._hold(frame)

    def release(self, frame: Frame) -> None:
        """One clip holds `frame` no longer."""
        with self._lock:
            holders = self._holders[id(frame)] - 1
            if holders:
                self._holders[id(frame)] = holders
            else:
                del self._holders[id(frame)]
                self._size_bytes -= frame.held_bytes

    def _hold(self, frame: Frame) -> None:
        holders = self._holders.get(id(frame), 0)
        if holders == 0:
            self._size_bytes += frame.held_bytes
        self._holders[id(frame)] = holders + 1


class Overdue:
    """One clip's part of the backlog: the frames that wait, in order, and those that its writer has in hand.

    Guarded by the lock of the clip's recording. It outlives the recording, so that what was counted is uncounted.
    """

    __slots__ = ("_backlog", "in_hand", "waiting")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self.waiting: deque[Frame] = deque()
        self.in_hand: list[Frame] = []

    def add(self, frame: Frame) -> bool:
        """Have `frame` wait here; false where the backlog has no room for it."""
        if not self._backlog.admit(frame):
            return False
        self.waiting.append(frame)
        return True

    def add_in_hand(self, frame: Frame) -> None:
        """Count a frame that is being written: it is in memory whatever the bound."""
        self._backlog.count(frame)
        self.in_hand.append(frame)

    def hand_out(self, count: int) -> None:
        """The writer takes the first `count` frames that wait."""
        self.in_hand += [self.waiting.popleft() for _ in range(count)]

    def put_down(self) -> None:
        """What the writer had in hand is written, or given up."""
        for frame in self.in_hand:
            self._backlog.release(frame)
        self.in_hand.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self.put_down()
        self.hand_out(len(self.waiting))
        self.put_down()
