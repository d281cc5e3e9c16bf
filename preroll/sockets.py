"""Every ZeroMQ socket of the system is made here, with each limit stated: nothing relies on a default.

A socket belongs to the thread that made it. `bind` and `connect` are where it gets its keys, if there are any.
"""

import os
import time
from typing import Any, Final, TypeVar

import zmq

from preroll import wire
from preroll.guard import Door
from preroll.keys import ClientKeys
from preroll.turns import Precedence

C = TypeVar("C", bound=zmq.Context[Any])

FRAMES_QUEUED: Final = 60  # about two seconds of one camera at 30 frames a second
BUS_QUEUED: Final = 10_000
HEARTBEAT_MS: Final = 2_000
HEARTBEAT_TIMEOUT_MS: Final = 6_000
RECONNECT_MS: Final = 100
RECONNECT_MAX_MS: Final = 2_000
HANDSHAKE_MS: Final = 2_000  # a connection that says nothing holds a descriptor for so long
BIND_WAIT_S: Final = 2.0
BIND_STEP_S: Final = 0.05
SUBSCRIPTION_MAX_BYTES: Final = 4 * 1024  # all that a subscriber sends
FRAME_PARTS_MAX_BYTES: Final = wire.FRAME_MAX_BYTES


def with_precedence(context: C, *, is_permitted: bool) -> C:
    """The context, which has no socket yet, with its own threads, that carry every frame and answer, going first.

    `is_permitted` is what `turns.go_first` said: libzmq ends the process where it is not.
    """
    if is_permitted:
        context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_RR)
        context.set(zmq.THREAD_PRIORITY, Precedence.FRAMES)
    return context


def publisher(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """PUB for one camera's frames. When a subscriber is slower than the queue, its frames are dropped, and it counts them."""
    socket = _plain(context, zmq.PUB, SUBSCRIPTION_MAX_BYTES)
    socket.sndhwm = FRAMES_QUEUED
    return socket


def subscriber(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """SUB for the frames of all cameras. The queue is per connected camera."""
    socket = _plain(context, zmq.SUB, FRAME_PARTS_MAX_BYTES)
    socket.rcvhwm = FRAMES_QUEUED
    return socket


def router(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """ROUTER for the requests of many REQ. Whoever uses it keeps each request's envelope and sends it with the answer.

    REP does that by itself, but when a peer has sent a message without an envelope and gone, it drops its answer to the
    next request of another (libzmq 4.3).
    """
    socket = _plain(context, zmq.ROUTER, wire.MESSAGE_MAX_BYTES)
    socket.rcvhwm = socket.sndhwm = 1_000
    return socket


def bus_sender(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """PUSH for logs, status and events; what is sent before the API is up waits here, to a bound."""
    socket = _plain(context, zmq.PUSH, wire.MESSAGE_MAX_BYTES)
    socket.sndhwm = BUS_QUEUED
    socket.linger = 500  # the last words of a service that ends
    return socket


def bus_receiver(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """PULL for logs, status and events of all services."""
    socket = _plain(context, zmq.PULL, wire.MESSAGE_MAX_BYTES)
    socket.rcvhwm = BUS_QUEUED
    return socket


def requester(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """REQ for commands or queries. After a deadline it is closed and a fresh one made."""
    socket = _plain(context, zmq.REQ, wire.FRAME_MAX_BYTES + wire.MESSAGE_MAX_BYTES)
    socket.rcvhwm = socket.sndhwm = 10
    return socket


def bell(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """DEALER that ends the wait of a ROUTER of the same process with one message that has no envelope."""
    socket = _plain(context, zmq.DEALER, wire.MESSAGE_MAX_BYTES)
    socket.sndhwm = 1
    socket.linger = 200
    return socket


def bind(socket: zmq.Socket[Any], address: str, door: Door | None = None) -> None:
    """Bind; behind the guard's door, where there is one. An address that a process at its end still has is waited for."""
    if door is not None:
        door.protect(socket)
    deadline_s = time.monotonic() + BIND_WAIT_S
    while True:
        try:
            socket.bind(address)
        except zmq.ZMQError as err:
            if err.errno != zmq.EADDRINUSE or time.monotonic() > deadline_s:
                raise
            time.sleep(BIND_STEP_S)
        else:
            return


def connect(socket: zmq.Socket[Any], address: str, keys: ClientKeys | None = None) -> None:
    """Connect; encrypted and to that very server, where there are keys."""
    if keys is not None:
        socket.curve_secretkey = keys.own.secret
        socket.curve_publickey = keys.own.public
        socket.curve_serverkey = keys.server_public
    socket.connect(address)


def bound_port(socket: zmq.Socket[bytes]) -> int:
    """The TCP port that a socket is bound to (of use after binding to port 0)."""
    endpoint = socket.last_endpoint
    assert isinstance(endpoint, bytes)
    return int(endpoint.rsplit(b":", 1)[1])


def discard_parts(socket: zmq.Socket[bytes]) -> int:
    """Take the parts of a message that are left, one by one, and keep none; how many."""
    count = 1
    while socket.recv(copy=False).more:
        count += 1
    return count


def poll(socket: zmq.Socket[bytes], timeout_s: float) -> bool:
    """Whether a message is there within `timeout_s` seconds."""
    return bool(socket.poll(max(0, round(timeout_s * 1000)), zmq.POLLIN))


def request(
    context: zmq.Context[zmq.Socket[bytes]],
    address: str,
    message: bytes,
    timeout_s: float,
    keys: ClientKeys | None = None,
) -> bytes | None:
    """One request and its answer over a socket of its own, or `None` when none came in time."""
    deadline = time.monotonic() + timeout_s
    with requester(context) as socket:
        connect(socket, address, keys)
        if not socket.poll(round(timeout_s * 1000), zmq.POLLOUT):
            return None
        socket.send(message)
        return socket.recv() if poll(socket, deadline - time.monotonic()) else None


def _plain(context: zmq.Context[zmq.Socket[bytes]], kind: int, max_bytes: int) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = max_bytes
    socket.ipv6 = True
    socket.immediate = kind == zmq.REQ
    socket.heartbeat_ivl = HEARTBEAT_MS
    socket.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
    socket.heartbeat_ttl = HEARTBEAT_TIMEOUT_MS
    socket.reconnect_ivl = RECONNECT_MS
    socket.reconnect_ivl_max = RECONNECT_MAX_MS
    socket.handshake_ivl = HANDSHAKE_MS
    return socket
