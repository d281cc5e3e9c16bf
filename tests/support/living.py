"""The part of a recorder between a trigger and a saved clip: real cameras, events, index, writers; time by hand."""

from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.clips import sidecar
from services.recorder.clips.result import Failed, Written
from services.recorder.clips.writer import ClipWriter
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.rules import Limits
from services.recorder.store import running_notes
from services.recorder.store.disk import Disk
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.syncer import Syncer
from tests.support.clocks import HandClock
from tests.support.frames import jpeg
from tests.support.waiting import wait_until

BOOT = "boot-of-the-test"
FPS = 30
BEGIN_NS = 1_000 * NS_PER_S


class QuickDisk(Disk):
    """Syncs nothing, so that a clip is written in milliseconds."""

    def sync(self, fd: int) -> None:
        """A power cut is not what is tried here."""

    def sync_data(self, fd: int) -> None:
        """As `sync`."""

    def sync_folder(self, path: Path) -> None:
        """As `sync`."""


class WritingStage:
    """Clips are written, and stay saved."""

    def __init__(self, events: Events, clips: ClipsDir, clock: HandClock) -> None:
        self._events = events
        self._clips = clips
        self._clock = clock
        self._syncer = Syncer()
        self._threads = Threads(Shutdown())

    def write(self, opened: OpenEvent, recording: Recording) -> None:
        plan = recording.plan

        def changed(outcome: Written | Failed) -> None:
            self._events.change_clip(plan.event_id, plan.camera_id, outcome.applied_to)

        ClipWriter(
            recording,
            self._clips,
            self._syncer,
            self._clock,
            BOOT,
            opened.now,
            changed,
            changed,
        ).start(self._threads)

    def needs(self, event_id: str) -> bool:
        return False


class Living:
    """`send` moves the clock: frame `n` of every camera is taken `n / FPS` seconds after the beginning."""

    def __init__(
        self,
        root: Path,
        context: "zmq.Context[zmq.Socket[bytes]]",
        *camera_ids: str,
        disk: Disk | None = None,
        index_class: type[Index] = Index,
    ) -> None:
        self.clock = HandClock(monotonic_ns=BEGIN_NS)
        self.clips = ClipsDir(root, disk or QuickDisk())
        self.index = index_class.open(root / "index.sqlite")
        self.cameras = Cameras(60, 1_000_000_000, 100_000_000, 16, BOOT)
        for camera_id in camera_ids:
            self.cameras.remember(camera_id, BEGIN_NS)
        bus = BusSender(context, "inproc://nobody", "recorder", "here", self.clock)
        limits = Limits(1, 1, 60, 60, 1_000, "separate")
        running = running_notes.go_on(self.clips, self.index, self.clock, BOOT)
        self.events = Events(
            self.cameras, self.index, self.clips, limits, bus, self.clock, BOOT, running, Threads(Shutdown())
        )
        self.events.stage = WritingStage(self.events, self.clips, self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.events.close(10)
        self.index.close()

    def send(self, numbers: range, *camera_ids: str) -> None:
        for number in numbers:
            after_s = number / FPS
            t_ns = BEGIN_NS + round(after_s * NS_PER_S)
            self.clock.advance(max(0.0, (t_ns - self.clock.monotonic_ns()) / NS_PER_S))
            for camera_id in camera_ids or [track.camera_id for track in self.cameras]:
                track = self.cameras.get(camera_id)
                assert track is not None
                header = wire.FrameHeader(camera_id, BOOT, "run", number, 0, t_ns, 0, "jpeg", True, 64, 36)
                self.cameras.take(track, header, jpeg(0, 64, 36), t_ns)

    def start(self, event_id: str = "ev1", **asked: object) -> wire.Event:
        """Trigger now, and start the writers."""
        received = wire.InstantRecord(
            boot_id=BOOT, monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns()
        )
        command = wire.StartEvent.model_validate(
            {"event_id": event_id, "fingerprint": "f", "received": received, "age_ns": 0, **asked}
        )
        event = self.events.start(command).event
        self.events.follow_up()
        return event

    def amend(self, post_s: float, event_id: str = "ev1") -> wire.Event:
        return self.events.amend(wire.AmendEvent(event_id=event_id, post_s=post_s)).event

    def saved(self, event_id: str = "ev1") -> wire.Event:
        """The event once all its clips have ended and the index has it."""
        wait_until(lambda: not any(clip.state == "recording" for clip in self.events.get(event_id).clips), 10)
        assert self.events.wait_stored(10)
        event = self.index.get(event_id)
        assert event is not None
        return event

    def sidecar(self, event: wire.Event, camera_id: str) -> sidecar.Sidecar:
        folder = ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
        return sidecar.parse(self.clips.clip(folder, camera_id).sidecar.read_bytes())
