"""The path of a frame: from the SUB socket into its camera's ring. One thread, and nothing on it waits for anything.

The picture is never copied: the message that ZeroMQ received is what rings and clips refer to.
"""

import logging
from typing import Final

import zmq

from preroll import sockets, wire
from preroll.clock import NS_PER_S, Clock
from preroll.guard import Guard
from preroll.logs import fields
from preroll.process import Shutdown, Watchdog
from services.recorder.cameras import Cameras, CameraTrack

log = logging.getLogger(__name__)

TICK_S: Final = 0.1
SOI: Final = b"\xff\xd8"
_PARTS: Final = 3


class Ingest:
    """Receives the frames of all cameras, until shutdown."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        bind: str,
        cameras: Cameras,
        clock: Clock,
        guard: Guard | None = None,
    ) -> None:
        self._cameras = cameras
        self._clock = clock
        self._ticked_ns = 0
        self._told_ns = 0
        self.malformed = 0
        self._socket = sockets.subscriber(context)
        self._socket.rcvtimeo = round(TICK_S * 1000)
        self._socket.subscribe(b"frame/")
        sockets.bind(self._socket, bind, guard)
        self.port = sockets.bound_port(self._socket) if bind.startswith("tcp:") else 0

    def run(self, shutdown: Shutdown, watchdog: Watchdog) -> None:
        """Take frames until the shutdown is requested."""
        try:
            while not shutdown.requested:
                watchdog.feed()
                self.take_one()
                self._tick()
        finally:
            self._socket.close()

    def take_one(self) -> None:
        """Take the next frame, or none when none comes for `TICK_S`."""
        receive = self._socket.recv
        try:
            topic = receive(copy=False, track=False)
        except zmq.Again:
            return
        received_ns = self._clock.monotonic_ns()
        if not topic.more:
            self._reject(None, f"a frame of one part, topic {topic.bytes[:80]!r}")
            return
        header_part = receive(copy=False, track=False)
        if not header_part.more:
            self._reject(None, f"a frame of two parts, topic {topic.bytes[:80]!r}")
            return
        payload = receive(copy=False, track=False)
        if payload.more:
            parts = _PARTS + len(self._socket.recv_multipart())
            self._reject(None, f"a frame of {parts} parts, topic {topic.bytes[:80]!r}")
            return
        self._take(topic.bytes, header_part.bytes, payload.buffer, received_ns)

    def _take(self, topic: bytes, header_bytes: bytes, jpeg: memoryview, received_ns: int) -> None:
        try:
            header = wire.decode_header(header_bytes)
        except wire.WireError as err:
            self._reject(self._known(topic), str(err))
            return
        track = self._cameras.get(header.camera_id)
        if track is None or topic != wire.topic_of(header.camera_id):
            track = self._meet(header.camera_id, topic)
            if track is None:
                return
        if bytes(jpeg[:2]) != SOI:
            self._reject(track, f"a payload of {len(jpeg)} bytes that is no JPEG")
            return
        self._cameras.take(track, header, jpeg, received_ns)

    def _meet(self, camera_id: str, topic: bytes) -> CameraTrack | None:
        if topic != b"frame/" + camera_id.encode(errors="replace") + b"/" or not wire.is_camera_id(camera_id):
            self._reject(None, f"camera_id {camera_id[:80]!r} under topic {topic[:80]!r}")
            return None
        with self._cameras.lock:
            track = self._cameras.remember(camera_id, self._clock.monotonic_ns())
        if track is None:
            self._reject(None, f"camera {camera_id} is one more than max_cameras allows")
            return None
        log.info("camera appeared", extra=fields(camera_id=camera_id))
        return track

    def _known(self, topic: bytes) -> CameraTrack | None:
        return self._cameras.get(topic.decode(errors="replace").removeprefix("frame/").removesuffix("/"))

    def _reject(self, track: CameraTrack | None, what: str) -> None:
        self.malformed += 1
        if track is not None:
            with self._cameras.lock:
                track.reject()
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns > NS_PER_S or self._told_ns == 0:  # at most one line a second, however many come
            self._told_ns = now_ns
            log.warning("frame rejected: %s", what, extra=fields(rejected=self.malformed))

    def _tick(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._ticked_ns < TICK_S * NS_PER_S:
            return
        self._ticked_ns = now_ns
        self._cameras.expire(now_ns)
