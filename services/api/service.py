"""Puts the API together and runs it."""

import asyncio
import logging
import socket
import sys

import uvicorn
import zmq
import zmq.asyncio

from preroll import sockets
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.guard import Guard, on_duty, warn_of_exposed
from preroll.keys import Keys as CurveKeys
from preroll.linux import descriptors
from preroll.logs import Logs, fields
from preroll.process import Shutdown, exempt_from_collection
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads
from preroll.runtime.watchdog import Heartbeat
from preroll.turns import Precedence, go_first, take_short_turns
from services.api.access import Keys
from services.api.app import create_app, layered
from services.api.bus_receiver import BusReceiver
from services.api.connections import Connections
from services.api.guard import Gate
from services.api.listener import bound_to
from services.api.live import Live
from services.api.parts import Parts
from services.api.readiness import ReadinessCheck
from services.api.recorder_client import RecorderClient
from services.api.seats import Seats
from services.api.server import Server, room_for
from services.api.session_file import SessionFile
from services.api.settings import ApiSettings
from services.api.sources import SharedSources
from services.api.stream import Stream

log = logging.getLogger(__name__)

MB = 1_000_000
SWITCH_S = 0.001
LOOP_LIMIT_S = 60.0
BEAT_S = 0.5
GRACE_S = 5
LISTS_MAX = 16
ARCHIVES_MAX = 16  # each has a thread busy with the disk
CUT_OFF_S = 4  # after which clients that take nothing are cut off: what is open after GRACE_S is told as a failure


async def serve(settings: ApiSettings, shutdown: Shutdown, threads: Threads) -> None:
    """Serve until the shutdown is requested."""
    keys = settings.load_keys()
    is_permitted = go_first(Precedence.ANSWERS)
    context = sockets.with_precedence(zmq.asyncio.Context(), is_permitted=is_permitted)
    try:
        with on_duty(context, keys, threads) as guard, threads.watching("event loop", LOOP_LIMIT_S) as heartbeat:
            beating = asyncio.create_task(_beat(heartbeat), name="heartbeat")
            try:
                await _serve(settings, shutdown, threads, context, keys, guard)
            finally:
                beating.cancel()
    finally:
        context.destroy(linger=0)


async def _beat(heartbeat: Heartbeat) -> None:
    """An event loop that a call blocks answers nobody, and looks alive."""
    while True:
        heartbeat.beat()
        await asyncio.sleep(BEAT_S)


async def _serve(
    settings: ApiSettings,
    shutdown: Shutdown,
    threads: Threads,
    context: zmq.asyncio.Context,
    keys: CurveKeys | None,
    guard: Guard | None,
) -> None:
    clock = SystemClock()
    stream = Stream(settings.log_memory, settings.log_memory_mb * MB, settings.max_log_clients)
    recorder = RecorderClient(
        context,
        settings.control_connect,
        settings.query_connect,
        settings.recorder_timeout_s,
        keys.toward("recorder") if keys else None,
    )
    most = room_for(settings.max_connections, descriptors.limit())
    if most < settings.max_connections:
        log.warning(
            "fewer connections are taken: the limit of descriptors is too low",
            extra=fields(connections=most, wanted=settings.max_connections, descriptors=descriptors.limit()),
        )
    connections = Connections(most, settings.send_timeout_s, SharedSources(settings.trusted_proxies))
    boot_id = read_boot_id()
    access = Keys(settings.operate_secret, settings.look_secret)
    parts = Parts(
        settings=settings,
        clock=clock,
        boot_id=boot_id,
        shutdown=shutdown,
        connections=connections,
        recorder=recorder,
        bus=BusReceiver(context, settings.bus_bind, stream, guard.door("bus") if guard else None),
        stream=stream,
        live=Live(recorder, settings.live_fps, settings.max_live_clients),
        archives=Seats(ARCHIVES_MAX, f"{ARCHIVES_MAX} archives are being sent already"),
        lists=Seats(LISTS_MAX, f"{LISTS_MAX} long lists are being sent already"),
        converting=asyncio.Lock(),
        gate=Gate(access, SessionFile(settings.state_dir if access.are_set else None)),
        readiness=ReadinessCheck(recorder, clock, boot_id),
    )
    server = Server(
        uvicorn.Config(
            layered(create_app(parts), parts),
            http="h11",
            ws="none",
            lifespan="on",
            proxy_headers=False,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
            h11_max_incomplete_event_size=64 * 1024,
        ),
        bound_to(settings.host, settings.port),
        connections,
    )
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True
        parts.stream.wake()
        parts.live.wake()
        loop.call_later(CUT_OFF_S, connections.abort_all)

    def end_soon() -> None:
        loop.call_soon_threadsafe(end)

    shutdown.call_on_request(end_soon)
    threads.start("inflow", lambda: parts.bus.watch_inflow(shutdown))
    exempt_from_collection()
    log.info("api listens", extra=fields(host=settings.host, port=settings.port))
    await server.serve()
    if not shutdown.requested:
        shutdown.fail("the HTTP server ended")


def main() -> int:
    """Run the API by the settings in the environment; its exit code."""
    settings = ApiSettings.load_or_exit()
    descriptors.raise_limit()
    take_short_turns()
    # What makes long lists into JSON in a thread gives the loop, which carries triggers, its turn as soon as it asks.
    sys.setswitchinterval(SWITCH_S)
    host = socket.gethostname()
    shutdown = Shutdown()
    threads = Threads(shutdown)
    watch_signals(shutdown, threads)
    threads.limit_end()
    logs = Logs("api", host, settings.log_level)
    own_bus = settings.bus_bind.replace("://0.0.0.0:", "://127.0.0.1:").replace("://*:", "://127.0.0.1:")
    keys = settings.load_keys()
    context = zmq.Context[zmq.Socket[bytes]]()
    bus = BusSender(context, own_bus, "api", host, SystemClock(), keys.toward("api") if keys else None)
    bus.start(threads)
    logs.start(bus)
    warn_of_exposed(keys)
    try:
        # ZeroMQ needs a loop that watches sockets; that of Windows by default does not.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(serve(settings, shutdown, threads))
    except (Exception, SystemExit) as err:  # uvicorn ends by SystemExit where it cannot listen
        log.exception("the API cannot go on")
        shutdown.fail(f"{type(err).__name__}: {err}"[:500])
    log.info("api ends", extra=fields(reason=shutdown.reason))
    logs.close()
    if bus.close():
        context.destroy()
    return shutdown.exit_code
