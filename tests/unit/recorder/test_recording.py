"""One clip while it is recorded: which frames it takes, when it closes, what it says of losses."""

import threading

from preroll.clock import NS_PER_S
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.cameras.recording import GRACE_NS, ClipPlan, Recording
from services.recorder.cameras.window import Window

PERIOD_NS = NS_PER_S // 10
PLENTY = 10**9


def frame(number: int, size_bytes: int = 100) -> Frame:
    return Frame("run", number, number * PERIOD_NS, 64, 36, bytes(size_bytes))


def recording(from_s: float, to_s: float, held: range = range(0), holes: tuple[Hole, ...] = ()) -> Recording:
    window = Window(round(from_s * NS_PER_S), round(to_s * NS_PER_S))
    plan = ClipPlan("event", "cam", "2026-01-01/event", window.from_ns, window, 0)
    return Recording(plan, [frame(number) for number in held], holes, PERIOD_NS)


def drained(recorded: Recording) -> list[int]:
    numbers: list[int] = []
    while not recorded.is_drained:
        numbers += [taken.seq for taken in recorded.take(0)]
    return numbers


def test_a_clip_takes_exactly_the_frames_of_its_window() -> None:
    recorded = recording(1, 2, held=range(10, 13))
    for number in range(13, 30):
        recorded.offer(frame(number), PLENTY)
    assert drained(recorded) == list(range(10, 21))


def test_the_first_frame_beyond_the_end_closes_the_clip() -> None:
    recorded = recording(0, 1)
    recorded.offer(frame(10), PLENTY)
    assert not recorded.is_over
    assert not recorded.is_end_seen
    recorded.offer(frame(11), PLENTY)
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
    recorded.offer(frame(3), PLENTY)
    recorded.offer(frame(12), PLENTY)
    recorded.close()
    assert drained(recorded) == [12]


def test_the_end_can_be_moved_out_and_in() -> None:
    recorded = recording(0, 1)
    recorded.amend(2 * NS_PER_S)
    for number in range(16):
        recorded.offer(frame(number), PLENTY)
    recorded.amend(NS_PER_S + PERIOD_NS * 5)
    assert not recorded.is_over
    recorded.amend(NS_PER_S)
    assert recorded.is_over


def test_a_full_backlog_drops_counts_and_states_it() -> None:
    recorded = recording(0, 2)
    for number in range(10):
        recorded.offer(frame(number), 500)
    assert recorded.dropped == 5
    recorded.take(0)
    recorded.offer(frame(10), 500)
    recorded.close()
    (hole,) = recorded.holes()
    assert (hole.cause, hole.missing, hole.first_seq) == ("dropped_by_writer", 5, 5)
    assert (hole.from_ns, hole.to_ns) == (4 * PERIOD_NS, 10 * PERIOD_NS)


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
    recorded.offer(frame(1), PLENTY)
    writer.start()
    recorded.end("stopped")
    writer.join(5)
    assert taken == [1]
    assert recorded.end_reason == "stopped"
