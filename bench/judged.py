"""What a clip shows, read from the numbers in its pictures and held against the schedule they were sent by. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.schedule import Schedule
from preroll.clock import NS_PER_MS

TOLERANCE_NS: Final = 10 * NS_PER_MS  # from sending to the trigger's or the camera's receipt


@dataclass(frozen=True, slots=True)
class Judged:
    """Frames in a clip; lost and outside by the window asked for. Errors: first and last frame's moment less the ends'."""

    frames: int
    lost: int
    repeated: int
    outside: int
    begin_error_ms: float
    end_error_ms: float


def judge(numbers: Sequence[int], schedule: Schedule, from_ns: int, to_ns: int, slack_ns: int = 0) -> Judged:
    """Judge the pictures' numbers, in the order of the file, against the window.

    `slack_ns` is by how much the feeder was late: so far may a frame's true time be from its due one.
    """
    tolerance_ns = TOLERANCE_NS + slack_ns
    shown: list[int] = []
    last = round(schedule.at(from_ns))
    for number in numbers:
        last = schedule.near(number, last)
        shown.append(last)
    distinct = set(shown)
    if not distinct:
        raise ValueError("a clip without a picture cannot be judged")
    sure = range(
        _ceil(schedule.at(from_ns + tolerance_ns)),
        _floor(schedule.at(to_ns - tolerance_ns)) + 1,
    )
    allowed = range(
        _ceil(schedule.at(from_ns - tolerance_ns)),
        _floor(schedule.at(to_ns + tolerance_ns)) + 1,
    )
    return Judged(
        frames=len(shown),
        lost=sum(n not in distinct for n in sure),
        repeated=len(shown) - len(distinct),
        outside=sum(n not in allowed for n in distinct),
        begin_error_ms=(schedule.due_ns(min(distinct)) - from_ns) / NS_PER_MS,
        end_error_ms=(schedule.due_ns(max(distinct)) - to_ns) / NS_PER_MS,
    )


def _ceil(value: float) -> int:
    return -int(-value // 1)


def _floor(value: float) -> int:
    return int(value // 1)
