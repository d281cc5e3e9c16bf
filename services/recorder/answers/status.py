"""What the recorder says of itself: once a second on the bus, and when asked."""

import logging
from collections.abc import Callable
from typing import Any

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import Clock, seconds
from preroll.logs import fields
from preroll.process import resident_bytes
from services.recorder.cameras.table import Cameras

log = logging.getLogger(__name__)


class Status:
    """Reads the cameras and the figures of the other parts.

    `figures` gives the fields of `wire.RecorderHealth` that only the composition knows.
    """

    def __init__(
        self, cameras: Cameras, clock: Clock, wanted_s: float, ring_s: float, figures: Callable[[], dict[str, Any]]
    ) -> None:
        self._cameras = cameras
        self._clock = clock
        self._wanted_s = wanted_s
        self._ring_s = ring_s
        self._figures = figures
        self._began_ns = clock.monotonic_ns()
        self._states: dict[str, wire.CameraState] = {}
        self._not_described: dict[str, str] = {}

    def cameras(self) -> tuple[wire.Camera, ...]:
        """All cameras, by id; without one that cannot be described: what one has sent hides no other."""
        now_ns = self._clock.monotonic_ns()
        described: list[wire.Camera] = []
        with self._cameras.lock:
            for track in self._cameras:
                try:
                    described.append(track.describe(now_ns, self._wanted_s))
                except ValueError as err:
                    self._not_described[track.camera_id] = str(err)
        return tuple(described)

    def health(self) -> wire.RecorderHealth:
        """The recorder's own figures."""
        return wire.RecorderHealth.model_validate(
            {
                **self._figures(),
                "uptime_s": seconds(self._clock.monotonic_ns() - self._began_ns),
                "memory_bytes": resident_bytes(),
                "ring_bytes": self._cameras.ring_bytes,
                "ring_max_bytes": self._cameras.ring_max_bytes,
                "backlog_bytes": self._cameras.backlog.size_bytes,
                "backlog_max_bytes": self._cameras.backlog.max_bytes,
                "ring_window_s": self._ring_s,
            }
        )

    def tell(self, bus: BusSender) -> None:
        """Send the status, and every change of a camera's state since the last time."""
        cameras = self.cameras()
        health = self.health()
        bus.send(lambda stamp: wire.RecorderStatus.model_validate({**stamp, "cameras": cameras, "health": health}))
        for camera in cameras:
            before = self._states.get(camera.camera_id)
            if before != camera.state:
                self._tell_change(bus, camera, before)
        self._states = {camera.camera_id: camera.state for camera in cameras}
        while self._not_described:
            camera_id, error = self._not_described.popitem()
            log.error("camera left out of the status", extra=fields(camera_id=camera_id, error=error[:1000]))

    def _tell_change(self, bus: BusSender, camera: wire.Camera, before: wire.CameraState | None) -> None:
        is_bad = camera.state in ("stalled", "lost")
        log.log(
            logging.WARNING if is_bad else logging.INFO,
            "camera is %s",
            camera.state,
            extra=fields(camera_id=camera.camera_id, before=before),
        )
        bus.send(lambda stamp: wire.CameraChanged.model_validate({**stamp, "camera": camera}))
