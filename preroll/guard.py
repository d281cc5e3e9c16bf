"""The guard of the bound sockets: lets in the peers whose key may use the socket, and counts all others.

It answers libzmq's question who may connect (ZAP, https://rfc.zeromq.org/spec/27/) and hears of every handshake that
failed. It starts before anything is bound, and a socket that it protects refuses everybody while it is not there.

What a peer that was let in may say is judged where its messages are received: libzmq hands on the ZAP user id, which is the
peer's public key, with each part of a message. The key's name is what the folder says now, so a key that is removed or
replaced is no longer heard over connections that stand, either.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from preroll.keys import PUBLIC, Keys, KeysUnusable
from preroll.runtime.threads import Threads
from preroll.security.client_keys import ClientFiles, Clients
from preroll.security.permissions import DOMAINS, Domain, lets_in

log = logging.getLogger(__name__)

USER_ID: Final = "User-Id"
READ_EVERY_S: Final = 1.0
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
        self._files = ClientFiles(keys.folder / PUBLIC)
        self._clients = self._files.read()
        self._read_s = time.monotonic()
        self._unreadable = ""
        self._stop = threading.Event()
        self._monitors: queue.SimpleQueue[zmq.Socket[bytes]] = queue.SimpleQueue()
        self._protected = 0
        self._refused = 0
        self._told = 0
        self._told_s = -TOLD_EVERY_S
        self._last_at = ""
        self._last_key: dict[str, str] = {}
        self._zap = self._context.socket(zmq.REP)
        self._zap.linger = 0
        self._zap.bind(ZAP_ADDRESS)
        self._thread: threading.Thread | None = None

    @property
    def refused(self) -> int:
        """Connections that were turned away: without a key, with a wrong one, or that spoke no ZeroMQ."""
        return self._refused

    @property
    def clients(self) -> Clients:
        """Who is known; the same object for as long as nothing has changed."""
        return self._clients

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self._keys.folder

    def door(self, domain: Domain) -> "Door":
        """The way in to one socket."""
        return Door(self, domain)

    def start(self, threads: Threads) -> None:
        self._thread = threads.start("guard", self._run)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def protect(self, socket: zmq.Socket[Any], domain: Domain) -> None:
        """Let in who may use `domain` only, at what this socket binds from now on. On the socket's own thread."""
        socket.curve_secretkey = self._keys.server.secret
        socket.curve_publickey = self._keys.server.public
        socket.curve_server = True
        socket.zap_domain = domain.encode()
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        if not self._protected:  # by now logs are kept
            _warn_of(self._clients.faults)
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
            if time.monotonic() - self._read_s >= READ_EVERY_S:
                self._read()
            self._tell()
        for socket in (self._zap, *monitors):
            socket.close()
        while not self._monitors.empty():
            self._monitors.get_nowait().close()

    def _answer(self, request: list[bytes]) -> None:
        version, request_id = (*request[:2], b"", b"")[:2]
        user_id = self._user_of(request)
        status = (b"200", b"OK", user_id) if user_id else (b"400", b"no key for this socket", b"")
        self._zap.send_multipart([version, request_id, *status, b""])

    def _user_of(self, request: list[bytes]) -> bytes | None:
        """The peer's public key, if it may use that socket."""
        if len(request) != _ZAP_PARTS:
            return None
        asked, mechanism, key = request[2], request[5], request[6]
        domain = next((domain for domain in DOMAINS if domain.encode() == asked), None)
        if domain is None or mechanism != b"CURVE" or len(key) != 32:
            return None
        self._read()
        user_id = z85.encode(key)
        name = self._clients.by_key.get(user_id.decode())
        if name is None:
            return None
        if not lets_in(domain, name):
            self._last_key = {"key": name, "socket": domain}
            return None
        return user_id

    def _read(self) -> None:
        """Read anew who is known: a camera is added, or shut out, without a restart."""
        self._read_s = time.monotonic()
        try:
            clients = self._files.read()
        except KeysUnusable as err:
            if str(err) != self._unreadable:
                log.error("the keys are used as they were: %s", err)
            self._unreadable = str(err)
            return
        self._unreadable = ""
        if clients is not self._clients:
            _warn_of(fault for fault in clients.faults if fault not in self._clients.faults)
            self._clients = clients

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
            facts = {"bound": self._last_at, "refused": self._refused, **self._last_key}
            self._last_key = {}
            log.warning("peer refused", extra={"fields": facts})


class Door:
    """The way in to one socket: lets in who may use it, and says by whose key a message came."""

    def __init__(self, guard: Guard, domain: Domain) -> None:
        self._guard = guard
        self._domain = domain

    @property
    def clients(self) -> Clients:
        """Who is known; the same object for as long as nothing has changed."""
        return self._guard.clients

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self._guard.folder

    @property
    def refused(self) -> int:
        """Connections that were turned away, at any door of this guard."""
        return self._guard.refused

    def protect(self, socket: zmq.Socket[Any]) -> None:
        """As `Guard.protect`."""
        self._guard.protect(socket, self._domain)

    def name_at(self, part: zmq.Frame) -> str | None:
        """The name of the key by which a part of a message came, if that key may use this socket still."""
        name = self._guard.clients.by_key.get(user_of(part))
        return name if name is not None and lets_in(self._domain, name) else None


def user_of(part: zmq.Frame) -> str:
    """The public key with which the sender of a part was let in; empty for one that came by no guarded connection.

    To be asked at guarded sockets alone: in plaintext a peer may state any user id. Behind a guard it cannot: libzmq puts what
    ZAP answered before what the peer states of itself.
    """
    try:
        return str(part.get(USER_ID))
    except zmq.ZMQError:
        return ""


def warn_of_exposed(keys: Keys | None) -> None:
    """Log which files everybody on this machine can read or write that nobody should."""
    _warn_of(keys.exposed() if keys else ())


def _warn_of(faults: Iterable[str]) -> None:
    for fault in faults:
        log.warning("key file: %s", fault)


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
