"""The composition root: makes the parts, starts them, waits for the end, ends them."""

import logging
import secrets

import zmq

from preroll.addresses import without_password
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.guard import Guard, warn_of_exposed
from preroll.inflow import Inflow
from preroll.keys import Keys
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads, join_all
from preroll.turns import take_short_turns
from services.capture import own_key
from services.capture.loop import CaptureLoop
from services.capture.numbering import Numbering
from services.capture.publisher import FramePublisher
from services.capture.settings import CaptureSettings
from services.capture.sources.choice import open_source
from services.capture.status import StatusReport

log = logging.getLogger(__name__)

# A read that blocks in a driver or a library is waited for this long; then the process ends without it.
LAST_READ_S = 0.7


def main() -> int:
    """Capture by the settings in the environment, until a signal; the exit code."""
    settings = CaptureSettings.load_or_exit()
    descriptors.raise_limit()
    shutdown = Shutdown()
    threads = Threads(shutdown)
    watch_signals(shutdown, threads)
    threads.limit_end()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    take_short_turns()
    keys = settings.load_keys()
    guard = Guard(context, keys) if keys and settings.frames_bind else None
    if guard:
        guard.start(threads)
    bus = BusSender(
        context,
        settings.bus_connect,
        "capture",
        settings.camera_id,
        SystemClock(),
        keys.toward("api") if keys else None,
    )
    logs = Logs("capture", settings.camera_id, settings.log_level)
    bus.start(threads)
    logs.start(bus)
    warn_of_exposed(keys)
    if keys and (foreign := own_key.why_foreign(keys, settings.camera_id)):
        log.error("the recorder will refuse the frames: %s", foreign, extra=fields(camera_id=settings.camera_id))
    has_ended = _run(settings, context, bus, keys, guard, shutdown, threads)
    logs.close()
    if bus.close(timeout_s=0.5) and has_ended:
        if guard:
            guard.close()
        context.destroy(linger=200)
    return shutdown.exit_code


def _run(
    settings: CaptureSettings,
    context: zmq.Context[zmq.Socket[bytes]],
    bus: BusSender,
    keys: Keys | None,
    guard: Guard | None,
    shutdown: Shutdown,
    threads: Threads,
) -> bool:
    """Capture until the end is requested; whether the threads have ended. A failure is in the shutdown."""
    clock = SystemClock()
    run_id = secrets.token_hex(8)
    numbering = Numbering(settings.camera_id, read_boot_id(), run_id, clock.unix_ns() - clock.monotonic_ns())
    log.info(
        "capture starts",
        extra=fields(camera_id=settings.camera_id, run_id=run_id, source=without_password(settings.source)),
    )
    try:
        publisher = FramePublisher(
            context,
            settings.camera_id,
            settings.frames_connect,
            settings.frames_bind,
            keys.toward("recorder") if keys else None,
            guard.door("watch") if guard else None,
        )
    except zmq.ZMQError as err:
        log.error("the capture cannot start: %s", err, extra=fields(camera_id=settings.camera_id))
        shutdown.fail(str(err))
        return True
    loop = CaptureLoop(
        lambda: open_source(settings, clock, shutdown), numbering, publisher, shutdown, settings.camera_id
    )
    status = StatusReport(settings.camera_id, run_id, settings.source, loop, numbering, clock)
    if settings.frames_bind is not None and settings.frames_bind.startswith("tcp:"):
        inflow = Inflow({publisher.bound_port}, drain_s=0)
        threads.start("inflow", lambda: inflow.watch(shutdown, lambda: 0, lambda: True))
    working = [
        threads.start_watched("capture loop", loop.run, settings.watchdog_s),
        threads.start("status", lambda: status.run(bus, shutdown)),
    ]
    shutdown.wait()
    left = join_all(working, LAST_READ_S)
    log.info(
        "capture ends",
        extra=fields(
            camera_id=settings.camera_id,
            reason=shutdown.reason,
            frames=numbering.frames,
            rejected=numbering.rejected,
            bus_dropped=bus.dropped,
        ),
    )
    if not left:
        publisher.close()
    return not left
