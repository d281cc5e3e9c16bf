"""Puts the recorder together, runs it, and takes it apart again.

The order of its start: signals are watched; the folder's lock is taken; all sockets are bound; only then is anything in
the folder opened or changed. Of its end: clips are closed, threads end, what they used is closed. A part that fails, at
the start or later, makes the same end come, with another exit code.
"""

import logging
import secrets
import socket
import sys
import threading
from typing import Any, Final

import zmq

from preroll import sockets, wire
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.guard import Door, Guard, warn_of_exposed
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown, exempt_from_collection
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads, join_all
from preroll.runtime.watchdog import Heartbeat
from preroll.security.permissions import Domain
from preroll.turns import Precedence, go_first, take_short_turns
from services.recorder.answers.replies import ReplyLoop
from services.recorder.archive import Archive
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from services.recorder.events.rules import CommandRejected
from services.recorder.settings import RecorderSettings
from services.recorder.store.folder_lock import FolderInUse, FolderLock

log = logging.getLogger(__name__)

MB: Final = 1_000_000
TICK_S: Final = 0.2
SWITCH_S: Final = 0.001
JOIN_S: Final = 2.0
START_END_S: Final = 2.0  # a start that is cut off at any point is taken up by the next one
FOLDER_IN_USE_EXIT_CODE: Final = 75


class Recorder:
    """The sockets and the threads that serve them, from the moment the folder is ours; and the archive, once it is open."""

    def __init__(
        self,
        settings: RecorderSettings,
        context: zmq.Context[zmq.Socket[bytes]],
        bus: BusSender,
        guard: Guard | None,
        shutdown: Shutdown,
        threads: Threads,
        lock: FolderLock,
    ) -> None:
        """Bind; `zmq.ZMQError` when an address is taken. `lock` is held."""
        self._lock = lock
        self._shutdown = shutdown
        self._threads = threads
        self._settings = settings
        self._clock = SystemClock()
        self._boot_id = read_boot_id()
        self._bus = bus
        self._guard = guard
        self._run_id = secrets.token_hex(8)
        self._archive: Archive | None = None
        self._cameras = Cameras(
            settings.ring_s,
            settings.ring_max_mb * MB,
            settings.backlog_max_mb * MB,
            settings.max_cameras,
            self._boot_id,
        )

        def door(domain: Domain) -> Door | None:
            return guard.door(domain) if guard else None

        self._control = ReplyLoop(context, settings.control_bind, self._carry_out, door("control"), self._follow_up)
        self._queries = ReplyLoop(context, settings.query_bind, self._answer, door("query"))
        self._ingest = Ingest(
            context,
            settings.frames_bind,
            self._cameras,
            self._clock,
            door("frames"),
            {self._control.port, self._queries.port},
        )

    def run(self) -> bool:
        """Run until the shutdown is requested; then end the clips as they are. False when a thread does not end."""
        # The ingest thread goes on while the clips of the last moment are being saved.
        ingest_end = Shutdown()
        others = self._threads.living()
        self._serve(ingest_end)
        archive = self._open()
        if archive is not None and not self._shutdown.requested:
            try:
                self._work(archive)
            except Exception as err:
                log.exception("the recorder cannot go on")
                self._shutdown.fail(f"{type(err).__name__}: {err}"[:500])
        log.info("recorder ends", extra=fields(reason=self._shutdown.reason))
        self._lock.note_end()
        if archive is not None:
            archive.end_clips()
        ingest_end.request("the clips are saved")
        left = join_all(self._threads.living() - others, JOIN_S)
        if left:
            log.error("threads do not end", extra=fields(threads=", ".join(sorted(thread.name for thread in left))))
        elif archive is not None:
            archive.close()
        return not left

    def _serve(self, ingest_end: Shutdown) -> None:
        """From here on frames fill the rings, and whoever asks is answered: that the recorder starts, until it has."""
        limit_s, disk_limit_s = self._settings.watchdog_s, self._settings.disk_watchdog_s
        start = self._threads.start_watched
        start("ingest", lambda heartbeat: self._take_frames(ingest_end, heartbeat), limit_s)
        start("control", self._answer_commands, disk_limit_s)
        start("queries", lambda heartbeat: self._queries.run(self._shutdown, heartbeat), disk_limit_s)

    def _open(self) -> Archive | None:
        """The archive, once what the last run left is taken up. That may take minutes, so it is done on a thread of its own.

        `None` when it fails, or when the end is requested and it does not follow at once.
        """
        made: list[Archive] = []
        has_ended = threading.Event()

        def start() -> None:
            try:
                archive = Archive(
                    self._settings,
                    self._cameras,
                    self._bus,
                    self._clock,
                    self._boot_id,
                    self._threads,
                    self._figures,
                    self._shutdown.wait,
                )
                archive.resume(self._shutdown)
                made.append(archive)
            finally:
                has_ended.set()

        self._shutdown.call_on_request(has_ended.set)
        starting = self._threads.start("start", start)
        has_ended.wait()
        starting.join(START_END_S)
        return made[0] if made else None

    def _work(self, archive: Archive) -> None:
        self._archive = archive
        exempt_from_collection()
        log.info("recorder is ready", extra=fields(clips_dir=str(self._settings.clips_dir)))
        with self._threads.watching("tick", self._settings.disk_watchdog_s) as heartbeat:
            while not self._shutdown.wait(TICK_S):
                heartbeat.beat()
                archive.tick()

    def _take_frames(self, end: Shutdown, heartbeat: Heartbeat) -> None:
        go_first(Precedence.FRAMES)
        self._ingest.run(end, heartbeat)

    def _answer_commands(self, heartbeat: Heartbeat) -> None:
        go_first(Precedence.ANSWERS)
        self._control.run(self._shutdown, heartbeat)

    def _carry_out(self, data: bytes) -> wire.Reply:
        return self._opened().carry_out(data)

    def _answer(self, data: bytes) -> wire.Reply:
        return self._opened().answer(data)

    def _follow_up(self) -> None:
        if self._archive is not None:
            self._archive.follow_up()

    def _opened(self) -> Archive:
        if self._archive is None:
            raise CommandRejected("starting", "the recorder is starting: it takes up what its last run left")
        return self._archive

    def _figures(self) -> dict[str, Any]:
        return {
            "run_id": self._run_id,
            "malformed_messages": self._ingest.malformed,
            "commands": self._control.answered,
            "commands_refused": self._control.refused,
            "bus_dropped": self._bus.dropped,
            "connections_cut": self._ingest.connections_cut,
            "peers_refused": self._guard.refused if self._guard else 0,
            "refused_foreign_key": self._ingest.refused_foreign_key,
        }


def main() -> int:
    """Run the recorder by the settings in the environment; its exit code. Threads that do not end are left to `runtime.service`."""
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
    guard = Guard(context, keys) if keys else None
    if guard:
        guard.start(threads)
    bus = BusSender(
        context, settings.bus_connect, "recorder", host, SystemClock(), keys.toward("api") if keys else None
    )
    bus.start(threads)
    logs.start(bus)
    warn_of_exposed(keys)
    has_ended = _run(settings, context, bus, guard, shutdown, threads)
    logs.close()
    if bus.close() and has_ended:
        if guard:
            guard.close()
        context.destroy()
    return shutdown.exit_code


def _run(
    settings: RecorderSettings,
    context: zmq.Context[zmq.Socket[bytes]],
    bus: BusSender,
    guard: Guard | None,
    shutdown: Shutdown,
    threads: Threads,
) -> bool:
    """Run the recorder in its folder; whether all of its threads have ended. A failure is in the shutdown."""
    try:
        settings.clips_dir.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(settings.clips_dir)
        if not lock.take(shutdown):
            return True
        recorder = Recorder(settings, context, bus, guard, shutdown, threads, lock)
    except FolderInUse as err:
        log.error("the recorder cannot start: %s", err)
        shutdown.fail(str(err), FOLDER_IN_USE_EXIT_CODE)
        return True
    except Exception as err:
        log.exception("the recorder cannot start")
        shutdown.fail(f"{type(err).__name__}: {err}"[:500])
        return True
    return recorder.run()  # the lock goes with the process
