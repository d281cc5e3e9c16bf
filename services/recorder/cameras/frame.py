"""One frame in the recorder's memory. Pure."""

from typing import Final

from msgspec import Struct

# What a frame takes besides its JPEG: measured 800 bytes with a message of ZeroMQ, 180 with a copy.
OVERHEAD_BYTES: Final = 800


class Frame(Struct, frozen=True, gc=False):
    """A JPEG, its name and its time.

    `t_ns` is the capture time on the recorder's own monotonic clock. `jpeg` is the message as it was received (a copy of
    a small one): rings and clips share it by reference. Nothing of a frame refers back to it, so that the collector of garbage may
    pass it over.
    """

    run_id: str
    seq: int
    t_ns: int
    width: int
    height: int
    jpeg: memoryview | bytes

    @property
    def held_bytes(self) -> int:
        """The memory that it takes."""
        return len(self.jpeg) + OVERHEAD_BYTES

    def __repr__(self) -> str:
        return f"Frame({self.run_id}/{self.seq} at {self.t_ns} ns, {self.width}x{self.height}, {len(self.jpeg)} bytes)"
