"""What one frame costs on its way from the socket into the ring, in counts that no machine's mood can change.

Python's instructions executed in our own code, and the bytes of Python's memory that a frame in the ring holds besides
its JPEG.
"""

import sys
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any, Final

import zmq

from bench.footage import REPOSITORY
from preroll import sockets, wire
from preroll.clock import NS_PER_S, SystemClock, read_boot_id
from preroll.guard import Guard
from preroll.keys import Keys
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from tests.support.waiting import wait_until

ADDRESS: Final = "inproc://bench-frame-path"
BURST: Final = 32  # fewer than a socket queues
JPEG: Final = b"\xff\xd8" + bytes(10_000) + b"\xff\xd9"  # a smaller one is copied
_OURS: Final = (str(REPOSITORY / "preroll"), str(REPOSITORY / "services"))


class FramePath:
    """A recorder's ingest with one camera, fed within this process."""

    def __init__(self, keys_dir: Path | None = None) -> None:
        """With keys it is fed over TCP and CURVE: what costs more is to hold each frame against its key."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._boot_id = read_boot_id()
        self.cameras = Cameras(3600, 10**9, 10**9, 8, self._boot_id)
        self._clock = SystemClock()
        self._publisher = sockets.publisher(self._context)
        self._guard = None if keys_dir is None else Guard(self._context, Keys.load(keys_dir, "recorder"))
        if self._guard is None or keys_dir is None:
            self._ingest = Ingest(self._context, ADDRESS, self.cameras, self._clock)
            self._publisher.connect(ADDRESS)
        else:
            self._guard.start(Threads(Shutdown()))
            door = self._guard.door("frames")
            self._ingest = Ingest(self._context, "tcp://127.0.0.1:*", self.cameras, self._clock, door)
            own = Keys.load(keys_dir, "capture").toward("recorder")
            sockets.connect(self._publisher, f"tcp://127.0.0.1:{self._ingest.port}", own)
        self._seq = 0
        self._began_ns = self._clock.monotonic_ns() - 600 * NS_PER_S

    def close(self) -> None:
        if self._guard is not None:
            self._guard.close()
        self._context.destroy(linger=0)

    def feed(self, count: int) -> None:
        """Queue `count` frames."""
        for _ in range(count):
            t_ns = self._began_ns + self._seq * NS_PER_S // 1000
            header = wire.FrameHeader(
                "cam1", self._boot_id, "bench-run", self._seq, 0, t_ns, t_ns, "jpeg", True, 1920, 1080
            )
            self._publisher.send_multipart([wire.topic_of("cam1"), wire.encode_header(header), JPEG])
            self._seq += 1

    def take(self) -> None:
        """Take what was fed last, as the ingest thread does; the last one waits in vain while no camera is known."""
        for _ in range(BURST):
            self._ingest.take_one()

    def warm_up(self) -> None:
        """Until the camera is known: before the subscription has arrived, what is published goes nowhere."""

        def is_known() -> bool:
            self.feed(BURST)
            self.take()
            return self.held > 0

        wait_until(is_known, 10, "a frame in the ring")

    @property
    def held(self) -> int:
        """Frames in the ring."""
        return sum(len(track.ring) for track in self.cameras)


def instructions_per_frame(keys_dir: Path | None = None) -> float:
    """Python instructions of our own code for a frame, once the camera is known; with the keys of a folder."""
    counted = 0

    def count(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal counted
        if event == "call":
            if not frame.f_code.co_filename.startswith(_OURS):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            counted += 1
        return count

    path = FramePath(keys_dir)
    before = sys.gettrace()
    try:
        path.warm_up()
        path.feed(BURST)
        held = path.held
        sys.settrace(count)
        path.take()
        sys.settrace(before)
        return counted / (path.held - held)
    finally:
        sys.settrace(before)
        path.close()


def held_bytes_per_frame() -> float:
    """Bytes of Python's memory for a frame in the ring, its JPEG (which ZeroMQ holds) not counted."""
    path = FramePath()
    was_tracing = tracemalloc.is_tracing()
    try:
        path.warm_up()
        if not was_tracing:
            tracemalloc.start()
        held = path.held
        before_bytes = tracemalloc.get_traced_memory()[0]
        for _ in range(8):
            path.feed(BURST)
            path.take()
        return (tracemalloc.get_traced_memory()[0] - before_bytes) / (path.held - held)
    finally:
        if not was_tracing:
            tracemalloc.stop()
        path.close()
