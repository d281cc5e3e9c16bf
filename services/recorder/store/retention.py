"""Makes room: which events go, by age, by total size and by free space. The decision is pure; the thread is thin.

An unfinished or protected event never goes; the index does not offer one.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Removable:
    """An event that may go."""

    event_id: str
    triggered_unix_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """0 means: no such limit."""

    max_age_ns: int
    max_bytes: int
    min_free_bytes: int


def what_goes(
    oldest_first: Iterable[Removable], limits: RetentionLimits, now_unix_ns: int, clips_bytes: int, free_bytes: int
) -> list[str]:
    """The ids of the events to remove, oldest first, and no more than the limits ask for."""
    gone: list[str] = []
    for event in oldest_first:
        is_too_old = limits.max_age_ns > 0 and now_unix_ns - event.triggered_unix_ns > limits.max_age_ns
        is_too_much = limits.max_bytes > 0 and clips_bytes > limits.max_bytes
        is_too_tight = free_bytes < limits.min_free_bytes
        if not (is_too_old or is_too_much or is_too_tight):
            break
        gone.append(event.event_id)
        clips_bytes -= event.size_bytes
        free_bytes += event.size_bytes
    return gone
