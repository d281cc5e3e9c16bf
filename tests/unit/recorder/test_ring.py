"""The ring, against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_S
from services.recorder.cameras.frame import OVERHEAD_BYTES, Frame
from services.recorder.cameras.ring import Ring, evict_to
from services.recorder.cameras.window import Window

PERIOD_NS = NS_PER_S // 30


def frame(number: int, t_ns: int, size_bytes: int = 100) -> Frame:
    return Frame("run", number, t_ns, 640, 360, bytes(size_bytes))


def filled(count: int, held_bytes: int = 1000) -> Ring:
    """Frames that take `held_bytes` each."""
    ring = Ring()
    for number in range(count):
        ring.append(frame(number, number * PERIOD_NS, held_bytes - OVERHEAD_BYTES))
    return ring


@given(
    steps=st.lists(st.tuples(st.integers(1, NS_PER_S), st.integers(0, 5000)), max_size=200),
    span_ns=st.integers(1, 20 * NS_PER_S),
    ends=st.tuples(st.integers(-NS_PER_S, 100 * NS_PER_S), st.integers(0, 30 * NS_PER_S)),
)
def test_ring_holds_what_a_plain_list_would(steps: list[tuple[int, int]], span_ns: int, ends: tuple[int, int]) -> None:
    ring, plain = Ring(), list[Frame]()
    t_ns = 0
    for number, (step_ns, size_bytes) in enumerate(steps):
        t_ns += step_ns
        ring.append(frame(number, t_ns, size_bytes))
        plain.append(frame(number, t_ns, size_bytes))
        ring.evict_before(t_ns - span_ns)
        plain = [held for held in plain if held.t_ns >= t_ns - span_ns]
    window = Window(ends[0], ends[0] + ends[1])
    assert len(ring) == len(plain)
    assert ring.size_bytes == sum(held.held_bytes for held in plain)
    assert ring.within(window) == [held for held in plain if held.t_ns in window]
    assert ring.oldest == (plain[0] if plain else None)
    assert ring.held_ns == (plain[-1].t_ns - plain[0].t_ns if plain else 0)


@given(t_ns=st.integers(-NS_PER_S, 10 * NS_PER_S))
def test_nearest_is_the_frame_with_the_least_distance(t_ns: int) -> None:
    ring = filled(90)
    found = ring.nearest(t_ns)
    assert found is not None
    assert abs(found.t_ns - t_ns) == min(abs(number * PERIOD_NS - t_ns) for number in range(90))


def test_empty_ring_has_nothing_to_give() -> None:
    ring = Ring()
    assert ring.nearest(0) is None
    assert ring.beside("run", 0, 0) is None
    assert ring.within(Window(0, NS_PER_S)) == []
    assert ring.recent(5) is None


def test_frames_are_found_by_name_and_steps_stop_at_the_ends() -> None:
    ring = filled(30)
    for seq, steps, expected in ((10, 0, 10), (10, 3, 13), (10, -3, 7), (28, 9, 29), (2, -9, 0)):
        found = ring.beside("run", seq, steps)
        assert found is not None
        assert found.seq == expected
    assert ring.beside("other", 10, 0) is None


def test_time_evicts_all_but_the_newest() -> None:
    ring = filled(30)
    ring.evict_before(10**15)
    assert len(ring) == 1
    assert ring.newest is not None
    assert ring.newest.seq == 29
    assert ring.size_bytes == 1000


def test_bytes_are_taken_from_the_largest_ring_first() -> None:
    large, small = filled(100, held_bytes=10_000), filled(100, held_bytes=1000)
    evicted = evict_to([large, small], 300_000)
    assert large.size_bytes + small.size_bytes <= 300_000
    assert small.size_bytes == 100_000
    assert evicted == [large] * 80


def test_equal_cameras_share_the_bytes_equally() -> None:
    rings = [filled(100, held_bytes=1000) for _ in range(4)]
    evict_to(rings, 200_000)
    assert [len(ring) for ring in rings] == [50] * 4


def test_the_bytes_are_a_limit_for_the_newest_frames_too() -> None:
    small = filled(30, held_bytes=1000)
    large = [filled(1, held_bytes=31_000) for _ in range(100)]
    evict_to([small, *large], 1_000_000)
    assert small.size_bytes == 30_000
    assert sum(ring.size_bytes for ring in large) <= 970_000
    assert sum(len(ring) for ring in large) == 31
