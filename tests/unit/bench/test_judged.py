"""What the benchmark says of a clip is true: known clips are judged as they are."""

import pytest

from bench.judged import judge
from bench.schedule import Feed, Schedule
from preroll.clock import NS_PER_MS, NS_PER_S

SCHEDULE = Schedule(began_ns=7 * NS_PER_S, period_ns=NS_PER_S // 30, frames=600)


def numbers(first: int, last: int) -> list[int]:
    return [n % 600 for n in range(first, last + 1)]


def window(first: int, last: int) -> tuple[int, int]:
    """A window whose ends lie in the middle between frames."""
    half_ns = SCHEDULE.period_ns // 2
    return SCHEDULE.due_ns(first) - half_ns, SCHEDULE.due_ns(last) + half_ns


@pytest.mark.parametrize("first", [0, 90, 580, 599, 1234])
def test_a_whole_clip_has_no_fault_even_where_the_numbers_begin_anew(first: int) -> None:
    judged = judge(numbers(first, first + 299), SCHEDULE, *window(first, first + 299))
    assert (judged.frames, judged.lost, judged.repeated, judged.outside) == (300, 0, 0, 0)
    assert judged.begin_error_ms == pytest.approx(1000 / 60, abs=0.01)
    assert judged.end_error_ms == pytest.approx(-1000 / 60, abs=0.01)


def test_missing_frames_are_lost_at_the_ends_too() -> None:
    shown = numbers(103, 199)
    del shown[50]
    judged = judge(shown, SCHEDULE, *window(100, 200))
    assert (judged.lost, judged.repeated, judged.outside) == (5, 0, 0)


def test_a_frame_shown_twice_is_repeated() -> None:
    judged = judge([*numbers(100, 150), *numbers(150, 200)], SCHEDULE, *window(100, 200))
    assert (judged.frames, judged.lost, judged.repeated) == (102, 0, 1)


def test_frames_beyond_the_window_are_outside() -> None:
    judged = judge(numbers(98, 204), SCHEDULE, *window(100, 200))
    assert (judged.lost, judged.outside) == (0, 6)
    assert judged.begin_error_ms < 0 < judged.end_error_ms


def test_a_frame_at_the_very_end_of_the_window_may_be_in_the_clip_or_not() -> None:
    from_ns, to_ns = SCHEDULE.due_ns(100), SCHEDULE.due_ns(200)
    for first, last in ((100, 200), (101, 199)):
        judged = judge(numbers(first, last), SCHEDULE, from_ns, to_ns)
        assert (judged.lost, judged.outside) == (0, 0)


def test_a_late_feeder_widens_what_is_allowed() -> None:
    late_ns = 40 * NS_PER_MS
    assert judge(numbers(99, 200), SCHEDULE, *window(100, 200)).outside == 1
    assert judge(numbers(99, 200), SCHEDULE, *window(100, 200), slack_ns=late_ns).outside == 0


def test_a_clip_without_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="without a picture"):
        judge([], SCHEDULE, *window(1, 2))


def test_a_feed_is_asked_by_time() -> None:
    feed = Feed(SCHEDULE, {0: 1.0, 3: 9.0}, {3: 4})
    begin_ns = SCHEDULE.began_ns
    assert feed.worst_late_ms(begin_ns, begin_ns + 2 * NS_PER_S) == 1.0
    assert feed.worst_late_ms(begin_ns, begin_ns + 3 * NS_PER_S) == 9.0
    assert feed.skipped_between(begin_ns + 4 * NS_PER_S, begin_ns + 9 * NS_PER_S) == 0
    assert feed.skipped_between(begin_ns, begin_ns + 9 * NS_PER_S) == 4
