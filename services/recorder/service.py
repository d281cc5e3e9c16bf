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
from preroll.guard import Guard, on_duty
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown, Watchdog, exempt_from_collection
from preroll.turns import Precedence, go_first, take_short_turns
from services.recorder.answers.queries import Queries
from services.recorder.answers.replies import ReplyLoop
from services.recorder.answers.status import Status
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from services.recorder.events.events import Events
from services.recorder.events.rules import CommandRate, CommandRejected, Limits
from services.recorder.settings import RecorderSettings
from services.recorder.stages import Stages
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index

log = logging.getLogger(__name__)

MB: Final = 1_000_000
WEDGED_AFTER_S: Final = 30
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
        guard: Guard | None = None,
    ) -> None:
        clock = SystemClock()
        boot_id = read_boot_id()
        self.shutdown = Shutdown()
        self._settings = settings
        self._context = context
        self._clock = clock
        self._bus = bus
        self._guard = guard
        self._run_id = secrets.token_hex(8)
        self._rate = CommandRate(settings.max_commands_per_s)
        self._clips = ClipsDir(settings.clips_dir)
        settings.clips_dir.mkdir(parents=True, exist_ok=True)
        self._index = Index.open(settings.clips_dir / "index.sqlite")
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
        self._events = Events(self._cameras, self._index, self._clips, limits, bus, clock, boot_id)
        self._stages = Stages(settings, self._events, self._clips, self._index, clock, boot_id)
        self._events.stage = self._stages
        self._status = Status(self._cameras, clock, settings.pre_s, settings.ring_s, self._figures)
        queries = Queries(self._cameras, self._events, self._index, self._status, clock, boot_id)
        self._stages.resume()
        self._control = ReplyLoop(context, settings.control_bind, self._carry_out, guard, self._events.follow_up)
        self._queries = ReplyLoop(
            context, settings.query_bind, lambda data: queries.answer(wire.decode_query(data)), guard
        )
        self._ingest = Ingest(context, settings.frames_bind, self._cameras, clock, guard)

    def run(self) -> None:
        """Run until the shutdown is requested; then end the clips as they are."""
        watchdog = Watchdog(WEDGED_AFTER_S, "ingest")
        watchdog.start()
        self._stages.start()
        # The ingest thread goes on while the clips of the last moment are being saved.
        ingest_end = Shutdown()
        threads = [
            ingest_end.thread("ingest", lambda: self._take_frames(ingest_end, watchdog)),
            self.shutdown.thread("control", self._answer_commands),
            self.shutdown.thread("queries", lambda: self._queries.run(self.shutdown)),
        ]
        ingest_end.call_on_request(lambda: self.shutdown.fail(ingest_end.reason) if ingest_end.exit_code else None)
        exempt_from_collection()
        log.info("recorder is ready", extra=fields(clips_dir=str(self._settings.clips_dir)))
        ticks = 0
        while not self.shutdown.wait(TICK_S):
            self._events.tick()
            ticks += 1
            if ticks % STATUS_EVERY_TICKS == 0:
                self._remember_cameras()
                self._status.tell(self._bus)
        log.info("recorder ends", extra=fields(reason=self.shutdown.reason))
        self._events.close(CLOSE_S)
        self._stages.close()
        ingest_end.request("the clips are saved")
        for thread in threads:
            thread.join(2)
        watchdog.stop()
        self._index.close()

    def _take_frames(self, end: Shutdown, watchdog: Watchdog) -> None:
        go_first(Precedence.FRAMES)
        self._ingest.run(end, watchdog)

    def _answer_commands(self) -> None:
        go_first(Precedence.ANSWERS)
        self._control.run(self.shutdown)

    def _carry_out(self, data: bytes) -> wire.Reply:
        if not self._rate.allows(self._clock.monotonic_ns()):
            raise CommandRejected(
                "too_many_commands", f"more than max_commands_per_s={self._settings.max_commands_per_s} commands"
            )
        command = wire.decode_command(data)
        match command:
            case wire.StartEvent():
                return self._events.start(command)
            case wire.AmendEvent():
                return self._events.amend(command)
            case wire.DeleteEvent():
                return self._events.delete(command)
            case wire.ProtectEvent():
                return self._events.protect(command)
            case wire.ForgetCamera():
                return self._forget(command)

    def _forget(self, command: wire.ForgetCamera) -> wire.Done:
        with self._cameras.lock:
            track = self._cameras.get(command.camera_id)
            if track is None:
                raise CommandRejected("unknown_camera", f"camera {command.camera_id} is not known")
            state = track.state(self._clock.monotonic_ns())
            if state == "live" or track.recordings:
                raise CommandRejected(
                    "wrong_state", f"camera {command.camera_id} is {state}: only one that sends nothing is forgotten"
                )
            self._cameras.forget(command.camera_id)
        self._index.forget_camera(command.camera_id)
        log.info("camera forgotten", extra=fields(camera_id=command.camera_id))
        return wire.Done()

    def _remember_cameras(self) -> None:
        with self._cameras.lock:
            camera_ids = [track.camera_id for track in self._cameras if track.frames]
        self._index.remember_cameras(camera_ids)

    def _figures(self) -> dict[str, Any]:
        return {
            "run_id": self._run_id,
            "events_active": len(self._events.active()),
            "clips_recording": self._events.recording_clips(),
            "malformed_messages": self._ingest.malformed,
            "commands": self._control.answered,
            "commands_refused": self._control.refused,
            "bus_dropped": self._bus.dropped,
            "peers_refused": self._guard.refused if self._guard else 0,
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
    host = socket.gethostname()
    logs = Logs("recorder", host, settings.log_level)
    keys = settings.load_keys()
    context = sockets.with_precedence(zmq.Context[zmq.Socket[bytes]](), is_permitted=is_permitted)
    with context, on_duty(context, keys) as guard:
        to_api = keys.toward("api") if keys else None
        bus = BusSender(context, settings.bus_connect, "recorder", host, SystemClock(), to_api)
        bus.start()
        logs.start(bus)
        try:
            recorder = Recorder(settings, context, bus, guard)
            recorder.shutdown.watch_signals()
            recorder.run()
        except Exception:
            log.exception("the recorder cannot go on")
            return 1
        finally:
            logs.close()
            bus.close()
        return recorder.shutdown.exit_code
