"""The end of a window is moved for all of an event's clips or for none, also when it has just passed."""

import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from preroll.clock import NS_PER_MS, NS_PER_S
from preroll.wire import FrameHeader
from services.recorder.cameras import window_end
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.window import Window
from services.recorder.cameras.window_end import EndPassed

BOOT = "boot-of-the-test"
PERIOD_NS = 10 * NS_PER_MS
WINDOW = Window(10 * PERIOD_NS, 20 * PERIOD_NS)
TRIES = 1_000


class Table:
    """Cameras that send a frame each period, and the recordings of one event."""

    def __init__(self, *camera_ids: str, ring_s: float = 60) -> None:
        self.cameras = Cameras(ring_s, 100_000_000, 10_000_000, 8, BOOT)
        self.recordings: dict[str, Recording] = {}
        for camera_id in camera_ids:
            self.cameras.remember(camera_id, 0)

    def send(self, camera_id: str, numbers: range, skip: frozenset[int] = frozenset()) -> None:
        track = self.cameras.get(camera_id)
        assert track is not None
        for number in numbers:
            if number not in skip:
                header = FrameHeader(camera_id, BOOT, "run", number, 0, number * PERIOD_NS, 0, "jpeg", True, 8, 8)
                self.cameras.take(track, header, b"x" * 100, number * PERIOD_NS)

    def begin(self) -> Mapping[str, Recording]:
        with self.cameras.lock:
            for track in self.cameras:
                plan = ClipPlan("ev1", track.camera_id, "2026-01-01/ev1", WINDOW.from_ns, WINDOW, 0)
                self.recordings[track.camera_id] = track.begin(plan)
        return self.recordings


def taken(recording: Recording) -> list[int]:
    numbers: list[int] = []
    while not recording.settle():
        numbers += [frame.seq for frame in recording.take(0)]
    return numbers


def begun(*camera_ids: str, ring_s: float = 60) -> Table:
    table = Table(*camera_ids, ring_s=ring_s)
    for camera_id in camera_ids:
        table.send(camera_id, range(15))
    table.begin()
    return table


def test_window_that_has_just_closed_is_opened_again_without_a_seam() -> None:
    table = begun("cam1")
    table.send("cam1", range(15, 26))
    (recording,) = table.recordings.values()
    assert recording.is_over
    moved = window_end.advance(table.cameras, table.recordings, 30 * PERIOD_NS)
    assert moved == {"cam1"}
    assert not recording.is_over
    table.send("cam1", range(26, 32))
    assert taken(recording) == list(range(10, 31))
    assert (recording.window.to_ns, recording.is_end_seen) == (30 * PERIOD_NS, True)


def test_later_end_that_has_passed_too_closes_at_once_with_the_frames_in_memory() -> None:
    table = begun("cam1")
    table.send("cam1", range(15, 40))
    window_end.advance(table.cameras, table.recordings, 30 * PERIOD_NS)
    assert taken(table.recordings["cam1"]) == list(range(10, 31))
    assert table.recordings["cam1"].is_end_seen


def test_hole_that_came_after_the_end_is_stated_when_the_window_grows_over_it() -> None:
    table = begun("cam1")
    table.send("cam1", range(15, 30), skip=frozenset({25, 26}))
    recording = table.recordings["cam1"]
    assert recording.noted() == ()
    window_end.advance(table.cameras, table.recordings, 28 * PERIOD_NS)
    assert taken(recording) == [*range(10, 25), 27, 28]
    (hole,) = recording.holes()
    assert (hole.cause, hole.first_seq, hole.missing) == ("lost_on_wire", 25, 2)


def test_hole_that_is_known_is_stated_once() -> None:
    table = begun("cam1")
    table.send("cam1", range(15, 30), skip=frozenset({18}))
    window_end.advance(table.cameras, table.recordings, 28 * PERIOD_NS)
    assert len(table.recordings["cam1"].noted()) == 1


def test_a_clip_that_is_being_saved_refuses_the_end_for_all() -> None:
    table = begun("cam1", "cam2")
    table.send("cam1", range(15, 22))
    assert taken(table.recordings["cam1"]) == list(range(10, 21))
    with pytest.raises(EndPassed, match="clip of cam1 is over, and the clip is being saved"):
        window_end.advance(table.cameras, table.recordings, 30 * PERIOD_NS)
    assert [each.window.to_ns for each in table.recordings.values()] == [WINDOW.to_ns] * 2
    assert not table.recordings["cam2"].is_over


def test_what_the_ring_has_lost_since_refuses_the_end_for_all() -> None:
    table = begun("cam1", "cam2", ring_s=1)
    table.send("cam1", range(15, 300))
    table.cameras.expire(300 * PERIOD_NS)
    with pytest.raises(EndPassed, match="cam1 is over, and what came since is no longer in memory"):
        window_end.advance(table.cameras, table.recordings, 320 * PERIOD_NS)
    assert table.recordings["cam2"].window == WINDOW


def test_forgotten_camera_refuses_the_end() -> None:
    table = begun("cam1")
    table.send("cam1", range(15, 22))
    table.cameras.forget("cam1")
    with pytest.raises(EndPassed, match="no longer in memory"):
        window_end.advance(table.cameras, table.recordings, 30 * PERIOD_NS)


def test_a_clip_that_ended_for_a_stated_reason_holds_up_no_other() -> None:
    table = begun("cam1", "cam2")
    table.recordings["cam1"].give_up("the disk failed")
    assert window_end.advance(table.cameras, table.recordings, 30 * PERIOD_NS) == {"cam2"}
    assert table.recordings["cam1"].window == WINDOW
    table.recordings["cam2"].give_up("the disk failed")
    with pytest.raises(EndPassed, match="none of its clips is being recorded any more"):
        window_end.advance(table.cameras, table.recordings, 40 * PERIOD_NS)


def test_camera_that_never_sent_anything_is_extended_too() -> None:
    table = begun("cam1")
    table.cameras.remember("silent", 0)
    table.begin()
    table.cameras.expire(WINDOW.to_ns + 2 * NS_PER_S)
    assert table.recordings["silent"].is_over
    assert window_end.advance(table.cameras, {"silent": table.recordings["silent"]}, 900 * PERIOD_NS) == {"silent"}
    assert not table.recordings["silent"].is_over


def test_sooner_end_leaves_what_is_over() -> None:
    table = begun("cam1", "cam2")
    table.send("cam1", range(15, 22))
    assert window_end.bring_forward(table.cameras, table.recordings, 17 * PERIOD_NS) == {"cam2"}
    assert table.recordings["cam1"].window == WINDOW
    table.send("cam2", range(15, 22))
    assert taken(table.recordings["cam2"]) == list(range(10, 18))


def test_dropped_frames_are_counted_once_when_a_recording_is_opened_again() -> None:
    table = begun("cam1")
    track = table.cameras.get("cam1")
    assert track is not None
    table.cameras.backlog.max_bytes = 0
    table.send("cam1", range(15, 18))
    while track.ring.oldest is not None and track.ring.oldest.seq <= 10:
        track.ring.evict_oldest()
    track.let_go()
    table.send("cam1", range(18, 22))
    table.cameras.expire(22 * PERIOD_NS)
    assert track.losses().dropped_by_writer == 1
    window_end.advance(table.cameras, table.recordings, 24 * PERIOD_NS)
    assert track.losses().dropped_by_writer == 1
    table.send("cam1", range(22, 26))
    table.cameras.expire(26 * PERIOD_NS)
    assert track.losses().dropped_by_writer == 1


@pytest.fixture
def quick_turns() -> Iterator[None]:
    """Threads go round often, so that they meet at many places."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(20e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_turns")
def test_whenever_the_end_is_moved_every_frame_of_the_window_is_taken_once() -> None:
    """Cameras, writers and the command run against one another: whoever comes first, no clip lacks a frame."""
    dice = random.Random(1)
    results = {"moved": 0, "refused": 0}
    for _ in range(TRIES):
        table = begun("cam1", "cam2")
        written: dict[str, list[int]] = {"cam1": [], "cam2": []}
        is_due = threading.Event()
        due = dice.randrange(15, 22)

        def feed(table: Table = table, is_due: threading.Event = is_due, due: int = due) -> None:
            for number in range(15, 60):
                for camera_id in ("cam1", "cam2"):
                    table.send(camera_id, range(number, number + 1))
                if number == due:
                    is_due.set()
                    time.sleep(dice.random() * 100e-6)

        def write(recording: Recording, numbers: list[int]) -> None:
            while not recording.settle():
                numbers += [frame.seq for frame in recording.take(5)]

        threads = [threading.Thread(target=feed)]
        threads += [threading.Thread(target=write, args=(table.recordings[name], written[name])) for name in written]
        for thread in threads:
            thread.start()
        to_ns = dice.randrange(21, 58) * PERIOD_NS
        assert is_due.wait(5)
        try:
            window_end.advance(table.cameras, table.recordings, to_ns)
            results["moved"] += 1
        except EndPassed:
            results["refused"] += 1
            to_ns = WINDOW.to_ns
        for thread in threads:
            thread.join(10)
        for camera_id, recording in table.recordings.items():
            assert recording.window.to_ns == to_ns
            assert recording.is_end_seen
            assert written[camera_id] == list(range(10, to_ns // PERIOD_NS + 1))
    assert min(results.values()) > TRIES // 20, results
