"""The span of time that a clip is to show, and how much of it a ring still has. Pure."""

from dataclasses import dataclass, replace

from preroll.clock import NS_PER_S
from preroll.wire import Coverage


@dataclass(frozen=True, slots=True)
class Window:
    """`[from_ns, to_ns]` on the recorder's monotonic clock; a frame belongs to it if from <= t <= to."""

    from_ns: int
    to_ns: int

    @classmethod
    def around(cls, trigger_ns: int, pre_s: float, post_s: float) -> "Window":
        return cls(trigger_ns - round(pre_s * NS_PER_S), trigger_ns + round(post_s * NS_PER_S))

    def __contains__(self, t_ns: int) -> bool:
        return self.from_ns <= t_ns <= self.to_ns

    def ending_at(self, to_ns: int) -> "Window":
        return replace(self, to_ns=to_ns)

    def missing_ns(self, held_from_ns: int | None, now_ns: int, period_ns: int) -> int:
        """How much of the window's past a ring that reaches back to `held_from_ns` cannot give, in nanoseconds.

        A start within one frame period is whole. What lies after `now_ns` is still to come and not counted.
        """
        past_to_ns = min(self.to_ns, now_ns)
        if past_to_ns <= self.from_ns:
            return 0
        if held_from_ns is None:
            return past_to_ns - self.from_ns
        late_ns = min(held_from_ns, past_to_ns) - self.from_ns
        return late_ns if late_ns > period_ns else 0

    def coverage(self, missing_ns: int) -> Coverage:
        """The word for `missing_ns`: `none` when nothing of the window can be had."""
        if missing_ns == 0:
            return "full"
        return "none" if missing_ns >= self.to_ns - self.from_ns else "partial"
