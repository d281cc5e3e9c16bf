"""Several measurements of one thing, put into one figure and its spread. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import Any

Json = dict[str, Any]


def spread(values: Sequence[float]) -> Json:
    """Median, smallest and largest of the repeats, and how many there were."""
    if not values:
        raise ValueError("no measurement, no figure")
    return {
        "median": round(median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "repeats": len(values),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def latencies(values_s: Sequence[float]) -> Json:
    """Seconds, as milliseconds: the middle, the slowest in a hundred, the slowest."""
    return {
        "p50_ms": round(1000 * percentile(values_s, 0.5), 2),
        "p99_ms": round(1000 * percentile(values_s, 0.99), 2),
        "max_ms": round(1000 * max(values_s), 2),
        "count": len(values_s),
    }
