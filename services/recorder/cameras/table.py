"""The recorder's cameras by id, and the memory that they share.

The ingest thread changes them with every frame, the command and query threads look and begin clips; `Cameras.lock` is
held for that. It is held for some microseconds, never while anything is read or written.
"""

import threading
from collections.abc import Iterator
from typing import Final

from preroll.clock import NS_PER_S
from preroll.wire import FrameHeader, topic_of
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.frame import OVERHEAD_BYTES
from services.recorder.cameras.ring import evict_to
from services.recorder.cameras.track import CameraTrack

BETWEEN_SHARE: Final = 20
CLIP_BYTES: Final = 1_000_000


class Cameras:
    """All cameras by id, and the memory that they share."""

    def __init__(
        self, ring_s: float, ring_max_bytes: int, backlog_max_bytes: int, max_cameras: int, boot_id: str
    ) -> None:
        self.lock = threading.Lock()
        self.ring_max_bytes = ring_max_bytes
        self.refused_cameras = 0
        self._ring_ns = round(ring_s * NS_PER_S)
        self.backlog: Final = Backlog(backlog_max_bytes)
        self._max_cameras = max_cameras
        self._boot_id = boot_id
        self._tracks: dict[str, CameraTrack] = {}
        self._by_topic: dict[bytes, CameraTrack] = {}
        self.of_topic: Final = self._by_topic.get  # asked with every frame: no step between
        self._ring_bytes = 0
        self.taken_bytes = 0  # by all frames that were ever taken

    def __iter__(self) -> Iterator[CameraTrack]:
        return iter([self._tracks[camera_id] for camera_id in sorted(self._tracks)])

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def ring_bytes(self) -> int:
        return self._ring_bytes

    @property
    def accounted_bytes(self) -> int:
        """The memory that cameras and clips may take now: rings, backlog and what lies between frames, the buffers of open
        clips, and of each camera a frame that is on its way.
        """
        with self.lock:
            tracks = list(self._tracks.values())
            coming = sum(track.ring.newest.held_bytes for track in tracks if track.ring.newest is not None)
            clips = sum(len(track.recordings) for track in tracks)
        held = self._ring_bytes + self.backlog.size_bytes
        return held + held // BETWEEN_SHARE + coming + clips * CLIP_BYTES

    def get(self, camera_id: str) -> CameraTrack | None:
        return self._tracks.get(camera_id)

    def remember(self, camera_id: str, now_ns: int) -> CameraTrack | None:
        """The camera, made known if it was not; `None` when there are already as many as may be (counted)."""
        track = self._tracks.get(camera_id)
        if track is None:
            if len(self._tracks) >= self._max_cameras:
                self.refused_cameras += 1
                return None
            track = CameraTrack(camera_id, self._boot_id, now_ns, self.backlog)
            self._tracks[camera_id] = self._by_topic[topic_of(camera_id)] = track
        return track

    def forget(self, camera_id: str) -> None:
        self._ring_bytes -= self._tracks.pop(camera_id).ring.size_bytes
        del self._by_topic[topic_of(camera_id)]

    def take(self, track: CameraTrack, header: FrameHeader, jpeg: memoryview | bytes, received_ns: int) -> bool:
        """Take a frame of `track`, and keep all rings together within their bytes."""
        with self.lock:
            if not track.take(header, jpeg, received_ns):
                return False
            size_bytes = len(jpeg) + OVERHEAD_BYTES
            self._ring_bytes += size_bytes
            self.taken_bytes += size_bytes
            if self._ring_bytes > self.ring_max_bytes:
                self._evict()
            return True

    def expire(self, now_ns: int) -> None:
        """What time alone does: clips close, and what is older than `ring_s` goes.

        All cameras let go at one moment of what is older than one moment: the messages that are freed lie side by side
        in memory then, and those that come next fit where they were.
        """
        with self.lock:
            for track in self._tracks.values():
                track.expire(now_ns)
                track.ring.evict_before(now_ns - self._ring_ns)
                if track.is_recorded:
                    track.let_go()
            self._ring_bytes = sum(track.ring.size_bytes for track in self._tracks.values())

    def _evict(self) -> None:
        by_ring = {id(track.ring): track for track in self._tracks.values()}
        for ring in evict_to((track.ring for track in self._tracks.values()), self.ring_max_bytes):
            track = by_ring[id(ring)]
            track.evicted_early += 1
            if track.is_recorded:
                track.let_go()
        self._ring_bytes = sum(track.ring.size_bytes for track in self._tracks.values())
