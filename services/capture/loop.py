"""The capture loop: open, read, number, publish; and open again when the camera is lost.

One thread runs it. It reports between any two calls that may hang.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from preroll import jpeg, wire
from preroll.addresses import without_password
from preroll.logs import fields
from preroll.process import Shutdown
from preroll.runtime.watchdog import Heartbeat
from services.capture.numbering import Numbering
from services.capture.sources.source import Source, SourceLost

log = logging.getLogger(__name__)

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 10.0
_BEAT_S: Final = 0.5


class Outlet(Protocol):
    """Where frames go."""

    def publish(self, header: wire.FrameHeader, jpeg: bytes | bytearray) -> None: ...


class CaptureLoop:
    """One camera, from the first opening to the end of the process."""

    def __init__(
        self,
        open_source: Callable[[], Source],
        numbering: Numbering,
        outlet: Outlet,
        shutdown: Shutdown,
        camera_id: str,
    ) -> None:
        self._open_source = open_source
        self._numbering = numbering
        self._outlet = outlet
        self._shutdown = shutdown
        self._camera_id = camera_id
        self._backoff_s = BACKOFF_MIN_S
        self._last_loss = ""
        self._damaged_in_a_row = 0
        self.is_open = False
        self.reopened = 0

    def run(self, heartbeat: Heartbeat) -> None:
        """Capture until the end is requested."""
        while not self._shutdown.requested:
            try:
                heartbeat.beat()
                source = self._open_source()
            except SourceLost as err:
                self._state_loss(err)
                self._back_off(heartbeat)
                continue
            try:
                self._read_until_lost(source, heartbeat)
            except SourceLost as err:
                self._state_loss(err)
            finally:
                self.is_open = False
                heartbeat.beat()
                source.close()
            self._back_off(heartbeat)

    def _read_until_lost(self, source: Source, heartbeat: Heartbeat) -> None:
        while not self._shutdown.requested:
            heartbeat.beat()
            picture = source.read(self._numbering.next_seq)
            if picture is None:
                continue
            if not self.is_open:
                self._state_open()
            try:
                header = self._numbering.frame_of(picture)
            except jpeg.JpegDamaged as err:
                self._state_damage(err)
                continue
            self._damaged_in_a_row = 0
            self._outlet.publish(header, picture.jpeg)

    def _back_off(self, heartbeat: Heartbeat) -> None:
        left_s = self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)
        while left_s > 0 and not self._shutdown.wait(min(left_s, _BEAT_S)):
            heartbeat.beat()
            left_s -= _BEAT_S

    def _state_open(self) -> None:
        self.is_open = True
        self._backoff_s = BACKOFF_MIN_S
        self._last_loss = ""
        self.reopened += self._numbering.next_seq > 0
        log.info("camera open", extra=fields(camera_id=self._camera_id, reopened=self.reopened))

    def _state_loss(self, err: SourceLost) -> None:
        """Once a change: a camera that stays away for the same reason is not news."""
        reason = without_password(str(err))
        if reason != self._last_loss and not self._shutdown.requested:
            log.warning("camera lost: %s", reason, extra=fields(camera_id=self._camera_id, retry_s=self._backoff_s))
        self._last_loss = reason

    def _state_damage(self, err: jpeg.JpegDamaged) -> None:
        self._damaged_in_a_row += 1
        if self._damaged_in_a_row == 1:
            log.warning(
                "frame rejected: %s", err, extra=fields(camera_id=self._camera_id, rejected=self._numbering.rejected)
            )
