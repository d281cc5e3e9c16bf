"""One clip while it is recorded: which frames it takes, when it closes, what it says of losses."""

import threading

from preroll.clock import NS_PER_S
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import OVERHEAD_BYTES, Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.cameras.recording import GRACE_NS, Recording
from services.recorder.cameras.window import Window

PERIOD_NS = NS_PER_S // 10
HELD_BYTES = 100 + OVERHEAD_BYTES


def frame(number: int, size_bytes: int = 100) -> Frame:
    return Frame("run", number, number * PERIOD_NS, 64, 36, bytes(size_bytes))


def recording(
    from_s: float, to_s: float, held: range = range(0), holes: tuple[Hole, ...] = (), backlog: Backlog | None = None
) -> Recording:
    window = Window(round(from_s * NS_PER_S), round(to_s * NS_PER_S))
    plan = ClipPlan("event", "cam", "2026-01-01/event", window.from_ns, window, 0)
    return Recording(plan, [frame(number) for number in held], holes, PERIOD_NS, backlog or Backlog(0))


def drained(recorded: Recording) -> list[int]:
    numbers: list[int] = []
    while not recorded.is_drained:
        numbers += [taken.seq for taken in recorded.take(0)]
    return numbers


def test_a_clip_takes_exactly_the_frames_of_its_window() -> None:
    recorded = recording(1, 2, held=range(10, 13))
    for number in range(13, 30):
        recorded.offer(frame(number))
    assert drained(recorded) == list(range(10, 21))


def test_the_first_frame_beyond_the_end_closes_the_clip() -> None:
    recorded = recording(0, 1)
    recorded.offer(frame(10))
    assert not recorded.is_over
    assert not recorded.is_end_seen
    recorded.offer(frame(11))
    assert recorded.is_over
    assert recorded.is_end_seen


def test_a_silent_camera_closes_the_clip_a_grace_after_its_end() -> None:
    recorded = recording(0, 1)
    recorded.expire(NS_PER_S + GRACE_NS)
    assert not recorded.is_over
    recorded.expire(NS_PER_S + GRACE_NS + 1)
    assert recorded.is_over
    assert recorded.end_reason is None


def test_frames_before_the_window_are_not_taken() -> None:
    recorded = recording(1, 2)
    recorded.offer(frame(3))
    recorded.offer(frame(12))
    recorded.close()
    assert drained(recorded) == [12]


def test_the_end_can_be_moved_out_and_in() -> None:
    recorded = recording(0, 1)
    recorded.amend(2 * NS_PER_S)
    for number in range(16):
        recorded.offer(frame(number))
    recorded.amend(NS_PER_S + PERIOD_NS * 5)
    assert not recorded.is_over
    recorded.amend(NS_PER_S)
    assert recorded.is_over


def test_a_full_backlog_drops_counts_and_states_it() -> None:
    backlog = Backlog(5 * HELD_BYTES)
    recorded = recording(0, 2, backlog=backlog)
    for number in range(11):
        recorded.offer(frame(number))
    assert backlog.size_bytes == 0, "the ring holds them all"
    assert recorded.leave_ring(10 * PERIOD_NS) == recorded.dropped == 5
    assert backlog.size_bytes == backlog.max_bytes
    recorded.close()
    assert drained(recorded) == [0, 1, 2, 3, 4, 10]
    (hole,) = recorded.holes()
    assert (hole.cause, hole.missing, hole.first_seq) == ("dropped_by_writer", 5, 5)
    assert (hole.from_ns, hole.to_ns) == (4 * PERIOD_NS, 10 * PERIOD_NS)


def test_what_is_dropped_first_of_all_and_last_of_all_is_stated() -> None:
    recorded = recording(0, 2, held=range(3))
    recorded.leave_ring(2 * PERIOD_NS)
    recorded.offer(frame(3))
    recorded.close()
    recorded.leave_ring(4 * PERIOD_NS)
    assert drained(recorded) == []
    (hole,) = recorded.holes()
    assert (hole.from_ns, hole.to_ns, hole.first_seq, hole.missing) == (0, 2 * NS_PER_S, 0, 4)


def test_each_place_where_frames_were_dropped_is_a_hole() -> None:
    recorded = recording(0, 2, backlog=Backlog(HELD_BYTES))
    for number in range(10):
        recorded.offer(frame(number))
    recorded.leave_ring(3 * PERIOD_NS)  # 0 waits, 1 and 2 are dropped
    assert [taken.seq for taken in recorded.take(0)] == [0, *range(3, 10)]
    recorded.put_down()
    for number in range(10, 16):
        recorded.offer(frame(number))
    recorded.leave_ring(15 * PERIOD_NS)  # 10 waits, 11 to 14 are dropped
    recorded.close()
    assert drained(recorded) == [10, 15]
    holes = [
        (hole.first_seq, hole.missing, hole.from_ns // PERIOD_NS, hole.to_ns // PERIOD_NS) for hole in recorded.holes()
    ]
    assert holes == [(1, 2, 0, 3), (11, 4, 10, 15)]


def test_what_the_writer_has_in_hand_counts_when_it_leaves_the_ring() -> None:
    backlog = Backlog(3 * HELD_BYTES)
    recorded = recording(0, 2, held=range(6), backlog=backlog)
    assert len(recorded.take(0)) == 6
    assert backlog.size_bytes == 0
    assert recorded.leave_ring(5 * PERIOD_NS) == 0, "it is in memory, whatever the bound"
    assert backlog.size_bytes == 5 * HELD_BYTES
    recorded.offer(frame(6))
    assert recorded.leave_ring(7 * PERIOD_NS) == 1
    recorded.take(0)
    assert backlog.size_bytes == 0


def test_a_writer_takes_at_most_16_megabytes_at_once_and_at_least_a_frame() -> None:
    recorded = recording(0, 2, held=range(0))
    for number in range(3):
        recorded.offer(frame(number, 10_000_000 + 10_000_000 * (number == 1)))
    assert [len(recorded.take(0)) for _ in range(4)] == [1, 1, 1, 0]


def test_only_holes_that_touch_the_window_are_told() -> None:
    before = Hole("lost_on_wire", 0, PERIOD_NS, "run", 1, 1)
    inside = Hole("lost_on_wire", 12 * PERIOD_NS, 14 * PERIOD_NS, "run", 13, 1)
    recorded = recording(1, 2, holes=(before,))
    recorded.note(inside)
    assert recorded.holes() == (inside,)


def test_the_writer_is_woken_by_the_end() -> None:
    recorded = recording(0, 100)
    taken: list[int] = []
    writer = threading.Thread(target=lambda: taken.extend(drained(recorded)))
    recorded.offer(frame(1))
    writer.start()
    recorded.end("stopped")
    writer.join(5)
    assert taken == [1]
    assert recorded.end_reason == "stopped"
