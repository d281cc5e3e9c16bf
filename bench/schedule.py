"""When a feeder sends which frame, and what it says of itself when it ends. Pure but for reading the file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preroll.clock import NS_PER_S


@dataclass(frozen=True, slots=True)
class Schedule:
    """Frame `n`, which carries the number `n % frames`, is due at `began_ns + n * period_ns` (monotonic clock)."""

    began_ns: int
    period_ns: int
    frames: int

    def due_ns(self, n: int) -> int:
        return self.began_ns + n * self.period_ns

    def at(self, t_ns: int) -> float:
        """How many frames are due by `t_ns`, with its fraction."""
        return (t_ns - self.began_ns) / self.period_ns

    def near(self, number: int, n: int) -> int:
        """The frame that carries `number` and is nearest to frame `n`."""
        return n + (number - n + self.frames // 2) % self.frames - self.frames // 2


@dataclass(frozen=True, slots=True)
class Feed:
    """How well a feeder kept its schedule: by second, the worst delay in milliseconds and the frames it left out."""

    schedule: Schedule
    late_ms: dict[int, float]
    skipped: dict[int, int]

    @classmethod
    def read(cls, path: Path) -> "Feed":
        """Of the file that a feeder writes; complete once it has ended."""
        said: dict[str, Any] = json.loads(path.read_text())
        return cls(
            Schedule(said["began_ns"], said["period_ns"], said["frames"]),
            {int(second): late for second, late in said["late_ms"].items()},
            {int(second): count for second, count in said["skipped"].items()},
        )

    def worst_late_ms(self, from_ns: int, to_ns: int) -> float:
        return max((self.late_ms.get(second, 0.0) for second in self._seconds(from_ns, to_ns)), default=0.0)

    def skipped_between(self, from_ns: int, to_ns: int) -> int:
        return sum(self.skipped.get(second, 0) for second in self._seconds(from_ns, to_ns))

    def _seconds(self, from_ns: int, to_ns: int) -> range:
        began_ns = self.schedule.began_ns
        return range((from_ns - began_ns) // NS_PER_S, (to_ns - began_ns) // NS_PER_S + 1)
