"""One frame in the recorder's memory. Pure."""

from typing import NamedTuple


class Frame(NamedTuple):
    """A JPEG, its name and its time.

    `t_ns` is the capture time on the recorder's own monotonic clock. `jpeg` is the message as it was received, not a
    copy: rings and clips share it by reference.
    """

    run_id: str
    seq: int
    t_ns: int
    width: int
    height: int
    jpeg: memoryview | bytes

    @property
    def size_bytes(self) -> int:
        return len(self.jpeg)

    def __repr__(self) -> str:
        return f"Frame({self.run_id}/{self.seq} at {self.t_ns} ns, {self.width}x{self.height}, {len(self.jpeg)} bytes)"
