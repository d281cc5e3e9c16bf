"""Which events go, by age, by total size and by free space. Pure.

An event's age is the less of two: what the wall clock says, and how long recorders have run since it. No step of a
clock makes the second greater, and the order is by it too: a wrong clock's dates put no event before another.
An unfinished or protected event never goes; it is not offered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Cause = Literal["age", "total size", "free space"]


@dataclass(frozen=True, slots=True)
class Removable:
    """An event that may go. `running_ns` is the running time noted when it was accepted."""

    event_id: str
    triggered_unix_ns: int
    running_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """0 means: no such limit."""

    max_age_ns: int
    max_bytes: int
    min_free_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the clips take, and what is free; `None` when the disk does not say: then nothing goes for its sake."""

    clips_bytes: int
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on both clocks that an age is reckoned by."""

    unix_ns: int
    running_ns: int

    def age_ns(self, event: Removable) -> int:
        return min(self.unix_ns - event.triggered_unix_ns, self.running_ns - event.running_ns)


@dataclass(frozen=True, slots=True)
class Going:
    """An event to remove, and the limit that asks for it."""

    event_id: str
    cause: Cause


def most_by_age(events: int) -> int:
    """How many of `events` may go by age in one minute: a tenth, and at least one."""
    return max(1, events // 10)


def what_goes(
    oldest_first: Iterable[Removable], limits: RetentionLimits, now: Now, usage: Usage, by_age_max: int
) -> list[Going]:
    """The events to remove, and no more than the limits ask for. `oldest_first` is in the order of running time.

    At most `by_age_max` go by age. One whose date lies ahead is not too old, and holds up none behind it.
    """
    gone: list[Going] = []
    clips_bytes, free_bytes = usage.clips_bytes, usage.free_bytes
    for event in oldest_first:
        cause: Cause
        if limits.max_bytes > 0 and clips_bytes > limits.max_bytes:
            cause = "total size"
        elif free_bytes is not None and free_bytes < limits.min_free_bytes:
            cause = "free space"
        elif by_age_max <= 0 or limits.max_age_ns <= 0 or now.running_ns - event.running_ns <= limits.max_age_ns:
            break  # those behind have seen less running time still
        elif now.age_ns(event) > limits.max_age_ns:
            cause = "age"
            by_age_max -= 1
        else:
            continue
        gone.append(Going(event.event_id, cause))
        clips_bytes -= event.size_bytes
        if free_bytes is not None:
            free_bytes += event.size_bytes
    return gone
