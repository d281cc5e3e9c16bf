"""The composition root: makes the parts, starts them, waits for the end, ends them."""

import logging
import os
import secrets
import sys

import zmq

from preroll.addresses import without_password
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.guard import Guard, warn_of_exposed
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads
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


def run(settings: CaptureSettings) -> None:
    """Capture until a signal; ends the process with 0, or with another code when a part failed."""
    descriptors.raise_limit()
    shutdown = Shutdown()
    threads = Threads(shutdown)
    watch_signals(shutdown, threads)
    threads.limit_end()
    clock = SystemClock()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    take_short_turns()
    keys = settings.load_keys()
    guard = Guard(context, keys) if keys and settings.frames_bind else None
    if guard:
        guard.start(threads)
    bus = BusSender(
        context, settings.bus_connect, "capture", settings.camera_id, clock, keys.toward("api") if keys else None
    )
    logs = Logs("capture", settings.camera_id, settings.log_level)
    run_id = secrets.token_hex(8)
    numbering = Numbering(settings.camera_id, read_boot_id(), run_id, clock.unix_ns() - clock.monotonic_ns())

    bus.start(threads)
    logs.start(bus)
    warn_of_exposed(keys)
    if keys and (foreign := own_key.why_foreign(keys, settings.camera_id)):
        log.error("the recorder will refuse the frames: %s", foreign, extra=fields(camera_id=settings.camera_id))
    log.info(
        "capture starts",
        extra=fields(camera_id=settings.camera_id, run_id=run_id, source=without_password(settings.source)),
    )
    publisher = FramePublisher(
        context,
        settings.camera_id,
        settings.frames_connect,
        settings.frames_bind,
        keys.toward("recorder") if keys else None,
        guard.door("watch") if guard else None,
    )
    loop = CaptureLoop(
        lambda: open_source(settings, clock, shutdown), numbering, publisher, shutdown, settings.camera_id
    )
    status = StatusReport(settings.camera_id, run_id, settings.source, loop, numbering, clock)
    reading = threads.start_watched("capture loop", loop.run, settings.watchdog_s)
    reporting = threads.start("status", lambda: status.run(bus, shutdown))

    shutdown.wait()
    reading.join(LAST_READ_S)
    reporting.join(LAST_READ_S)
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
    logs.close()
    bus.close(timeout_s=0.5)
    if not reading.is_alive():
        publisher.close()
        if guard:
            guard.close()
        context.destroy(linger=200)
    # A thread that is still inside a driver's call would keep, or crash, an orderly end of the interpreter.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(shutdown.exit_code)
