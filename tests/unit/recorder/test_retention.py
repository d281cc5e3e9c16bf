"""Retention takes the oldest by running time, and no more than the limits ask for."""

from hypothesis import given
from hypothesis import strategies as st

from services.recorder.store.retention import Now, Removable, RetentionLimits, Usage, most_by_age, what_goes

DAY_NS = 86_400 * 1_000_000_000
NOW = Now(unix_ns=1_000 * DAY_NS, running_ns=500 * DAY_NS)
NO_LIMITS = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=0)
TWO_DAYS = RetentionLimits(max_age_ns=2 * DAY_NS, max_bytes=0, min_free_bytes=0)
ROOMY = Usage(clips_bytes=0, free_bytes=1_000)
ALL = 1_000


def removable(name: str, *, days_by_clock: float, days_by_running: float, size: int = 1) -> Removable:
    return Removable(
        name, NOW.unix_ns - round(days_by_clock * DAY_NS), NOW.running_ns - round(days_by_running * DAY_NS), size
    )


def events(*sizes: int) -> list[Removable]:
    """Events of these sizes, one a day, the last of yesterday; oldest first."""
    days = [len(sizes) - number for number in range(len(sizes))]
    return [
        removable(f"ev{number}", days_by_clock=day, days_by_running=day, size=size)
        for number, (day, size) in enumerate(zip(days, sizes, strict=True))
    ]


def gone(
    offered: list[Removable], limits: RetentionLimits, usage: Usage = ROOMY, by_age_max: int = ALL, now: Now = NOW
) -> list[str]:
    return [going.event_id for going in what_goes(iter(offered), limits, now, usage, by_age_max)]


def test_without_limits_nothing_goes() -> None:
    assert gone(events(5, 5, 5), NO_LIMITS, Usage(15, 0)) == []


def test_events_older_than_the_limit_go() -> None:
    assert gone(events(1, 1, 1, 1), TWO_DAYS) == ["ev0", "ev1"]


def test_oldest_go_until_the_total_is_within_its_limit() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=10, min_free_bytes=0)
    assert gone(events(4, 4, 4, 4), limits, Usage(16, 100)) == ["ev0", "ev1"]


def test_oldest_go_until_enough_is_free() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10)
    assert gone(events(4, 4, 4, 4), limits, Usage(16, 3)) == ["ev0", "ev1"]


def test_when_all_are_not_enough_all_go() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=1000)
    assert gone(events(4, 4), limits, Usage(8, 0)) == ["ev0", "ev1"]


def test_nothing_goes_for_free_space_that_the_disk_does_not_state() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10)
    assert gone(events(4, 4), limits, Usage(8, None)) == []


def test_no_clock_makes_an_event_older_than_recorders_have_run_since() -> None:
    of_1970 = removable("of-1970", days_by_clock=20_000, days_by_running=1)
    assert gone([of_1970], TWO_DAYS) == []
    leapt = Now(NOW.unix_ns + 40 * DAY_NS, NOW.running_ns)
    assert gone(events(1, 1), TWO_DAYS, now=leapt) == []


def test_no_running_time_makes_an_event_older_than_the_clock_says() -> None:
    assert gone([removable("young", days_by_clock=1, days_by_running=400)], TWO_DAYS) == []


def test_an_event_dated_ahead_holds_up_none_behind_it() -> None:
    ahead = removable("ahead", days_by_clock=-10_000, days_by_running=9)
    old = removable("old", days_by_clock=8, days_by_running=8)
    assert gone([ahead, old], TWO_DAYS) == ["old"]


def test_space_takes_the_oldest_by_running_time_whatever_their_dates() -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=1, min_free_bytes=0)
    ahead = removable("dated-ahead", days_by_clock=-10_000, days_by_running=9)
    of_1970 = removable("new-of-1970", days_by_clock=20_000, days_by_running=1)
    assert gone([ahead, of_1970], limits, Usage(2, 100)) == ["dated-ahead"]


def test_no_more_go_by_age_than_may_at_once() -> None:
    assert gone(events(1, 1, 1, 1, 1), TWO_DAYS, by_age_max=1) == ["ev0"]
    assert gone(events(1, 1, 1, 1, 1), TWO_DAYS, by_age_max=0) == []


def test_removal_for_space_is_not_slowed() -> None:
    limits = RetentionLimits(max_age_ns=2 * DAY_NS, max_bytes=1, min_free_bytes=0)
    going = what_goes(events(1, 1, 1, 1, 1), limits, NOW, Usage(5, 100), 0)
    assert [(each.event_id, each.cause) for each in going] == [(f"ev{number}", "total size") for number in range(4)]


def test_a_tenth_may_go_by_age_and_at_least_one() -> None:
    assert [most_by_age(count) for count in (0, 1, 19, 20, 1_000)] == [1, 1, 1, 2, 100]


@given(
    sizes=st.lists(st.integers(0, 100), max_size=30),
    foreign_bytes=st.integers(0, 200),
    free_bytes=st.integers(0, 500),
    by_age_max=st.integers(0, 40),
    limits=st.builds(
        RetentionLimits,
        max_age_ns=st.integers(0, 30).map(lambda days: days * DAY_NS),
        max_bytes=st.integers(0, 2000),
        min_free_bytes=st.integers(0, 1000),
    ),
)
def test_what_goes_is_needed_and_enough(
    sizes: list[int], foreign_bytes: int, free_bytes: int, by_age_max: int, limits: RetentionLimits
) -> None:
    offered = events(*sizes)
    clips_bytes = sum(sizes) + foreign_bytes
    going = what_goes(iter(offered), limits, NOW, Usage(clips_bytes, free_bytes), by_age_max)
    assert [each.event_id for each in going] == [each.event_id for each in offered[: len(going)]], "oldest first"
    by_age = sum(each.cause == "age" for each in going)
    assert by_age <= by_age_max

    def asks_for_more(count: int, by_age: int) -> bool:
        freed = sum(sizes[:count])
        return (
            (limits.max_age_ns > 0 and by_age < by_age_max and NOW.age_ns(offered[count]) > limits.max_age_ns)
            or (limits.max_bytes > 0 and clips_bytes - freed > limits.max_bytes)
            or free_bytes + freed < limits.min_free_bytes
        )

    assert all(asks_for_more(count, 0) for count in range(len(going)) if going[count].cause != "age")
    assert len(going) == len(offered) or not asks_for_more(len(going), by_age), "the rest is within the limits"
