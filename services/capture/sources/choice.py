"""Which kind of source an address means."""

from preroll.clock import Clock
from preroll.process import Shutdown
from services.capture import address
from services.capture.settings import CaptureSettings
from services.capture.sources.source import Source, SourceLost
from services.capture.sources.synthetic import SyntheticSource


def open_source(settings: CaptureSettings, clock: Clock, shutdown: Shutdown) -> Source:
    """The source that the settings name, open, or `SourceLost`."""
    if settings.source.startswith(address.SYNTHETIC):
        return SyntheticSource(settings.width, settings.height, settings.fps, settings.jpeg_quality, clock, shutdown)
    raise SourceLost(f"{settings.source}: this kind of source is not known")
