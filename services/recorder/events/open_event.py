"""An event that is not finished: its record as the world sees it, and what only the recorder knows of it."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from preroll import wire
from preroll.clock import seconds
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.window import Window
from services.recorder.events import clip_life
from services.recorder.events.rules import Anchor, CommandRejected

HELD_WITHIN_S: Final = 0.5  # less than the API waits before it asks again


@dataclass(frozen=True, slots=True)
class EventPlan:
    """The recorder's own facts of an event, kept beside its record so that a restart can go on with it.

    `is_placed_by_wall`: made on another boot, so that only the wall clock says where the moment lies on this one's.
    """

    boot_id: str
    anchor: Anchor
    window: Window
    folder: str
    is_placed_by_wall: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "boot_id": self.boot_id,
            "trigger_ns": self.anchor.trigger_ns,
            "received_ns": self.anchor.received_ns,
            "unix_offset_ns": self.anchor.unix_offset_ns,
            "from_ns": self.window.from_ns,
            "to_ns": self.window.to_ns,
            "folder": self.folder,
            "is_placed_by_wall": self.is_placed_by_wall,
        }

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "EventPlan":
        """The plan that `as_json` gave; KeyError, TypeError or ValueError when it is none."""
        return cls(
            str(facts["boot_id"]),
            Anchor(int(facts["trigger_ns"]), int(facts["received_ns"]), int(facts["unix_offset_ns"])),
            Window(int(facts["from_ns"]), int(facts["to_ns"])),
            str(facts["folder"]),
            bool(facts.get("is_placed_by_wall", False)),
        )

    def placed_by_wall(self, unix_offset_ns: int, boot_id: str) -> "EventPlan":
        """The same plan on the clock of the boot `boot_id`, to which `unix_offset_ns` is added for the wall clock's time."""
        shift_ns = self.anchor.unix_offset_ns - unix_offset_ns
        anchor = Anchor(
            self.anchor.trigger_ns + shift_ns,
            self.anchor.received_ns + shift_ns,
            unix_offset_ns,
        )
        window = Window(self.window.from_ns + shift_ns, self.window.to_ns + shift_ns)
        return EventPlan(boot_id, anchor, window, self.folder, is_placed_by_wall=True)

    def span(self) -> wire.Span:
        """The window on the wall clock, by the event's own offset."""
        offset_ns = self.anchor.unix_offset_ns
        return wire.Span(from_unix_ns=self.window.from_ns + offset_ns, to_unix_ns=self.window.to_ns + offset_ns)

    def clip_plan(self, event_id: str, camera_id: str) -> ClipPlan:
        return ClipPlan(
            event_id, camera_id, self.folder, self.anchor.trigger_ns, self.window, self.anchor.unix_offset_ns
        )


@dataclass(slots=True)
class OpenEvent:
    """Guarded by its own `lock`."""

    event: wire.Event
    plan: EventPlan
    running_ns: int | None = None  # when it was accepted, where that is not as its record says
    recordings: dict[str, Recording] = field(default_factory=dict)
    has_writers: bool = False
    is_doomed: bool = False  # deleted while recording: goes when its writers are done
    told: wire.Event | None = None  # the state that was last told on the bus
    is_stored: bool = True  # false while the index lacks its last change, the disk being full
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextlib.contextmanager
    def held(self, within_s: float = HELD_WITHIN_S) -> Iterator[None]:
        """Holds the lock, for a command; `CommandRejected` when another has it for longer, as on a disk that stands."""
        if not self.lock.acquire(timeout=within_s):
            raise CommandRejected(
                "busy", f"event {self.event.event_id} is being stored, for more than {within_s:g} s", self.event.state
            )
        try:
            if self.is_doomed:
                raise CommandRejected("unknown_event", f"event {self.event.event_id} does not exist")
            yield
        finally:
            self.lock.release()

    def now(self) -> wire.Event:
        """The event as it is when nothing is changing it."""
        with self.lock:
            return self.event

    def clip(self, camera_id: str) -> wire.Clip:
        return next(clip for clip in self.event.clips if clip.camera_id == camera_id)

    @property
    def is_recording(self) -> bool:
        return any(clip.state == "recording" for clip in self.event.clips)

    @property
    def is_active(self) -> bool:
        """Scheduled, or being recorded."""
        return any(clip.state in ("scheduled", "recording") for clip in self.event.clips)

    @property
    def is_finished(self) -> bool:
        return all(clip.state in ("ready", "failed") for clip in self.event.clips)


def describe_clip(camera_id: str, state: wire.ClipState, plan: EventPlan, missing_ns: int) -> wire.Clip:
    """The record of a clip whose event is being accepted."""
    coverage = plan.window.coverage(missing_ns)
    return clip_life.accepted(camera_id, state, plan.span(), coverage, round(seconds(missing_ns), 6))
