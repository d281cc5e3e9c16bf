"""The path of a frame: from the SUB socket into its camera's ring. One thread, and nothing on it waits for anything.

The picture is not copied, unless it is small: the message that ZeroMQ received is what rings and clips refer to.
"""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final

import zmq

from preroll import sockets, wire
from preroll.clock import NS_PER_MS, NS_PER_S, Clock
from preroll.guard import Door
from preroll.inflow import Inflow
from preroll.logs import fields
from preroll.process import Shutdown
from preroll.runtime.watchdog import Heartbeat
from services.recorder.cameras.heap import Heap
from services.recorder.cameras.pauses import Pauses
from services.recorder.cameras.speakers import Speakers
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack

log = logging.getLogger(__name__)

TICK_NS: Final = NS_PER_S // 10
PAUSE_NS: Final = 20 * NS_PER_MS  # less than a camera's period
DENSE_FRAMES: Final = 3 * TICK_NS // PAUSE_NS  # in a tick: from here on, a pause gathers three frames and more
SOI: Final = b"\xff\xd8"
# Up to here a message shares the 8 KiB with which it was received: kept by reference it would keep all of them.
SHARED_MAX_BYTES: Final = 8 * 1024
DRAIN_S: Final = 1.5  # after a pause of the process, two seconds of frames of each camera wait to be taken
_PARTS: Final = 3


class Ingest:
    """Receives the frames of all cameras, until shutdown."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        bind: str,
        cameras: Cameras,
        clock: Clock,
        door: Door | None = None,
        other_ports: Collection[int] = (),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`other_ports` are those of this process at which strangers could fill its memory, too."""
        self._cameras = cameras
        self._clock = clock
        self._pause = pause
        self._heap = Heap()
        self._pauses = Pauses()
        self._speakers = Speakers(door, cameras, clock) if door is not None else None
        self._told_ns = 0
        self.malformed = 0
        self._socket = sockets.subscriber(context)
        self._socket.rcvtimeo = TICK_NS // NS_PER_MS
        self._socket.subscribe(b"frame/")
        sockets.bind(self._socket, bind, door)
        self.port = sockets.bound_port(self._socket) if bind.startswith("tcp:") else 0
        self._inflow = Inflow({self.port, *other_ports}, DRAIN_S)

    def run(self, shutdown: Shutdown, heartbeat: Heartbeat) -> None:
        """Take frames until the shutdown is requested.

        While they are few, each as it comes. Where they are many, together what came during a pause: to be woken for a
        frame, with cold caches, costs several times what the frame itself does.
        """
        is_dense = False
        now_ns = self._clock.monotonic_ns()
        try:
            while not shutdown.requested:
                heartbeat.beat()
                tick_ns = now_ns + TICK_NS
                is_dense = (self._gather(tick_ns) if is_dense else self._take_until(tick_ns)) >= DENSE_FRAMES
                now_ns = self._clock.monotonic_ns()
                self._tidy_up(tick_ns, now_ns)
        finally:
            self._socket.close()

    def _tidy_up(self, due_ns: int, now_ns: int) -> None:
        try:
            if self._speakers is not None:
                self._speakers.follow()
            if self._pauses.is_over(due_ns, now_ns):
                self._cameras.expire(now_ns)
            self._heap.settle(now_ns, self._cameras.ring_bytes + self._cameras.backlog.size_bytes)
            self._inflow.look(now_ns, self._cameras.accounted_bytes, self._cameras.taken_bytes, self._is_drained)
        except Exception as err:  # frames go on coming, and the next turn tries again
            self._tell("not tidied up: %s", _said(err))

    @property
    def connections_cut(self) -> int:
        """Connections that were cut because they filled the memory with messages that do not end."""
        return self._inflow.cut

    def _is_drained(self) -> bool:
        return not sockets.poll(self._socket, 0)

    def _gather(self, tick_ns: int) -> int:
        taken = 0
        while self._clock.monotonic_ns() < tick_ns:
            self._pause(PAUSE_NS / NS_PER_S)
            taken += self._take_until(tick_ns, zmq.DONTWAIT)
        return taken

    def _take_until(self, tick_ns: int, flags: int = 0) -> int:
        """Take frames until one comes after `tick_ns`, or none does; how many."""
        taken = 0
        while (received_ns := self.take_one(flags)) is not None:
            taken += 1
            if received_ns >= tick_ns:
                break
        return taken

    def take_one(self, flags: int = 0) -> int | None:
        """Take the next frame; when that was, on the monotonic clock.

        `None` when none comes for `TICK_NS`, or with `DONTWAIT` when none is there.
        """
        receive = self._socket.recv
        try:
            topic = receive(flags, copy=False, track=False)
        except zmq.Again:
            return None
        received_ns = self._clock.monotonic_ns()
        if not topic.more:
            self._reject(None, f"a frame of one part, topic {topic.bytes[:80]!r}")
            return received_ns
        header = receive(copy=False, track=False)
        if not header.more:
            self._reject(None, f"a frame of two parts, topic {topic.bytes[:80]!r}")
            return received_ns
        payload = receive(copy=False, track=False)
        if payload.more:
            parts = _PARTS + sockets.discard_parts(self._socket)
            self._reject(None, f"a frame of {parts} parts, topic {topic.bytes[:80]!r}")
            return received_ns
        try:
            self._take(topic, header.bytes, payload.buffer, received_ns)
        except Exception as err:  # one frame is lost by it, not the cameras
            self._reject(None, f"topic {topic.bytes[:80]!r}, the recorder failed: {_said(err)}")
        return received_ns

    @property
    def refused_foreign_key(self) -> int:
        """Frames that came with a key that does not speak for their camera, of unknown cameras too."""
        return self._speakers.refused if self._speakers is not None else 0

    def _take(self, topic: zmq.Frame, header_bytes: bytes, jpeg: memoryview, received_ns: int) -> None:
        track = self._cameras.of_topic(topic.bytes)
        # First of all: what else is wrong with a frame is counted as its camera's.
        if self._speakers is not None and track is not None and not self._speakers.may_speak(topic, track):
            return
        try:
            header = wire.decode_header(header_bytes)
        except wire.WireError as err:
            self._reject(track, str(err))
            return
        if track is None or track.camera_id != header.camera_id:
            track = self._meet(header.camera_id, topic)
            if track is None:
                return
        if jpeg[:2].tobytes() != SOI:
            self._reject(track, f"a payload of {len(jpeg)} bytes that is no JPEG")
            return
        try:
            self._cameras.take(track, header, jpeg if len(jpeg) > SHARED_MAX_BYTES else jpeg.tobytes(), received_ns)
        except wire.WireError as err:
            self._reject(track, str(err))

    def _meet(self, camera_id: str, topic: zmq.Frame) -> CameraTrack | None:
        if not wire.is_camera_id(camera_id) or topic.bytes != wire.topic_of(camera_id):
            self._reject(None, f"camera_id {camera_id[:80]!r} under topic {topic.bytes[:80]!r}")
            return None
        if self._speakers is not None and not self._speakers.may_begin(topic, camera_id):
            return None
        with self._cameras.lock:
            track = self._cameras.remember(camera_id, self._clock.monotonic_ns())
        if track is None:
            self._reject(None, f"camera {camera_id} is one more than max_cameras allows")
            return None
        log.info("camera appeared", extra=fields(camera_id=camera_id))
        return track

    def _reject(self, track: CameraTrack | None, what: str) -> None:
        self.malformed += 1
        if track is not None:
            with self._cameras.lock:
                track.reject()
        self._tell("frame rejected: %s", what)

    def _tell(self, message: str, what: str) -> None:
        """Log it: at most one line a second, however many come."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns > NS_PER_S or self._told_ns == 0:
            self._told_ns = now_ns
            log.warning(message, what, extra=fields(rejected=self.malformed))


def _said(err: Exception) -> str:
    return f"{type(err).__name__}: {err}"[:1000]
