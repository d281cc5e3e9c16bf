"""Accepts connections within their bounds, and serves each with uvicorn's HTTP/1.1, whose own acceptance has none.

asyncio's logs every failed accept, thousands in a second, once the process has no descriptor left; and it knows nothing
of a connection until its TLS handshake is through.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.api.connections import TLS_S, Connection, Connections, Peer, State

BACKLOG: Final = 2048
RETRY_S: Final = 0.2
SWEEP_S: Final = 1.0
ACCEPTS_MAX: Final = (
    64  # in one turn of the loop, so that requests have theirs, and are read before others push them out
)
# What a stranger sends is not worth a line each: uvicorn warns of every malformed request. They are counted.
_QUIET: Final = logging.getLogger(f"{__name__}.uvicorn")
_QUIET.setLevel(logging.ERROR)
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def bound_to(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for every address of `host`; `OSError` names the address that cannot be had."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listening: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listening.append(socket.create_server(address, family=family, backlog=BACKLOG))
            except OSError as err:
                if err.errno != errno.EAFNOSUPPORT or len(found) == 1:
                    raise
    except OSError:
        for own in listening:
            own.close()
        raise
    return listening


class Http(H11Protocol):
    """uvicorn's HTTP/1.1 for one connection, of which it says what it waits for."""

    def __init__(self, connection: Connection, connections: Connections, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._connection = connection
        self._connections = connections
        self.logger = _QUIET

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._connection.transport = transport
        self._connection.state = self._state

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self._connection)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._connection.answered += 1
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._connections.malformed += 1
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.abort()  # an answer has begun: no other can follow

    def _state(self) -> State:
        answered = self._connection.answered
        if self.conn.their_state is h11.SEND_BODY:
            return "body", answered
        if unsent := self.transport.get_write_buffer_size():
            return "reader", unsent
        if self.conn.their_state is h11.IDLE:
            return "request", answered
        return None, answered


class Listener:
    """The listening sockets of the API, and the acceptance of what comes to them. Used from one event loop."""

    def __init__(self, listening: list[socket.socket], connections: Connections) -> None:
        self._listening = listening
        self._connections = connections
        self._opening: set[asyncio.Task[None]] = set()
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def start(self, protocol: Callable[[Connection], H11Protocol], context: ssl.SSLContext | None) -> None:
        """Serve each connection with a `protocol` of its own, over TLS where there is a context."""
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._tls: dict[str, Any] = {}
        if context is not None:
            self._tls = {"ssl": context, "ssl_handshake_timeout": 2 * TLS_S, "ssl_shutdown_timeout": TLS_S}
        for listening in self._listening:
            listening.setblocking(False)
            self._watch(listening)
        self._sweep()

    def close(self) -> None:
        """Accept nothing any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for listening in self._listening:
            if listening in self._resting:
                self._resting.pop(listening).cancel()
            else:
                self._loop.remove_reader(listening)
            listening.close()
        self._listening.clear()

    async def wait_closed(self) -> None:
        """End the handshakes that are under way."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        await asyncio.sleep(0)  # their sockets are closed in the loop's next turn

    def _watch(self, listening: socket.socket) -> None:
        self._resting.pop(listening, None)
        self._loop.add_reader(listening, self._accept, listening)

    def _rest(self, listening: socket.socket) -> None:
        """Leave the next ones in the kernel's queue for a moment: the socket stays readable all the while."""
        self._loop.remove_reader(listening)
        self._resting[listening] = self._loop.call_later(RETRY_S, self._watch, listening)

    def _accept(self, listening: socket.socket) -> None:
        connections = self._connections
        for number in range(ACCEPTS_MAX):
            if connections.is_full:
                if number:
                    return  # the loop calls again at once if there is one more
                if not connections.cut_idle(self._loop.time()):
                    self._rest(listening)
                    return
            try:
                own, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as err:
                connections.failed_accepts += 1
                if err.errno in _EXHAUSTED:
                    connections.cut_idle(self._loop.time())
                    self._rest(listening)
                    return
                continue  # an error of that connection, which ended before it was accepted (accept(2))
            self._open(own, (str(address[0]), int(address[1])))

    def _open(self, own: socket.socket, peer: Peer) -> None:
        now_s = self._loop.time()
        connection = Connection(own, peer, now_s)
        if self._connections.admit(connection, now_s):
            task = self._loop.create_task(self._serve(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _serve(self, connection: Connection) -> None:
        connection.opening = asyncio.current_task()
        try:
            await self._loop.connect_accepted_socket(lambda: self._protocol(connection), connection.socket, **self._tls)
        except (OSError, asyncio.CancelledError):  # no TLS, gone already, or cut
            self._connections.remove(connection)
        finally:
            connection.opening = None

    def _sweep(self) -> None:
        self._connections.sweep(self._loop.time())
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)
