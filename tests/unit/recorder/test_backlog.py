"""What clips wait for beyond the rings is bounded in all, and counted once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from preroll.clock import NS_PER_S
from preroll.wire import FrameHeader
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import OVERHEAD_BYTES
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.window import Window

BOOT = "boot"
PERIOD_NS = NS_PER_S // 10
FRAME_BYTES = 1000
JPEG = bytes(FRAME_BYTES - OVERHEAD_BYTES)
RING_S = 1.0


class Table:
    """Cameras that send a frame each tenth of a second, and writers that take what they are told to take."""

    def __init__(self, *camera_ids: str, backlog_frames: int = 10, ring_max_bytes: int = 10**9) -> None:
        self.cameras = Cameras(RING_S, ring_max_bytes, backlog_frames * FRAME_BYTES, 8, BOOT)
        self.camera_ids = camera_ids
        self.now = 0
        for camera_id in camera_ids:
            self.cameras.remember(camera_id, 0)

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            for camera_id in self.camera_ids:
                track = self.cameras.get(camera_id)
                assert track is not None
                t_ns = self.now * PERIOD_NS
                header = FrameHeader(camera_id, BOOT, "run", self.now, 0, t_ns, t_ns, "jpeg", True, 8, 8)
                self.cameras.take(track, header, JPEG, t_ns)
            self.now += 1
            self.cameras.expire(self.now * PERIOD_NS)

    def begin(self, camera_id: str = "cam", from_number: int = 0, frames: int = 1000) -> Recording:
        window = Window(from_number * PERIOD_NS, (from_number + frames - 1) * PERIOD_NS)
        with self.cameras.lock:
            track = self.cameras.get(camera_id)
            assert track is not None
            return track.begin(ClipPlan("event", camera_id, "folder", window.from_ns, window, 0))

    def dropped(self, camera_id: str = "cam") -> int:
        track = self.cameras.get(camera_id)
        assert track is not None
        return track.losses().dropped_by_writer

    @property
    def backlog_frames(self) -> float:
        return self.cameras.backlog.size_bytes / FRAME_BYTES


def taken(recording: Recording) -> list[int]:
    numbers: list[int] = []
    while batch := recording.take(0):
        numbers += [frame.seq for frame in batch]
    return numbers


def stated(recording: Recording) -> list[int]:
    """The numbers of the frames that the clip says were dropped."""
    holes = [hole for hole in recording.holes() if hole.cause == "dropped_by_writer"]
    return [number for hole in holes for number in range(hole.first_seq, hole.first_seq + (hole.missing or 0))]


def test_what_the_ring_holds_costs_no_backlog() -> None:
    table = Table("cam")
    recordings = [table.begin() for _ in range(20)]
    table.send(10)
    assert table.backlog_frames == 0
    assert [taken(recording) for recording in recordings] == [list(range(10))] * 20


def test_a_frame_counts_once_however_many_clips_wait_for_it() -> None:
    table = Table("cam")
    first, second = table.begin(), table.begin()
    table.send(15)
    assert table.backlog_frames == 5
    taken(first)
    assert table.backlog_frames == 5
    taken(second)
    assert table.backlog_frames == 0


def test_the_bound_is_for_the_clips_of_all_cameras_together() -> None:
    table = Table("cam", "cam2", "cam3", backlog_frames=10)
    recordings = [table.begin(camera_id) for camera_id in table.camera_ids for _ in range(10)]
    table.send(60)
    assert table.backlog_frames == 10
    for recording in recordings:
        assert sorted(taken(recording) + stated(recording)) == list(range(60))
    assert sum(table.dropped(camera_id) for camera_id in table.camera_ids) == 10 * (3 * 50 - 10)
    assert table.backlog_frames == 0


def test_a_clip_that_is_written_in_time_drops_nothing_though_another_fills_the_backlog() -> None:
    table = Table("cam", "cam2", backlog_frames=10)
    standing, quick = table.begin("cam"), table.begin("cam2")
    numbers: list[int] = []
    for _ in range(100):
        table.send()
        numbers += taken(quick)
    assert numbers == list(range(100))
    assert stated(quick) == []
    assert len(stated(standing)) == table.dropped("cam") == 80
    assert table.dropped("cam2") == 0


def test_a_clip_whose_window_is_over_still_counts() -> None:
    table = Table("cam")
    recording = table.begin(frames=8)
    table.send(30)
    assert recording.is_over
    assert table.backlog_frames == 8
    assert taken(recording) == list(range(8))
    table.send()
    assert table.backlog_frames == 0


def test_a_clip_of_the_past_counts_as_it_leaves_the_ring() -> None:
    table = Table("cam", backlog_frames=3)
    table.send(10)
    recording = table.begin(from_number=2, frames=6)
    assert recording.is_over
    table.send(20)
    assert table.backlog_frames == 3
    assert (taken(recording), stated(recording)) == ([2, 3, 4], [5, 6, 7])
    assert table.dropped() == 3


def test_clips_that_nobody_writes_any_more_are_uncounted() -> None:
    table = Table("cam")
    recordings = [table.begin(frames=5) for _ in range(3)]
    table.send(20)
    assert table.backlog_frames == 5
    recordings.clear()
    table.send()
    assert table.backlog_frames == 0


def test_what_leaves_the_ring_for_its_bytes_counts_too() -> None:
    table = Table("cam", ring_max_bytes=5 * FRAME_BYTES)
    recording = table.begin()
    table.send(9)
    assert table.backlog_frames == 4
    assert taken(recording) == list(range(9))


def test_small_frames_take_what_they_take_of_the_rings_limit() -> None:
    table = Table("cam", ring_max_bytes=100 * FRAME_BYTES)
    track = table.cameras.get("cam")
    assert track is not None
    for number in range(1000):
        header = FrameHeader("cam", BOOT, "run", number, 0, number + 1, 0, "jpeg", True, 8, 8)
        table.cameras.take(track, header, b"\xff\xd8", number + 1)
    assert len(track.ring) == 100 * FRAME_BYTES // (OVERHEAD_BYTES + 2)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 8)),
        st.tuples(st.just("begin"), st.integers(0, 12)),
        st.tuples(st.just("take"), st.integers(0, 5)),
        st.tuples(st.just("settle"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
    ),
    max_size=60,
)


class Clips:
    """Clips and what their writers have taken, as steps say."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._clips: list[tuple[Recording, list[int], int]] = []

    def do(self, what: str, number: int) -> None:
        if what == "send":
            self._table.send(number)
        elif what == "begin":
            begin = max(0, self._table.now - number)
            self._clips.append((self._table.begin("cam" if number % 2 else "cam2", begin, 12), [], begin))
        elif self._clips:
            place = number % len(self._clips)
            if what == "delete":
                self._clips[place][0].end("deleted")
                del self._clips[place]
            elif what == "settle":
                self._clips[place][0].settle()
            else:
                self._clips[place][1].extend(frame.seq for frame in self._clips[place][0].take(0))

    def held(self) -> tuple[int, int]:
        """Frames that wait beyond the ring, and those in the writers' hands, each once."""
        waiting: set[int] = set()
        in_hand: set[int] = set()
        for recording, _, _ in self._clips:
            waiting |= {id(frame) for frame in recording.overdue.waiting}
            in_hand |= {id(frame) for frame in recording.overdue.in_hand}
        return len(waiting - in_hand), len(in_hand)

    def check_all_explained(self) -> None:
        for recording, numbers, begin in self._clips:
            explained = sorted(numbers + taken(recording) + stated(recording))
            until = min(begin + 12, self._table.now)
            assert explained == list(range(min([*explained, until]), until))


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 12))
def test_the_sum_is_that_of_the_frames_and_every_frame_is_taken_or_stated(
    steps: list[tuple[str, int]], backlog_frames: int
) -> None:
    table = Table("cam", "cam2", backlog_frames=backlog_frames)
    clips = Clips(table)
    for what, number in steps:
        clips.do(what, number)
        for _ in range(2):  # what was deleted is found gone a turn later
            table.cameras.expire(table.now * PERIOD_NS)
        waiting, in_hand = clips.held()
        assert table.backlog_frames == waiting + in_hand
        # A clip may wait for what another one's writer had in hand when it left the ring: that was in memory anyway.
        assert waiting <= backlog_frames or any(step == "take" for step, _ in steps)
    clips.check_all_explained()
