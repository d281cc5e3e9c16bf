"""Frames over real sockets into the rings; what is malformed is counted and changes nothing."""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import msgpack
import msgspec
import pytest
import zmq

from preroll import sockets, wire
from preroll.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from preroll.process import Shutdown, resident_bytes
from preroll.runtime.threads import Threads
from preroll.runtime.watchdog import Heartbeat
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.ingest import DENSE_FRAMES, PAUSE_NS, TICK_NS, Ingest
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.cameras.window import Window
from tests.support.clocks import HandClock
from tests.support.waiting import wait_until

JPEG = b"\xff\xd8" + bytes(2000) + b"\xff\xd9"
BOOT = "boot"


class Bench:
    """An ingest thread with its rings, and a socket to send to it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], ring_s: float = 5, clock: Clock | None = None) -> None:
        self.pauses = 0
        self.clock = clock or SystemClock()
        self.cameras = Cameras(ring_s, 100_000_000, 10_000_000, 3, BOOT)
        self.ingest = Ingest(context, "tcp://127.0.0.1:*", self.cameras, self.clock, pause=self.pause)
        self.shutdown = Shutdown()
        run = lambda: self.ingest.run(self.shutdown, Heartbeat("ingest", 60, print))  # noqa: E731
        self.thread = Threads(self.shutdown).start("ingest", run)
        self.socket = sockets.publisher(context)
        self.socket.connect(f"tcp://127.0.0.1:{self.ingest.port}")
        self.run_id = secrets.token_hex(8)

    def header(self, camera_id: str = "cam", seq: int = 0) -> wire.FrameHeader:
        now_ns = self.clock.monotonic_ns()
        return wire.FrameHeader(
            camera_id, BOOT, self.run_id, seq, 0, now_ns, self.clock.unix_ns(), "jpeg", True, 640, 360
        )

    def send(self, header: wire.FrameHeader, jpeg: bytes = JPEG) -> None:
        self.socket.send_multipart([wire.topic_of(header.camera_id), wire.encode_header(header), jpeg])

    def connect(self) -> None:
        """Send until the subscription has taken hold."""

        def arrived() -> bool:
            self.send(self.header("probe", self.probes))
            self.probes += 1
            return self.cameras.get("probe") is not None

        wait_until(arrived, 5)

    probes = 0

    def pause(self, pause_s: float) -> None:
        self.pauses += 1
        time.sleep(pause_s)

    def held(self, camera_id: str = "cam") -> list[int]:
        with self.cameras.lock:
            track = self.cameras.get(camera_id)
            return [] if track is None else [frame.seq for frame in track.ring._frames]

    def frame(self, seq: int) -> Frame | None:
        """The newest frame of `cam`, once it is that one."""
        with self.cameras.lock:
            track = self.cameras.get("cam")
            newest = track.ring.newest if track else None
        return newest if newest and newest.seq == seq else None

    def close(self) -> None:
        self.shutdown.request("test is over")
        self.thread.join(5)
        self.socket.close()


@contextmanager
def running(ring_s: float = 5, clock: Clock | None = None) -> Iterator[Bench]:
    with zmq.Context[zmq.Socket[bytes]]() as context:
        made = Bench(context, ring_s, clock)
        try:
            made.connect()
            yield made
        finally:
            made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with running() as made:
        yield made


def test_frames_arrive_in_order_untouched(bench: Bench) -> None:
    for seq in range(50):
        bench.send(bench.header(seq=seq), JPEG + bytes([seq]))
    wait_until(lambda: len(bench.held()) == 50, 5)
    track = bench.cameras.get("cam")
    assert track is not None
    assert [bytes(frame.jpeg) for frame in track.ring._frames] == [JPEG + bytes([seq]) for seq in range(50)]
    assert track.ring.size_bytes == bench.cameras.ring_bytes - probe_bytes(bench)


def test_many_frames_are_gathered_and_few_are_not(bench: Bench) -> None:
    sent = DENSE_FRAMES - 5  # however fast they come
    for seq in range(sent):
        bench.send(bench.header(seq=seq))
    wait_until(lambda: len(bench.held()) == sent, 5)
    assert bench.pauses == 0
    while bench.pauses < 20:
        for seq in range(sent, sent + 20):
            bench.send(bench.header(seq=seq))
        sent += 20
        wait_until(lambda: len(bench.held()) == sent, 5)  # noqa: B023 - called at once
        assert sent < 5000, "many frames, and yet no pause"
    assert bench.held() == list(range(sent))
    pauses = bench.pauses
    track = bench.cameras.get("cam")
    assert track is not None
    wait_until(lambda: track.state(bench.clock.monotonic_ns()) == "stalled", 5)
    assert bench.pauses - pauses <= TICK_NS // PAUSE_NS, "it goes on pausing with nothing to gather"


def probe_bytes(bench: Bench) -> int:
    track = bench.cameras.get("probe")
    assert track is not None
    return track.ring.size_bytes


def test_a_hole_in_the_numbers_is_counted(bench: Bench) -> None:
    for seq in (0, 1, 5, 6):
        bench.send(bench.header(seq=seq))
    wait_until(lambda: len(bench.held()) == 4, 5)
    track = bench.cameras.get("cam")
    assert track is not None
    assert track.losses().lost_on_wire == 3


def _parts_of(count: int) -> Callable[[Bench], list[bytes]]:
    def parts(bench: Bench) -> list[bytes]:
        return [wire.topic_of("cam"), wire.encode_header(bench.header(seq=1)), JPEG, b"", b"x"][:count]

    return parts


MALFORMED: dict[str, Callable[[Bench], list[bytes]]] = {
    "one part": _parts_of(1),
    "two parts": _parts_of(2),
    "four parts": _parts_of(4),
    "five parts": _parts_of(5),
    "no msgpack": lambda _: [wire.topic_of("cam"), b"\xc1", JPEG],
    "a list for a header": lambda _: [wire.topic_of("cam"), msgpack.packb([1, 2]), JPEG],
    "a huge header": lambda _: [wire.topic_of("cam"), b"\x81" * 5000, JPEG],
    "a foreign topic": lambda b: [wire.topic_of("other"), wire.encode_header(b.header("stranger")), JPEG],
    "an impossible camera id": lambda b: [
        b"frame/../",
        wire.encode_header(msgspec.structs.replace(b.header(), camera_id="..")),
        JPEG,
    ],
    "a run with a slash": lambda b: [
        wire.topic_of("cam"),
        wire.encode_header(msgspec.structs.replace(b.header(seq=1), run_id="a/b")),
        JPEG,
    ],
    "an empty picture": lambda b: [wire.topic_of("cam"), wire.encode_header(b.header(seq=1)), b""],
    "no JPEG": lambda b: [wire.topic_of("cam"), wire.encode_header(b.header(seq=1)), b"GIF89a"],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_counted_and_the_next_frame_is_taken(bench: Bench, name: str) -> None:
    bench.send(bench.header(seq=0))
    before = bench.ingest.malformed
    bench.socket.send_multipart(MALFORMED[name](bench))
    bench.send(bench.header(seq=2))
    wait_until(lambda: bench.held() == [0, 2], 5)
    assert bench.ingest.malformed == before + 1
    assert {track.camera_id for track in bench.cameras} == {"cam", "probe"}


def test_a_frame_that_the_recorder_fails_at_is_lost_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = bench.cameras.take

    def fail_at_one(track: CameraTrack, header: wire.FrameHeader, jpeg: memoryview, received_ns: int) -> bool:
        if header.seq == 1:
            raise RuntimeError("a fault of ours")
        return taken(track, header, jpeg, received_ns)

    monkeypatch.setattr(bench.cameras, "take", fail_at_one)
    before = bench.ingest.malformed
    for seq in range(3):
        bench.send(bench.header(seq=seq))
    wait_until(lambda: bench.held() == [0, 2], 5)
    assert bench.ingest.malformed == before + 1


def test_a_turn_that_cannot_be_tidied_up_ends_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def fail(now_ns: int) -> None:
        tries.append(now_ns)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(bench.cameras, "expire", fail)
    wait_until(lambda: len(tries) > 2, 5)
    bench.send(bench.header(seq=0))
    wait_until(lambda: bench.held() == [0], 5)


def test_a_message_beyond_the_size_limit_ends_only_its_connection(bench: Bench) -> None:
    bench.send(bench.header(seq=0))
    wait_until(lambda: bench.held() == [0], 5)
    with bench.socket.context.socket(zmq.PUB) as hostile:
        hostile.linger = 0
        hostile.connect(f"tcp://127.0.0.1:{bench.ingest.port}")
        hostile.send_multipart([wire.topic_of("cam"), wire.encode_header(bench.header(seq=1)), bytes(64 * 1024 * 1024)])
        bench.send(bench.header(seq=2))
        wait_until(lambda: 2 in bench.held(), 5)
    assert bench.held() == [0, 2]


def test_a_second_run_is_refused_until_the_first_is_silent(bench: Bench) -> None:
    bench.send(bench.header(seq=0))
    wait_until(lambda: bench.held() == [0], 5)
    first, bench.run_id = bench.run_id, "second-run"
    bench.send(bench.header(seq=100))
    track = bench.cameras.get("cam")
    assert track is not None
    wait_until(lambda: track.refused_second_run == 1, 5)
    assert track.run_id == first

    def taken() -> bool:
        bench.send(bench.header(seq=101))
        return track.run_id == "second-run"

    wait_until(taken, 5)
    assert track.losses().restarts == 1


def test_frames_whose_time_stands_still_or_lies_ahead_are_refused(bench: Bench) -> None:
    header = bench.header(seq=0)
    bench.send(header)
    bench.send(msgspec.structs.replace(header, seq=1))
    bench.send(msgspec.structs.replace(header, seq=2, monotonic_ns=header.monotonic_ns + 10 * NS_PER_S))
    bench.send(msgspec.structs.replace(header, seq=3, monotonic_ns=header.monotonic_ns + NS_PER_MS))
    wait_until(lambda: bench.held() == [0, 3], 5)
    track = bench.cameras.get("cam")
    assert track is not None
    assert track.losses().out_of_order == 2
    assert track.losses().lost_on_wire == 0


def test_more_cameras_than_allowed_are_refused_and_counted(bench: Bench) -> None:
    for camera_id in ("cam", "cam2", "cam3"):
        bench.send(bench.header(camera_id))
    wait_until(lambda: bench.cameras.refused_cameras == 1, 5)
    assert {track.camera_id for track in bench.cameras} == {"cam", "cam2", "probe"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone gives back")
def test_memory_that_frames_have_left_goes_back_though_others_lie_between() -> None:
    with running(ring_s=0.5) as bench:
        kept: list[Frame] = []
        bench.send(bench.header())
        wait_until(lambda: bench.held() == [0], 5)
        before = resident_bytes()
        for seq in range(1, 101):
            bench.send(bench.header(seq=seq), JPEG[:2] + bytes(400_000))
            frame = wait_until(partial(bench.frame, seq), 5)
            assert frame is not None
            if seq % 10 == 0:
                kept.append(frame)
        full = resident_bytes()
        wait_until(lambda: len(bench.held()) == 1 and resident_bytes() < before + (full - before) / 2, 5)
        assert len(kept) == 10


class StoppedClock(HandClock):
    """While it is stopped, so is every other thread that looks at it: as if the process were."""

    def __init__(self) -> None:
        super().__init__()
        self._goes = threading.Event()
        self._goes.set()
        self._maker = threading.current_thread()

    def monotonic_ns(self) -> int:
        if threading.current_thread() is not self._maker:
            self._goes.wait(10)
        return super().monotonic_ns()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._goes.clear()
        yield
        self._goes.set()


def clip_of(bench: Bench, from_ns: int, to_ns: int) -> Recording:
    with bench.cameras.lock:
        track = bench.cameras.get("cam")
        assert track is not None
        return track.begin(ClipPlan("event", "cam", "folder", from_ns, Window(from_ns, to_ns), 0))


def in_clip(recording: Recording) -> list[int]:
    wait_until(lambda: recording.is_over, 5, "the clip's end")
    numbers: list[int] = []
    while not recording.is_drained:
        numbers += [frame.seq for frame in recording.take(0)]
    return numbers


def test_frames_that_waited_while_the_process_stood_still_are_in_the_clip() -> None:
    clock = StoppedClock()
    with running(ring_s=5, clock=clock) as bench:
        bench.send(bench.header(seq=0))
        wait_until(lambda: bench.held() == [0], 5)
        began_ns = clock.monotonic_ns()
        recording = clip_of(bench, began_ns, began_ns + 3 * NS_PER_S)
        with clock.stopped():
            for seq in range(1, 42):
                clock.advance(0.1)
                bench.send(bench.header(seq=seq))
            clock.advance(27)
        assert in_clip(recording) == list(range(31))
        assert recording.is_end_seen
        assert recording.holes() == ()


def test_what_did_not_wait_is_stated() -> None:
    clock = StoppedClock()
    with running(ring_s=5, clock=clock) as bench:
        bench.send(bench.header(seq=0))
        wait_until(lambda: bench.held() == [0], 5)
        began_ns = clock.monotonic_ns()
        recording = clip_of(bench, began_ns, began_ns + 3 * NS_PER_S)
        with clock.stopped():
            for seq in range(1, 42):
                clock.advance(0.1)
                if not 10 < seq <= 15:
                    bench.send(bench.header(seq=seq))
            clock.advance(27)
        assert in_clip(recording) == [*range(11), *range(16, 31)]
        assert [(hole.cause, hole.missing) for hole in recording.holes()] == [("lost_on_wire", 5)]


def test_a_trigger_that_waited_finds_the_frames_of_before() -> None:
    clock = StoppedClock()
    with running(ring_s=5, clock=clock) as bench:
        for seq in range(10):
            clock.advance(0.1)
            bench.send(bench.header(seq=seq))
        wait_until(lambda: len(bench.held()) == 10, 5)
        with clock.stopped():
            clock.advance(31)
        bench.send(bench.header(seq=10))
        wait_until(lambda: bench.held()[-1:] == [10], 5)
        assert bench.held() == list(range(11))

        def are_gone() -> bool:
            clock.advance(0.02)
            return bench.held() == [10]

        wait_until(are_gone, 5)
