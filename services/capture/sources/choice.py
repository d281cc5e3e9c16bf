"""Which kind of source an address means.

Each kind is imported when it is chosen: a camera's process holds one of OpenCV and PyAV in memory, or neither.
"""

from preroll.clock import NS_PER_S, Clock
from preroll.process import Shutdown
from services.capture import address
from services.capture.settings import CaptureSettings
from services.capture.sources.source import Source


def open_source(settings: CaptureSettings, clock: Clock, shutdown: Shutdown) -> Source:
    """The source that the settings name, open, or `SourceLost`."""
    source = settings.source
    if source.startswith(address.SYNTHETIC):
        from services.capture.sources.synthetic import SyntheticSource

        return SyntheticSource(settings.width, settings.height, settings.fps, settings.jpeg_quality, clock, shutdown)
    if source.startswith(address.DEVICE):
        from services.capture.sources.device import open_device

        size = (settings.width, settings.height)
        return open_device(source, size, settings.fps, settings.jpeg_quality, settings.read_timeout_s, clock)
    if source.startswith(address.HTTP):
        from services.capture.sources.http_body import open_body
        from services.capture.sources.mjpeg_http import mjpeg_source

        deadline_s = clock.monotonic_ns() / NS_PER_S + settings.open_timeout_s
        body = open_body(source, settings.open_timeout_s, settings.read_timeout_s)
        multipart: Source | None = None
        try:
            multipart = mjpeg_source(body, clock, deadline_s)
        finally:
            if multipart is None:
                body.close()
        if multipart is not None:
            return multipart
    from services.capture.sources.stream import open_stream

    timeouts_s = (settings.open_timeout_s, settings.read_timeout_s)
    return open_stream(source, settings.jpeg_quality, timeouts_s, clock, shutdown)
