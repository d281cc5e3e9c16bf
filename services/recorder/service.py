"""Puts the recorder together, runs it, and takes it apart again."""

import logging
import secrets
import socket
import sys
from typing import Any, Final

import zmq

from preroll import sockets, wire
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.guard import Door, Guard, on_duty, warn_of_exposed
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown, exempt_from_collection
from preroll.runtime.chore import Chore
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads
from preroll.runtime.watchdog import Heartbeat
from preroll.security.permissions import Domain
from preroll.turns import Precedence, go_first, take_short_turns
from services.recorder.answers.commands import Commands
from services.recorder.answers.queries import Queries
from services.recorder.answers.replies import ReplyLoop
from services.recorder.answers.status import Status
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from services.recorder.events.events import Events
from services.recorder.events.rules import Limits
from services.recorder.recovery.reconcile import reconcile
from services.recorder.settings import RecorderSettings
from services.recorder.stages import Stages
from services.recorder.store import running_notes
from services.recorder.store.files import INDEX_NAME, ClipsDir
from services.recorder.store.index import Index
from services.recorder.supply import SupplyReader

log = logging.getLogger(__name__)

MB: Final = 1_000_000
WEDGED_AFTER_S: Final = 30.0
STUCK_AFTER_S: Final = 120.0  # of what waits for the disk: one that stands still for a minute is to cost no frame
TICK_S: Final = 0.2
STATUS_EVERY_TICKS: Final = 5
CLOSE_S: Final = 8
SWITCH_S: Final = 0.001


class Recorder:
    """All parts of the recorder. The frames' socket is bound last: by then everything else is ready."""

    def __init__(
        self,
        settings: RecorderSettings,
        context: zmq.Context[zmq.Socket[bytes]],
        bus: BusSender,
        guard: Guard | None,
        shutdown: Shutdown,
        threads: Threads,
    ) -> None:
        clock = SystemClock()
        boot_id = read_boot_id()
        self._shutdown = shutdown
        self._threads = threads
        self._settings = settings
        self._context = context
        self._clock = clock
        self._bus = bus
        self._guard = guard
        self._run_id = secrets.token_hex(8)
        self._clips = ClipsDir(settings.clips_dir)
        settings.clips_dir.mkdir(parents=True, exist_ok=True)
        self._index = Index.open(settings.clips_dir / INDEX_NAME)
        reconcile(self._clips, self._index)
        self._cameras = Cameras(
            settings.ring_s, settings.ring_max_mb * MB, settings.backlog_max_mb * MB, settings.max_cameras, boot_id
        )
        now_ns = clock.monotonic_ns()
        for camera_id in self._index.cameras():
            self._cameras.remember(camera_id, now_ns)
        limits = Limits(
            settings.pre_s,
            settings.post_s,
            settings.max_clip_s,
            settings.max_ahead_s,
            settings.max_active_events,
            settings.overlap,
        )
        running = running_notes.go_on(self._clips, self._index, clock, boot_id)
        min_free_bytes = settings.min_free_mb * MB
        self._supply = SupplyReader(
            clock,
            lambda: self._clips.usage(0, min_free_bytes),
            self._index.misplaced,
            lambda: self._stages.files_in_clips,
        )
        self._events = Events(
            self._cameras,
            self._index,
            self._clips,
            limits,
            bus,
            clock,
            boot_id,
            running,
            threads,
            self._supply,
            min_free_bytes,
        )
        self._stages = Stages(settings, self._events, self._clips, self._index, clock, boot_id, running, threads)
        self._events.stage = self._stages
        self._status = Status(self._cameras, clock, settings.pre_s, settings.ring_s, self._figures)
        commands = Commands(self._cameras, self._events, self._index, clock, settings.max_commands_per_s)
        queries = Queries(self._cameras, self._events, self._index, self._status, clock, boot_id)
        self._stages.resume()

        def door(domain: Domain) -> Door | None:
            return guard.door(domain) if guard else None

        self._control = ReplyLoop(
            context, settings.control_bind, commands.answer, door("control"), self._events.follow_up
        )
        self._queries = ReplyLoop(
            context, settings.query_bind, lambda data: queries.answer(wire.decode_query(data)), door("query")
        )
        self._ingest = Ingest(context, settings.frames_bind, self._cameras, clock, door("frames"))

    def run(self) -> None:
        """Run until the shutdown is requested; then end the clips as they are."""
        self._stages.start()
        # The ingest thread goes on while the clips of the last moment are being saved.
        ingest_end = Shutdown()
        threads = [
            self._threads.start_watched("ingest", lambda beat: self._take_frames(ingest_end, beat), WEDGED_AFTER_S),
            self._threads.start_watched("control", self._answer_commands, STUCK_AFTER_S),
            self._threads.start_watched("queries", lambda beat: self._queries.run(self._shutdown, beat), STUCK_AFTER_S),
        ]
        exempt_from_collection()
        log.info("recorder is ready", extra=fields(clips_dir=str(self._settings.clips_dir)))
        ticks = 0
        remember_cameras = Chore("remembering the cameras", self._remember_cameras)
        with self._threads.watching("tick", STUCK_AFTER_S) as heartbeat:
            while not self._shutdown.wait(TICK_S):
                heartbeat.beat()
                self._events.tick()
                self._stages.start_writers()
                ticks += 1
                if ticks % STATUS_EVERY_TICKS == 0:
                    remember_cameras()
                    self._status.tell(self._bus)
        log.info("recorder ends", extra=fields(reason=self._shutdown.reason))
        self._events.close(CLOSE_S)
        self._stages.close()
        ingest_end.request("the clips are saved")
        for thread in threads:
            thread.join(2)
        self._index.close()

    def _take_frames(self, end: Shutdown, heartbeat: Heartbeat) -> None:
        go_first(Precedence.FRAMES)
        self._ingest.run(end, heartbeat)

    def _answer_commands(self, heartbeat: Heartbeat) -> None:
        go_first(Precedence.ANSWERS)
        self._control.run(self._shutdown, heartbeat)

    def _remember_cameras(self) -> None:
        with self._cameras.lock:
            camera_ids = [track.camera_id for track in self._cameras if track.frames]
        self._index.remember_cameras(camera_ids, wait_s=0)

    def _figures(self) -> dict[str, Any]:
        stock = self._supply.descriptors()
        return {
            "run_id": self._run_id,
            "events_active": len(self._events.active()),
            "clips_recording": self._events.recording_clips(),
            "malformed_messages": self._ingest.malformed,
            "commands": self._control.answered,
            "commands_refused": self._control.refused,
            "bus_dropped": self._bus.dropped,
            "peers_refused": self._guard.refused if self._guard else 0,
            "refused_foreign_key": self._ingest.refused_foreign_key,
            "descriptors_limit": stock.limit if stock else None,
            "descriptors_in_use": stock.in_use if stock else None,
            **self._stages.figures(),
        }


def main() -> int:
    """Run the recorder by the settings in the environment; its exit code."""
    settings = RecorderSettings.load_or_exit()
    descriptors.raise_limit()
    take_short_turns()
    # All threads: one that holds the interpreter and waits for a processor keeps those waiting that go before it.
    is_permitted = go_first(Precedence.WRITING, is_passed_on=True)
    # The interpreter goes round among the threads that have work: a trigger's answer must not wait long for its turn.
    sys.setswitchinterval(SWITCH_S)
    shutdown = Shutdown()
    threads = Threads(shutdown)
    watch_signals(shutdown, threads)
    threads.limit_end()
    host = socket.gethostname()
    logs = Logs("recorder", host, settings.log_level)
    keys = settings.load_keys()
    context = sockets.with_precedence(zmq.Context[zmq.Socket[bytes]](), is_permitted=is_permitted)
    with context, on_duty(context, keys, threads) as guard:
        to_api = keys.toward("api") if keys else None
        bus = BusSender(context, settings.bus_connect, "recorder", host, SystemClock(), to_api)
        bus.start(threads)
        logs.start(bus)
        warn_of_exposed(keys)
        try:
            Recorder(settings, context, bus, guard, shutdown, threads).run()
        except Exception:
            log.exception("the recorder cannot go on")
            return 1
        finally:
            logs.close()
            bus.close()
        return shutdown.exit_code
