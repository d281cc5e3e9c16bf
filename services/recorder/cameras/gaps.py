"""Finds the holes in a camera's numbered frames and says why they are there. Pure.

Capture numbers its frames without a hole within a run, and `rejected` counts those that it did not send. So a hole in
`seq`, less the growth of `rejected`, less what the recorder itself threw away, was lost on the wire.

A header is believed as far as a camera could have done what it says. A number that falls, stands, or is further on than
any camera counts in the time is odd: its frame is refused. When the next frame goes on from the odd number, the numbers
have started anew, and nobody knows how many frames are missing between.
"""

from dataclasses import dataclass
from typing import Final, Literal

from preroll.clock import NS_PER_S

Cause = Literal[
    "lost_on_wire",
    "rejected_by_capture",
    "rejected_by_recorder",
    "stalled",
    "restarted",
    "renumbered",
    "dropped_by_writer",
    "not_written",
]

STALL_MIN_NS: Final = NS_PER_S // 2
STALL_PERIODS: Final = 5
JUMP_MAX: Final = 1_000  # numbers that may be missing however short the time: what waited somewhere comes together
JUMP_MAX_PER_S: Final = 10_000  # and with time; no camera makes so many frames


@dataclass(frozen=True, slots=True)
class Hole:
    """Frames that are not there, between the frames at `from_ns` and `to_ns`.

    `missing` is how many numbers are absent; `None` where that cannot be known (after a restart or a renumbering). `first_seq` is the first
    absent number of `run_id`.
    """

    cause: Cause
    from_ns: int
    to_ns: int
    run_id: str
    first_seq: int
    missing: int | None

    def touches(self, from_ns: int, to_ns: int) -> bool:
        """Whether frames of this hole would have been within the span."""
        return self.from_ns < to_ns and self.to_ns > from_ns


class GapFinder:
    """Follows one camera's frames; `follow` returns the holes that end with a frame."""

    __slots__ = ("_odd_seq", "_rejected", "_rejected_here", "_run_id", "_seq", "_t_ns", "period_ns")

    def __init__(self) -> None:
        self._run_id: str | None = None
        self._seq = 0
        self._rejected = 0
        self._rejected_here = 0
        self._t_ns = 0
        self._odd_seq: int | None = None
        self.period_ns = NS_PER_S // 30

    def reject(self) -> None:
        """The recorder threw away a frame of this camera (malformed): its number will be absent."""
        self._rejected_here += 1

    def follow(self, run_id: str, seq: int, rejected: int, t_ns: int) -> tuple[Hole, ...] | None:
        """The holes between the frame before and this one; none for the first frame that is seen of a camera.

        `None` when the number is odd: the frame is to be refused.
        """
        holes: tuple[Hole, ...] = ()
        if run_id == self._run_id:
            step_ns = t_ns - self._t_ns
            if seq != self._seq + 1:
                if 0 <= seq - self._seq - 1 <= JUMP_MAX + step_ns * JUMP_MAX_PER_S // NS_PER_S:
                    holes = self._explain(seq - self._seq - 1, rejected - self._rejected, t_ns)
                elif self._odd_seq is not None and 0 <= seq - self._odd_seq <= JUMP_MAX:
                    holes = (Hole("renumbered", self._t_ns, t_ns, run_id, self._seq + 1, None),)
                else:
                    self._odd_seq = seq
                    self._rejected_here += 1
                    return None
            elif step_ns > max(STALL_MIN_NS, STALL_PERIODS * self.period_ns):
                holes = (Hole("stalled", self._t_ns, t_ns, run_id, seq, 0),)
            else:
                # A slow mean over about 16 frames: steady against jitter, quick enough for a change of rate.
                self.period_ns += (step_ns - self.period_ns) >> 4
        elif self._run_id is not None:
            holes = (Hole("restarted", self._t_ns, t_ns, self._run_id, self._seq + 1, None),)
            self.period_ns = NS_PER_S // 30 if self.period_ns <= 0 else self.period_ns
        self._run_id, self._seq, self._rejected, self._t_ns = run_id, seq, rejected, t_ns
        self._rejected_here = 0
        self._odd_seq = None
        return holes

    def _explain(self, missing: int, rejected: int, t_ns: int) -> tuple[Hole, ...]:
        assert self._run_id is not None
        parts: list[Hole] = []
        first = self._seq + 1
        by_capture = min(max(rejected, 0), missing)
        by_recorder = min(self._rejected_here, missing - by_capture)
        causes: tuple[tuple[Cause, int], ...] = (
            ("rejected_by_capture", by_capture),
            ("rejected_by_recorder", by_recorder),
            ("lost_on_wire", missing - by_capture - by_recorder),
        )
        for cause, count in causes:
            if count > 0:
                parts.append(Hole(cause, self._t_ns, t_ns, self._run_id, first, count))
                first += count
        return tuple(parts)
