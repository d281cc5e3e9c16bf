import itertools

from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_MS, NS_PER_S
from services.capture.sources.anchor import LATE_MAX_NS, LiveAnchor, PlaybackAnchor

FRAME_NS = NS_PER_S // 30


@given(st.lists(st.integers(0, 200 * NS_PER_MS), min_size=1, max_size=100))
def test_jitter_of_the_network_is_no_jitter_of_the_frames(delays: list[int]) -> None:
    anchor = LiveAnchor()
    for number, delay_ns in enumerate(delays):
        anchor.see(number * FRAME_NS, 7 * NS_PER_S + number * FRAME_NS + delay_ns)
    times = [anchor.time_of(number * FRAME_NS) for number in range(len(delays))]
    assert times == [7 * NS_PER_S + min(delays) + number * FRAME_NS for number in range(len(delays))]


@given(st.lists(st.integers(0, 500 * NS_PER_MS), min_size=1, max_size=300), st.integers(-200, 200))
def test_no_frame_is_captured_after_it_has_arrived(delays: list[int], drift_ppm: int) -> None:
    anchor = LiveAnchor()
    for number, delay_ns in enumerate(delays):
        stream_ns = number * NS_PER_S
        arrived_ns = stream_ns + stream_ns * drift_ppm // 1_000_000 + NS_PER_S + delay_ns
        anchor.see(stream_ns, arrived_ns)
        assert anchor.time_of(stream_ns) <= arrived_ns


def test_a_camera_whose_clock_drifts_stays_within_milliseconds_for_a_day() -> None:
    anchor = LiveAnchor()
    slow_ppm = 50
    worst_ns = 0
    for second in range(86_400):
        stream_ns = second * NS_PER_S
        arrived_ns = stream_ns + stream_ns * slow_ppm // 1_000_000
        anchor.see(stream_ns, arrived_ns)
        worst_ns = max(worst_ns, arrived_ns - anchor.time_of(stream_ns))
    assert worst_ns < 4 * NS_PER_MS


def test_a_stream_that_begins_anew_is_anchored_anew() -> None:
    anchor = LiveAnchor()
    anchor.see(1_000 * NS_PER_S, 5 * NS_PER_S)
    anchor.see(0, 6 * NS_PER_S)
    assert anchor.time_of(0) == 6 * NS_PER_S


def test_a_stream_that_falls_far_behind_is_anchored_anew() -> None:
    anchor = LiveAnchor()
    anchor.see(0, 0)
    anchor.see(FRAME_NS, 20 * NS_PER_S)
    assert anchor.time_of(FRAME_NS) == 20 * NS_PER_S


def test_a_recording_plays_at_its_own_pace() -> None:
    anchor = PlaybackAnchor()
    assert [anchor.due_ns(500 + number * FRAME_NS, 10 * NS_PER_S) for number in range(3)] == [
        10 * NS_PER_S + number * FRAME_NS for number in range(3)
    ]


def test_the_next_pass_begins_one_frame_after_the_last() -> None:
    anchor = PlaybackAnchor()
    dues = [anchor.due_ns(number * FRAME_NS, 0) for number in range(3)]
    anchor.begin_pass()
    dues += [anchor.due_ns(number * FRAME_NS, dues[-1]) for number in range(3)]
    assert [later - earlier for earlier, later in itertools.pairwise(dues)] == [FRAME_NS] * 5


def test_a_small_delay_is_made_up() -> None:
    anchor = PlaybackAnchor()
    anchor.due_ns(0, 0)
    assert anchor.due_ns(FRAME_NS, FRAME_NS + LATE_MAX_NS) == FRAME_NS


def test_after_a_long_delay_the_rest_is_put_off() -> None:
    anchor = PlaybackAnchor()
    anchor.due_ns(0, 0)
    late_ns = 5 * NS_PER_S
    assert anchor.due_ns(FRAME_NS, late_ns) == late_ns
    assert anchor.due_ns(2 * FRAME_NS, late_ns) == late_ns + FRAME_NS


@given(st.lists(st.tuples(st.integers(0, NS_PER_S), st.integers(0, 3 * NS_PER_S)), max_size=50))
def test_due_times_never_fall(steps: list[tuple[int, int]]) -> None:
    anchor, now_ns, last_ns = PlaybackAnchor(), 0, -1
    for stream_ns, passed_ns in steps:
        now_ns += passed_ns
        due_ns = anchor.due_ns(stream_ns, now_ns)
        assert due_ns > last_ns
        last_ns = due_ns
