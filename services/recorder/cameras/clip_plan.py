"""What a clip is to be. Pure."""

from dataclasses import dataclass

from services.recorder.cameras.window import Window


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Fixed when the event is accepted. Times are on the recorder's monotonic clock.

    Wall time of a moment `t` is `t + unix_offset_ns`. `folder` is the event's folder, relative to the clips directory.
    """

    event_id: str
    camera_id: str
    folder: str
    trigger_ns: int
    window: Window
    unix_offset_ns: int
