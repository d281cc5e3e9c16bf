"""Brings the times of frames onto the recorder's monotonic clock. Pure.

A capture of the same boot shares that clock, and its times are used as they are. The clock of another host is mapped by
the smallest (receive - capture) difference seen: the delay of the network only ever adds. Hosts' clocks drift apart by
some tens of microseconds a second, so the smallest is taken over the last `BUCKET_NS` to twice that; and it is frozen
while a clip is being recorded, so that no clip is stretched.
"""

from typing import Final

from preroll.clock import NS_PER_S

BUCKET_NS: Final = 30 * NS_PER_S


class Timeline:
    """One camera's mapping."""

    __slots__ = ("_before", "_boot_id", "_bucket_began_ns", "_now", "_offset_ns", "_own_boot_id")

    def __init__(self, own_boot_id: str) -> None:
        self._own_boot_id = own_boot_id
        self._boot_id: str | None = None
        self._offset_ns = 0
        self._now: int | None = None
        self._before: int | None = None
        self._bucket_began_ns = 0

    @property
    def offset_ns(self) -> int:
        """What is added to a capture's time; 0 for one of the same boot."""
        return self._offset_ns

    def to_local(self, boot_id: str, captured_ns: int, received_ns: int, *, is_frozen: bool) -> int:
        """The capture time on the recorder's clock, for a frame received at `received_ns`."""
        if boot_id == self._own_boot_id:
            self._offset_ns = 0
            self._boot_id = boot_id
            return captured_ns
        delay_ns = received_ns - captured_ns
        if boot_id != self._boot_id:
            self._boot_id, self._before, self._now = boot_id, None, delay_ns
            self._bucket_began_ns = received_ns
            self._offset_ns = delay_ns
        else:
            self._learn(delay_ns, received_ns)
            if not is_frozen:
                self._offset_ns = min(d for d in (self._now, self._before) if d is not None)
        return captured_ns + self._offset_ns

    def _learn(self, delay_ns: int, received_ns: int) -> None:
        if received_ns - self._bucket_began_ns > BUCKET_NS:
            self._before, self._now = self._now, delay_ns
            self._bucket_began_ns = received_ns
        elif self._now is None or delay_ns < self._now:
            self._now = delay_ns
