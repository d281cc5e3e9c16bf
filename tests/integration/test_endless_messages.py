"""A peer that begins a message and never ends it is cut at each port, and costs nobody else anything."""

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from preroll.clock import SystemClock
from preroll.inflow import Inflow
from preroll.linux import connections
from preroll.process import Shutdown, resident_bytes
from preroll.runtime.threads import Threads
from services.recorder.answers.replies import ReplyLoop
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from tests.support.endless import Endless
from tests.support.recorder import RunningApi
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere connections are not to be found"),
    pytest.mark.timeout(60),
]

BOOT = "boot"
JPEG = b"\xff\xd8" + bytes(20_000) + b"\xff\xd9"
MB = 1_000_000
Context = zmq.Context[zmq.Socket[bytes]]


class Recorder:
    """The recorder's three ports, and a camera that sends 50 frames a second."""

    def __init__(self, context: Context) -> None:
        self.shutdown = Shutdown()
        self._threads = threads = Threads(self.shutdown)
        self.cameras = Cameras(5, 50 * MB, 10 * MB, 4, BOOT)
        self._replies = ReplyLoop(context, "tcp://127.0.0.1:*", lambda _: wire.Done())
        self.ingest = Ingest(
            context, "tcp://127.0.0.1:*", self.cameras, SystemClock(), other_ports={self._replies.port}
        )
        self._publisher = sockets.publisher(context)
        self._publisher.connect(f"tcp://127.0.0.1:{self.ingest.port}")
        self._pace = threading.Event()
        self.running = [
            threads.start_watched("ingest", lambda beat: self.ingest.run(self.shutdown, beat), 30),
            threads.start_watched("replies", lambda beat: self._replies.run(self.shutdown, beat), 30),
        ]
        self._camera = threading.Thread(target=self._send, name="camera")
        self._camera.start()
        self.ports = {"frames": self.ingest.port, "control": self._replies.port}

    def _send(self) -> None:
        clock, run_id = SystemClock(), secrets.token_hex(8)
        seq = 0
        while not self._pace.wait(0.02):
            now_ns = clock.monotonic_ns()
            header = wire.FrameHeader("cam", BOOT, run_id, seq, 0, now_ns, now_ns, "jpeg", True, 64, 36)
            self._publisher.send_multipart([wire.topic_of("cam"), wire.encode_header(header), JPEG])
            seq += 1

    @property
    def frames(self) -> int:
        track = self.cameras.get("cam")
        return track.frames if track is not None else 0

    def close(self) -> None:
        self._pace.set()
        self._camera.join()
        self.shutdown.request("the test is over")
        for thread in self.running:
            thread.join(5)
        self._publisher.close()
        self._threads.close()


@contextmanager
def recorder() -> Iterator[Recorder]:
    with zmq.Context[zmq.Socket[bytes]]() as context:
        made = Recorder(context)
        try:
            wait_until(lambda: made.frames > 5, 5, "the camera's frames")
            yield made
        finally:
            made.close()


@pytest.mark.parametrize(
    ("port", "socket_type", "part_bytes"),
    [("frames", "PUB", MB), ("frames", "PUB", 100), ("control", "DEALER", 100_000)],
)
def test_recorder_cuts_the_stranger_and_loses_no_frame(port: str, socket_type: str, part_bytes: int) -> None:
    with recorder() as made:
        before_bytes = resident_bytes()
        with Endless(made.ports[port], socket_type, part_bytes, b"frame/cam/", b"header") as stranger:
            assert stranger.was_cut.wait(10), "it goes on"
        wait_until(lambda: made.ingest.connections_cut == 1, 5, "the figure")
        # A moment later: all is given back, and the camera has gone on.
        wait_until(lambda: resident_bytes() < before_bytes + 32 * MB, 5, "the memory is given back")
        frames = made.frames
        wait_until(lambda: made.frames > frames + 5, 5, "further frames")
        track = made.cameras.get("cam")
        assert track is not None
        assert [name for name, count in track.losses().model_dump().items() if count] == []
        assert not made.shutdown.requested


def test_api_cuts_the_stranger_at_the_bus(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path) as api:
        with Endless(int(api.bus_address.rpartition(":")[2]), "PUSH", 100_000) as stranger:
            assert stranger.was_cut.wait(10), "it goes on"

        def is_told() -> bool:
            return "preroll_bus_connections_cut_total 1.0" in api.http.get("/metrics").text

        wait_until(is_told, 5, "the figure")


def test_capture_cuts_a_stranger_who_subscribes_without_end(context: Context) -> None:
    shutdown = Shutdown()
    with sockets.publisher(context) as publisher:
        publisher.bind("tcp://127.0.0.1:*")
        port = sockets.bound_port(publisher)
        inflow = Inflow({port}, drain_s=0)
        watch = Threads(shutdown).start("inflow", lambda: inflow.watch(shutdown, lambda: 0, lambda: True))
        with Endless(port, "SUB", 1000) as stranger:
            assert stranger.was_cut.wait(10), "it goes on"
        shutdown.request("the test is over")
        watch.join(5)
        assert inflow.cut == 1


def test_connections_are_told_apart_and_count_what_they_received(context: Context) -> None:
    with sockets.bus_receiver(context) as socket:
        socket.bind("tcp://127.0.0.1:*")
        port = sockets.bound_port(socket)
        with sockets.bus_sender(context) as one, sockets.bus_sender(context) as other:
            for sender, count in ((one, 1), (other, 50)):
                sender.connect(f"tcp://127.0.0.1:{port}")
                for _ in range(count):
                    sender.send(bytes(1000))
            for _ in range(51):
                assert sockets.poll(socket, 5)
                socket.recv()
            few, many = sorted(connections.accepted({port}), key=lambda each: each.received_bytes)
            assert 1000 < few.received_bytes < 2000
            assert 50_000 < many.received_bytes < 60_000
            assert connections.accepted({port + 1}) == []
            assert connections.cut({port}, {many.inode}) == [many.peer]
            deadline = time.monotonic() + 5
            while {each.inode for each in connections.accepted({port})} >= {many.inode}:
                assert time.monotonic() < deadline
