"""Windows, coverage, and the verdict on a finished clip."""

from preroll.clock import NS_PER_S
from services.recorder.cameras.gaps import Hole
from services.recorder.cameras.window import Window
from services.recorder.clips.verdict import judge

PERIOD_NS = NS_PER_S // 30
WINDOW = Window.around(100 * NS_PER_S, 5, 10)


def test_a_frame_on_either_end_belongs_to_the_window() -> None:
    assert 95 * NS_PER_S in WINDOW
    assert 110 * NS_PER_S in WINDOW
    assert 95 * NS_PER_S - 1 not in WINDOW
    assert 110 * NS_PER_S + 1 not in WINDOW


def test_coverage_is_full_when_the_ring_reaches_back_to_within_a_frame() -> None:
    missing_ns = WINDOW.missing_ns(95 * NS_PER_S + PERIOD_NS, 100 * NS_PER_S, PERIOD_NS)
    assert (missing_ns, WINDOW.coverage(missing_ns)) == (0, "full")


def test_coverage_states_the_seconds_that_the_ring_lacks() -> None:
    missing_ns = WINDOW.missing_ns(98 * NS_PER_S, 100 * NS_PER_S, PERIOD_NS)
    assert (missing_ns, WINDOW.coverage(missing_ns)) == (3 * NS_PER_S, "partial")


def test_an_empty_ring_lacks_all_of_the_past_but_not_what_is_to_come() -> None:
    assert WINDOW.missing_ns(None, 100 * NS_PER_S, PERIOD_NS) == 5 * NS_PER_S
    assert WINDOW.coverage(5 * NS_PER_S) == "partial"


def test_a_window_that_is_wholly_past_and_gone_has_no_coverage() -> None:
    missing_ns = WINDOW.missing_ns(200 * NS_PER_S, 230 * NS_PER_S, PERIOD_NS)
    assert WINDOW.coverage(missing_ns) == "none"


def test_a_window_in_the_future_lacks_nothing() -> None:
    assert WINDOW.missing_ns(None, 90 * NS_PER_S, PERIOD_NS) == 0


def test_a_whole_clip_is_complete() -> None:
    verdict = judge(WINDOW, WINDOW.from_ns + PERIOD_NS, WINDOW.to_ns - PERIOD_NS, PERIOD_NS, (), None)
    assert (verdict.is_complete, verdict.shortfall, verdict.lost) == (True, (), 0)


def test_a_clip_says_how_late_it_begins_and_how_early_it_ends() -> None:
    verdict = judge(WINDOW, WINDOW.from_ns + 2 * NS_PER_S, WINDOW.to_ns - NS_PER_S, PERIOD_NS, (), None)
    assert verdict.shortfall == ("begins 2.000 s late", "ends 1.000 s early")
    assert not verdict.is_complete


def test_each_hole_is_told_with_its_cause_and_counted() -> None:
    holes = (
        Hole("lost_on_wire", 0, NS_PER_S, "run", 1, 7),
        Hole("stalled", 0, 2 * NS_PER_S, "run", 1, 0),
        Hole("restarted", 0, 3 * NS_PER_S, "run", 1, None),
    )
    verdict = judge(WINDOW, WINDOW.from_ns, WINDOW.to_ns, PERIOD_NS, holes, None)
    assert verdict.lost == 7
    assert verdict.shortfall == (
        "7 frames lost on the wire",
        "the camera stalled for 2.000 s",
        "capture restarted, 3.000 s without a frame, count unknown",
    )


def test_many_holes_of_one_cause_are_told_in_one_sentence() -> None:
    holes = [Hole("lost_on_wire", n * NS_PER_S, (n + 1) * NS_PER_S, "run", n, 2) for n in range(1000)]
    holes += [Hole("stalled", n * NS_PER_S, (n + 1) * NS_PER_S, "run", n, 0) for n in range(3)]
    verdict = judge(WINDOW, WINDOW.from_ns, WINDOW.to_ns, PERIOD_NS, holes, None)
    assert verdict.lost == 2000
    assert verdict.shortfall == (
        "2000 frames lost on the wire, in 1000 places",
        "the camera stalled for 3.000 s, 3 times in all",
    )


def test_a_clip_without_a_frame_is_not_complete() -> None:
    verdict = judge(WINDOW, None, None, PERIOD_NS, (), "the recorder was stopped")
    assert verdict.shortfall == ("no frame of the window could be had", "the recorder was stopped")


def test_a_camera_that_was_late_itself_has_lost_nothing() -> None:
    first_ns, last_ns = WINDOW.from_ns + 3 * PERIOD_NS, WINDOW.to_ns - 3 * PERIOD_NS
    seen = judge(WINDOW, first_ns, last_ns, PERIOD_NS, (), None, is_begin_seen=True, is_end_seen=True)
    assert (seen.is_complete, seen.shortfall) == (True, ())
    unseen = judge(WINDOW, first_ns, last_ns, PERIOD_NS, (), None)
    assert unseen.shortfall == ("begins 0.100 s late", "ends 0.100 s early")
