"""A camera that sends JPEGs over HTTP, as multipart/x-mixed-replace. Its bytes are passed on untouched."""

import logging
from collections import deque
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S, Clock
from preroll.logs import fields
from services.capture.sources.http_body import HttpBody
from services.capture.sources.multipart import MultipartParser, Part, StreamMalformed
from services.capture.sources.source import Picture, SourceLost

log = logging.getLogger(__name__)

# So many waited on the line. A camera whose line stays full leaves pictures out, and says nothing.
BEHIND_PICTURES: Final = 5
BEHIND: Final = (
    "capture is behind its camera: pictures waited, their times are late, and the camera may have left some out"
)
STATED_EVERY_NS: Final = 10 * NS_PER_S
_TYPES: Final = ("", "image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream")


class MjpegHttpSource:
    """Pictures out of an open HTTP body. A picture's time is the arrival of its part's first byte."""

    def __init__(self, body: HttpBody, clock: Clock, early: bytes = b"") -> None:
        self._body = body
        self._clock = clock
        self._parser = MultipartParser(wire.FRAME_MAX_BYTES)
        self._parts: deque[Part] = deque()
        self._stated_ns: int | None = None
        self._feed(early)

    def read(self, seq: int) -> Picture | None:
        del seq
        while not self._parts:
            if self._parser.is_ended:
                raise SourceLost("the server ended the multipart stream")
            pieces = self._body.receive()
            for piece in pieces:
                self._feed(piece)
            if not pieces:
                return None
        part = self._parts.popleft()
        if self._body.backlog_bytes > BEHIND_PICTURES * len(part.body):
            self._state_behind(part)
        return Picture(part.body, part.arrived_ns)

    def close(self) -> None:
        self._body.close()

    def _state_behind(self, part: Part) -> None:
        """A machine with too much to do: now and then, for it lasts."""
        if self._stated_ns is not None and part.arrived_ns - self._stated_ns < STATED_EVERY_NS:
            return
        self._stated_ns = part.arrived_ns
        log.warning(BEHIND, extra=fields(waited_bytes=self._body.backlog_bytes, picture_bytes=len(part.body)))

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            parts = self._parser.feed(data, self._clock.monotonic_ns())
        except StreamMalformed as err:
            raise SourceLost(str(err)) from err
        # Some cameras mix events in text between the pictures.
        self._parts.extend(part for part in parts if part.content_type.partition(";")[0].strip() in _TYPES)


def mjpeg_source(body: HttpBody, clock: Clock, deadline_s: float) -> MjpegHttpSource | None:
    """The source over this body, or `None` when it is not multipart.

    What the server says of the type decides, and where it says nothing of use (ffmpeg's does not) the first bytes do:
    they are waited for until `deadline_s` on the clock.
    """
    kind = body.content_type
    if kind.startswith("multipart/"):
        return MjpegHttpSource(body, clock)
    if kind and not kind.startswith("application/octet-stream"):
        return None
    early = b""
    while len(early.lstrip()) < 2:
        if clock.monotonic_ns() / 1e9 > deadline_s:
            raise SourceLost("the server answered, but sent nothing")
        early += b"".join(body.receive())
    return MjpegHttpSource(body, clock, early) if early.lstrip().startswith(b"--") else None
