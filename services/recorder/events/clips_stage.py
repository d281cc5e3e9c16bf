"""What the events ask of the part that writes their clips and makes them ready."""

from typing import Protocol

from services.recorder.cameras.recording import Recording
from services.recorder.events.open_event import OpenEvent


class ClipsStage(Protocol):
    """What happens to an event's clips after the ring: writing, then encoding."""

    def write(self, opened: OpenEvent, recording: Recording) -> None:
        """Begin to write the clip of `recording`."""
        ...

    def needs(self, event_id: str) -> bool:
        """Whether a saved event's files are needed still, for its renditions."""
        ...
