"""The guard of the bound sockets: lets in the peers whose public key is known, and counts all others.

It answers libzmq's question who may connect (ZAP, https://rfc.zeromq.org/spec/27/) and hears of every handshake that
failed. It starts before anything is bound, and a socket that it protects refuses everybody while it is not there.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from preroll.keys import Keys, KeysUnusable
from preroll.runtime.threads import Threads

log = logging.getLogger(__name__)

DOMAIN: Final = b"preroll"
ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
POLL_MS: Final = 100
TOLD_EVERY_S: Final = 1.0
_FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_ZAP_PARTS: Final = 7


class Guard:
    """Guards the bound sockets of one context, on a thread of its own."""

    def __init__(self, context: zmq.Context[Any], keys: Keys) -> None:
        # A shadow, because the sockets of an asyncio context want an event loop.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(context.underlying)
        self._keys = keys
        self._clients = keys.clients()
        self._stop = threading.Event()
        self._monitors: queue.SimpleQueue[zmq.Socket[bytes]] = queue.SimpleQueue()
        self._protected = 0
        self._refused = 0
        self._told = 0
        self._told_s = -TOLD_EVERY_S
        self._last_at = ""
        self._zap = self._context.socket(zmq.REP)
        self._zap.linger = 0
        self._zap.bind(ZAP_ADDRESS)
        self._thread: threading.Thread | None = None

    @property
    def refused(self) -> int:
        """Connections that were turned away: without a key, with a wrong one, or that spoke no ZeroMQ."""
        return self._refused

    def start(self, threads: Threads) -> None:
        self._thread = threads.start("guard", self._run)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def protect(self, socket: zmq.Socket[Any]) -> None:
        """Let in known peers only, at what this socket binds from now on. On the socket's own thread."""
        socket.curve_secretkey = self._keys.server.secret
        socket.curve_publickey = self._keys.server.public
        socket.curve_server = True
        socket.zap_domain = DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._protected += 1
        address = f"inproc://guard-{id(self)}-{self._protected}"
        socket.monitor(address, _FAILED | zmq.EVENT_MONITOR_STOPPED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.linger = 0
        monitor.rcvhwm = 0  # a full queue would make libzmq's own thread wait
        monitor.connect(address)
        self._monitors.put(monitor)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        monitors: set[zmq.Socket[bytes]] = set()
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                while True:
                    monitor = self._monitors.get_nowait()
                    monitors.add(monitor)
                    poller.register(monitor, zmq.POLLIN)
            for socket, _ in poller.poll(POLL_MS):
                if socket is self._zap:
                    self._answer(self._zap.recv_multipart())
                elif not self._hears(socket):
                    poller.unregister(socket)
                    monitors.discard(socket)
                    socket.close()
            self._tell()
        for socket in (self._zap, *monitors):
            socket.close()
        while not self._monitors.empty():
            self._monitors.get_nowait().close()

    def _answer(self, request: list[bytes]) -> None:
        version, request_id = (*request[:2], b"", b"")[:2]
        name = self._name_of(request)
        status = (b"200", b"OK", name.encode()) if name else (b"400", b"no known key", b"")
        self._zap.send_multipart([version, request_id, *status, b""])

    def _name_of(self, request: list[bytes]) -> str | None:
        if len(request) != _ZAP_PARTS:
            return None
        domain, mechanism, key = request[2], request[5], request[6]
        if domain != DOMAIN or mechanism != b"CURVE" or len(key) != 32:
            return None
        try:
            self._clients = self._keys.clients()  # read anew: a camera is added, or shut out, without a restart
        except KeysUnusable as err:
            log.error("the keys are used as they were: %s", err)
        return self._clients.get(z85.encode(key))

    def _hears(self, monitor: zmq.Socket[bytes]) -> bool:
        event = parse_monitor_message(monitor.recv_multipart())
        if event["event"] == zmq.EVENT_MONITOR_STOPPED:
            return False
        self._refused += 1
        self._last_at = event["endpoint"].decode(errors="replace")
        return True

    def _tell(self) -> None:
        """Log what was refused: at most one line a second, however many come, and the last count in the end."""
        now_s = time.monotonic()
        if self._refused > self._told and now_s - self._told_s >= TOLD_EVERY_S:
            self._told, self._told_s = self._refused, now_s
            log.warning("peer refused", extra={"fields": {"bound": self._last_at, "refused": self._refused}})


@contextlib.contextmanager
def on_duty(context: zmq.Context[Any], keys: Keys | None, threads: Threads) -> Iterator[Guard | None]:
    """A guard for as long as the block lasts; none without keys. What it protects is to be closed before it goes."""
    if keys is None:
        yield None
        return
    guard = Guard(context, keys)
    guard.start(threads)
    try:
        yield guard
    finally:
        guard.close()
