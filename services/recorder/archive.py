"""What the recorder keeps, and what works on it: the index, the events, their clips. Made once the folder is ours."""

from collections.abc import Callable
from typing import Any, Final

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import Clock
from preroll.linux import memory
from preroll.process import Shutdown
from preroll.runtime.chore import Chore
from preroll.runtime.threads import Threads
from services.recorder.answers.commands import Commands
from services.recorder.answers.queries import Queries
from services.recorder.answers.status import Status
from services.recorder.cameras.table import Cameras
from services.recorder.events.events import Events
from services.recorder.events.rules import Limits
from services.recorder.recovery.reconcile import reconcile
from services.recorder.settings import RecorderSettings
from services.recorder.stages import Stages
from services.recorder.store import running_notes
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.names import INDEX_NAME
from services.recorder.supply import SupplyReader

MB: Final = 1_000_000
STATUS_EVERY_TICKS: Final = 5
CLOSE_S: Final = 8


class Archive:
    """The parts that need the folder, wired to one another. `figures` are those of the parts that do not.

    `pause` waits so many seconds; true means that the recorder is to end.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        cameras: Cameras,
        bus: BusSender,
        clock: Clock,
        boot_id: str,
        threads: Threads,
        figures: Callable[[], dict[str, Any]],
        pause: Callable[[float], bool],
    ) -> None:
        self._cameras = cameras
        self._figures_of_others = figures
        self._clock = clock
        self._boot_id = boot_id
        clips = ClipsDir(settings.clips_dir)
        self._index = Index.open(settings.clips_dir / INDEX_NAME, pause=pause)
        reconcile(clips, self._index)
        with cameras.lock:
            for camera_id in self._index.cameras():
                cameras.remember(camera_id, clock.monotonic_ns())
        limits = Limits(
            settings.pre_s,
            settings.post_s,
            settings.max_clip_s,
            settings.max_ahead_s,
            settings.max_active_events,
            settings.overlap,
        )
        running = running_notes.go_on(clips, self._index, clock, boot_id)
        min_free_bytes = settings.min_free_mb * MB
        self._supply = SupplyReader(
            clock,
            lambda: self._stages.disk(),  # noqa: PLW0108 - made below
            self._index.misplaced,
            lambda: self._stages.files_in_clips,
            lambda: self._stages.unstarted_writers,
        )
        self._events = Events(
            cameras,
            self._index,
            clips,
            limits,
            bus,
            clock,
            boot_id,
            running,
            threads,
            self._supply,
            min_free_bytes,
        )
        self._stages = Stages(settings, self._events, clips, self._index, clock, boot_id, running, threads)
        self._events.stage = self._stages
        self._status = Status(cameras, clock, settings.pre_s, settings.ring_s, self._figures)
        self._commands = Commands(cameras, self._events, self._index, clock, settings.max_commands_per_s)
        self._queries = Queries(cameras, self._events, self._index, self._status, clock, boot_id)
        self._ticks = 0
        self._is_at_work = False
        self._at_every_tick = (
            Chore("events' tick", self._events.tick),
            Chore("start of writers", self._stages.start_writers),
            Chore("further tries of renditions", self._stages.tick),
        )
        self._at_every_status = (
            Chore("memory of cameras", self._remember_cameras),
            Chore("status report", lambda: self._status.tell(bus)),
        )
        self.follow_up = Chore("what follows an answer", self._events.follow_up)

    def resume(self, shutdown: Shutdown) -> None:
        """Take up what an earlier life left, then begin to work; when the end is requested, leave it to the next start."""
        self._stages.resume(shutdown)
        if not shutdown.requested:
            self._stages.start()
            self._is_at_work = True

    def tick(self) -> None:
        """What is due five times a second, and what once. An error of one part is its own."""
        self._ticks += 1
        for chore in self._at_every_tick:
            chore()
        if self._ticks % STATUS_EVERY_TICKS == 0:
            for chore in self._at_every_status:
                chore()

    def end_clips(self) -> None:
        """End every running clip as it is and wait until it is saved, then end the stages."""
        close_s = CLOSE_S if self._is_at_work else 0  # what was not taken up is written by nobody
        Chore("end of the clips", lambda: self._events.close(close_s))()
        Chore("end of the stages", self._stages.close)()

    def close(self) -> None:
        """Close the index; no other thread may be in it."""
        self._index.close()

    def carry_out(self, data: bytes) -> wire.Reply:
        """The reply to a command; `CommandRejected` or `wire.WireError` when it is not carried out."""
        return self._commands.answer(data)

    def answer(self, data: bytes) -> wire.Reply:
        """The reply to a query; `CommandRejected` or `wire.WireError` when there is none to give."""
        return self._queries.answer(wire.decode_query(data))

    def _remember_cameras(self) -> None:
        with self._cameras.lock:
            camera_ids = [track.camera_id for track in self._cameras if track.frames]
        self._index.remember_cameras(camera_ids, wait_s=0)

    def _figures(self) -> dict[str, Any]:
        stock = self._supply.descriptors()
        return {
            **self._figures_of_others(),
            "events_active": len(self._events.active()),
            "clips_recording": self._events.recording_clips(),
            "now": {
                "boot_id": self._boot_id,
                "monotonic_ns": self._clock.monotonic_ns(),
                "unix_ns": self._clock.unix_ns(),
            },
            "memory_limit_bytes": memory.limit_bytes(),
            "descriptors_limit": stock.limit if stock else None,
            "descriptors_in_use": stock.in_use if stock else None,
            **self._stages.figures(),
        }
