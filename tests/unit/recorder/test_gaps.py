"""Every missing number gets a cause."""

from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_S
from services.recorder.cameras.gaps import GapFinder, Hole

PERIOD_NS = NS_PER_S // 30


def following(*frames: tuple[str, int, int, int]) -> list[Hole]:
    finder = GapFinder()
    return [hole for run_id, seq, rejected, t_ns in frames for hole in finder.follow(run_id, seq, rejected, t_ns) or ()]


def test_frames_without_a_hole_have_no_hole() -> None:
    assert following(*(("run", n, 0, n * PERIOD_NS) for n in range(100))) == []


def test_the_first_frame_of_a_camera_is_no_hole_whatever_its_number() -> None:
    assert following(("run", 5000, 7, 0)) == []


def test_missing_numbers_are_lost_on_the_wire() -> None:
    holes = following(("run", 0, 0, 0), ("run", 4, 0, 4 * PERIOD_NS))
    assert holes == [Hole("lost_on_wire", 0, 4 * PERIOD_NS, "run", 1, 3)]


def test_numbers_that_capture_rejected_are_not_lost_on_the_wire() -> None:
    holes = following(("run", 0, 0, 0), ("run", 4, 2, 4 * PERIOD_NS))
    assert [(hole.cause, hole.missing, hole.first_seq) for hole in holes] == [
        ("rejected_by_capture", 2, 1),
        ("lost_on_wire", 1, 3),
    ]


def test_numbers_that_the_recorder_rejected_are_told_apart() -> None:
    finder = GapFinder()
    finder.follow("run", 0, 0, 0)
    finder.reject()
    assert [hole.cause for hole in finder.follow("run", 2, 0, 2 * PERIOD_NS) or ()] == ["rejected_by_recorder"]
    assert finder.follow("run", 3, 0, 3 * PERIOD_NS) == ()


def test_a_restart_is_stated_without_a_count() -> None:
    holes = following(("one", 9, 0, 0), ("two", 3, 0, NS_PER_S))
    assert holes == [Hole("restarted", 0, NS_PER_S, "one", 10, None)]


def test_a_camera_that_pauses_without_losing_a_number_has_stalled() -> None:
    holes = following(("run", 0, 0, 0), ("run", 1, 0, PERIOD_NS), ("run", 2, 0, 3 * NS_PER_S))
    assert [(hole.cause, hole.missing) for hole in holes] == [("stalled", 0)]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=60))
def test_the_holes_account_for_every_missing_number(steps: list[tuple[int, int]]) -> None:
    finder = GapFinder()
    finder.follow("run", 0, 0, 0)
    seq = rejected = 0
    counted = 0
    for place, (step, rejections) in enumerate(steps, start=1):
        seq += step
        rejected += rejections
        counted += sum(h.missing or 0 for h in finder.follow("run", seq, rejected, place * PERIOD_NS) or ())
    assert counted == seq - len(steps)
