"""How times of other hosts come onto the recorder's clock."""

from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_MS, NS_PER_S
from services.recorder.cameras.timeline import BUCKET_NS, Timeline


def test_times_of_the_same_boot_are_used_as_they_are() -> None:
    assert Timeline("here").to_local("here", 123, 456_000, is_frozen=False) == 123


@given(delays_ms=st.lists(st.integers(0, 500), min_size=1, max_size=100), skew_ns=st.integers(-(10**15), 10**15))
def test_the_smallest_delay_places_frames_of_another_host(delays_ms: list[int], skew_ns: int) -> None:
    timeline = Timeline("here")
    for number, delay_ms in enumerate(delays_ms):
        true_ns = number * NS_PER_S // 30
        mapped_ns = timeline.to_local("there", true_ns - skew_ns, true_ns + delay_ms * NS_PER_MS, is_frozen=False)
        assert mapped_ns - true_ns == min(delays_ms[: number + 1]) * NS_PER_MS


def test_the_mapping_is_frozen_while_a_clip_is_recorded() -> None:
    timeline = Timeline("here")
    timeline.to_local("there", 0, 50 * NS_PER_MS, is_frozen=False)
    assert timeline.to_local("there", NS_PER_S, NS_PER_S + 1, is_frozen=True) == NS_PER_S + 50 * NS_PER_MS
    assert timeline.to_local("there", 2 * NS_PER_S, 2 * NS_PER_S + 9, is_frozen=False) == 2 * NS_PER_S + 1


def test_the_mapping_follows_a_clock_that_runs_slow() -> None:
    timeline = Timeline("here")
    drift_ppm = 100
    for second in range(600):
        true_ns = second * NS_PER_S
        captured_ns = true_ns - true_ns * drift_ppm // 1_000_000
        mapped_ns = timeline.to_local("there", captured_ns, true_ns + NS_PER_MS, is_frozen=False)
    assert abs(mapped_ns - true_ns) < 2 * BUCKET_NS * drift_ppm // 1_000_000 + NS_PER_MS


def test_a_host_that_rebooted_is_mapped_anew() -> None:
    timeline = Timeline("here")
    timeline.to_local("there", 10**15, NS_PER_S, is_frozen=False)
    assert timeline.to_local("there-again", 5, 2 * NS_PER_S, is_frozen=True) == 2 * NS_PER_S
