"""Whose frames are taken for which camera. Only where there are keys; the ingest thread is its only user.

The key that speaks for a camera is looked up when its first frame comes, and again after any change of the key folder; a
frame costs one comparison. So a key that loses a camera, because the camera has got one of its own or because the key's
file is gone, loses it in the middle of a run, too: the frames that still come with it are refused and counted.
"""

import logging

import zmq

from preroll.clock import NS_PER_S, Clock
from preroll.guard import Door, user_of
from preroll.logs import fields
from preroll.security.permissions import CAMERAS_OF_A_KEY_MAX, SHARED, owner_of, sharing, why_refused
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack

log = logging.getLogger(__name__)


class Speakers:
    """Compares each frame's key with its camera's."""

    def __init__(self, door: Door, cameras: Cameras, clock: Clock) -> None:
        self._door = door
        self._cameras = cameras
        self._clock = clock
        self._clients = door.clients
        self._told_ns = 0
        self.refused = 0
        self._state_sharing()

    def follow(self) -> None:
        """Have every key looked up again if the key folder has changed."""
        clients = self._door.clients
        if self._clients is not clients:
            with self._cameras.lock:  # one may just be forgotten
                for track in self._cameras:
                    track.speaker = None
            self._clients = clients

    def may_speak(self, part: zmq.Frame, track: CameraTrack) -> bool:
        """Whether a frame that came in `part` may be `track`'s."""
        key = user_of(part)
        if key == track.speaker:
            return True
        if not self._is_owner(key, track.camera_id):
            with self._cameras.lock:
                track.refused_foreign_key += 1
            self._refuse(key, track.camera_id)
            return False
        track.speaker = key
        return True

    def may_begin(self, part: zmq.Frame, camera_id: str) -> bool:
        """Whether a frame that came in `part` may make a camera known."""
        key = user_of(part)
        if not self._is_owner(key, camera_id):
            self._refuse(key, camera_id)
            return False
        name = self._clients.by_key[key]
        with self._cameras.lock:
            owned = sum(owner_of(track.camera_id, self._clients.names) == name for track in self._cameras)
        if name != SHARED and owned >= CAMERAS_OF_A_KEY_MAX:
            self._refuse(key, camera_id, f"key {name!r} speaks for {owned} cameras already, which is the limit")
            return False
        return True

    def _state_sharing(self) -> None:
        if SHARED in self._clients.names:
            log.info(
                "cameras without a key of their own share the key %r and can forge one another; `preroll keys %s CAMERA`"
                " makes one",
                SHARED,
                self._door.folder,
                extra=fields(
                    cameras=" ".join(sharing([track.camera_id for track in self._cameras], self._clients.names))
                ),
            )

    def _is_owner(self, key: str, camera_id: str) -> bool:
        name = self._clients.by_key.get(key)
        return name is not None and name == owner_of(camera_id, self._clients.names)

    def _refuse(self, key: str, camera_id: str, why: str = "") -> None:
        self.refused += 1
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns > NS_PER_S or self._told_ns == 0:  # at most one line a second, however many come
            self._told_ns = now_ns
            name = self._clients.by_key.get(key)
            why = why or why_refused(camera_id, name, self._clients.names, str(self._door.folder))
            log.warning("frame refused: %s", why, extra=fields(camera_id=camera_id, key=name, refused=self.refused))
