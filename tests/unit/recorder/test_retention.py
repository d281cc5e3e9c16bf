"""Retention takes the oldest, and no more than the limits ask for."""

from hypothesis import given
from hypothesis import strategies as st

from services.recorder.store.retention import Removable, RetentionLimits, what_goes

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = 1_000 * DAY_NS
NO_LIMITS = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=0)


def events(*sizes: int) -> list[Removable]:
    """Events of these sizes, one a day, the last of yesterday; oldest first."""
    return [
        Removable(f"ev{number}", NOW_NS - (len(sizes) - number) * DAY_NS, size) for number, size in enumerate(sizes)
    ]


def test_without_limits_nothing_goes() -> None:
    assert what_goes(events(5, 5, 5), NO_LIMITS, NOW_NS, 15, 0) == []


def test_events_older_than_the_limit_go() -> None:
    limits = RetentionLimits(max_age_ns=2 * DAY_NS, max_bytes=0, min_free_bytes=0)
    assert what_goes(events(1, 1, 1, 1), limits, NOW_NS, 4, 100) == ["ev0", "ev1"]


def test_oldest_go_until_the_total_is_within_its_limit() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=10, min_free_bytes=0)
    assert what_goes(events(4, 4, 4, 4), limits, NOW_NS, 16, 100) == ["ev0", "ev1"]


def test_oldest_go_until_enough_is_free() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10)
    assert what_goes(events(4, 4, 4, 4), limits, NOW_NS, 16, 3) == ["ev0", "ev1"]


def test_when_all_are_not_enough_all_go() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=1000)
    assert what_goes(events(4, 4), limits, NOW_NS, 8, 0) == ["ev0", "ev1"]


@given(
    sizes=st.lists(st.integers(0, 100), max_size=30),
    foreign_bytes=st.integers(0, 200),
    free_bytes=st.integers(0, 500),
    limits=st.builds(
        RetentionLimits,
        max_age_ns=st.integers(0, 30).map(lambda days: days * DAY_NS),
        max_bytes=st.integers(0, 2000),
        min_free_bytes=st.integers(0, 1000),
    ),
)
def test_what_goes_is_needed_and_enough(
    sizes: list[int], foreign_bytes: int, free_bytes: int, limits: RetentionLimits
) -> None:
    offered = events(*sizes)
    clips_bytes = sum(sizes) + foreign_bytes
    gone = what_goes(iter(offered), limits, NOW_NS, clips_bytes, free_bytes)
    assert gone == [each.event_id for each in offered[: len(gone)]], "the oldest go first"

    def asks_for_more(count: int) -> bool:
        freed = sum(sizes[:count])
        return (
            (limits.max_age_ns > 0 and NOW_NS - offered[count].triggered_unix_ns > limits.max_age_ns)
            or (limits.max_bytes > 0 and clips_bytes - freed > limits.max_bytes)
            or free_bytes + freed < limits.min_free_bytes
        )

    assert all(asks_for_more(count) for count in range(len(gone))), "each that goes is one too many"
    assert len(gone) == len(offered) or not asks_for_more(len(gone)), "the rest is within the limits"
