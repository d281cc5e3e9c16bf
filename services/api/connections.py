"""The open connections: how many there may be, how long one may keep the API waiting, and which is cut for another.

A connection that waits for nothing but its own peer is *idle*: in its TLS handshake, without a whole request, or with an
answer that the peer does not take. Rules: each such wait has a limit. Where all places are taken, the idle ones that have
waited longest are cut, first those that never had an answer, first of the source that has most connections; one that has
waited for less than a second only when there is no other. So the next one gets in, and has the time to say what it wants,
however many a stranger holds. A connection whose request is being answered is never cut for another.

uvicorn itself has no such limits, and closes politely, which waits for the peer to take what is buffered: a stalled one
never does. Used from one event loop.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from preroll.logs import fields
from services.api.sources import SharedSources, source_of

log = logging.getLogger(__name__)

STREAM_SEND_BYTES: Final = 128 * 1024
TLS_S: Final = 5.0
REQUEST_S: Final = 10.0  # from the connection, or the answer before, to the end of the headers
BODY_S: Final = 20.0
FRESH_S: Final = 1.0
BATCH: Final = 8  # of so many places, one is made free when there is none
TELL_S: Final = 60.0

Wait = Literal["tls", "request", "body", "reader"]
Reason = Literal["tls", "request", "body", "reader", "room", "source"]
REASONS: Final[tuple[Reason, ...]] = ("tls", "request", "body", "reader", "room", "source")
State = tuple[Wait | None, int]  # what it waits for, and a number that changes with any progress
Peer = tuple[str, int]
_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ClientStalled(OSError):
    """A client has read nothing for the whole time limit; its connection was cut."""


class Connection:
    """One accepted socket, from its acceptance to its end."""

    def __init__(self, own: socket.socket, peer: Peer, now_s: float) -> None:
        self.socket = own
        self.peer = peer
        self.source = source_of(peer[0])
        self.answered = 0
        self.opening: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.state: Callable[[], State] = lambda: ("tls", 0)  # until there is a protocol, which tells more
        self.since_s = now_s
        self._seen: State = ("tls", 0)

    def wait(self, now_s: float) -> Wait | None:
        """What it waits for, since `since_s`; to be asked at least once a second."""
        state = self.state()
        if state != self._seen:
            self._seen, self.since_s = state, now_s
        return state[0]

    def abort(self) -> None:
        """Cut it, and have the kernel drop what the peer has not taken, instead of offering it for minutes more."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
        else:
            self.socket.close()


class Connections:
    """Every open connection, by the peer's address and port."""

    def __init__(self, most: int, send_timeout_s: float, shared: SharedSources) -> None:
        """At most `most` connections, and half as many of one source that is not `shared`."""
        self.most = most
        self.most_of_source = max(1, most // 2)
        self.cut: Counter[Reason] = Counter()
        self.malformed = 0
        self.failed_accepts = 0
        self._limit_s: Final[dict[Wait, float]] = {
            "tls": TLS_S,
            "request": REQUEST_S,
            "body": BODY_S,
            "reader": send_timeout_s,
        }
        self._shared = shared
        self._open: dict[Peer, Connection] = {}
        self._of_source: Counter[str] = Counter()
        self._told: dict[str, int] = {}
        self._told_s = -TELL_S

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        return len(self._open) >= self.most

    def cut_idle(self, now_s: float) -> bool:
        """Cut some idle connections to make room; false when there is none."""
        return self._cut_idle(self._open.values(), now_s, "room")

    def admit(self, connection: Connection, now_s: float) -> bool:
        """Take in a connection that was accepted. False, and it is cut, when its source has too many, all of them busy."""
        source = connection.source
        if self._of_source[source] >= self.most_of_source and connection.peer[0] not in self._shared:
            own = [other for other in self._open.values() if other.source == source]
            if not self._cut_idle(own, now_s, "source"):
                self.cut["source"] += 1
                connection.abort()
                return False
        former = self._open.get(connection.peer)
        if former is not None:  # has ended, and the loop has not noticed yet
            self.remove(former)
        self._open[connection.peer] = connection
        self._of_source[source] += 1
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended; nothing when it is forgotten already."""
        if self._open.get(connection.peer) is connection:
            del self._open[connection.peer]
            self._of_source[connection.source] -= 1
            if not self._of_source[connection.source]:
                del self._of_source[connection.source]

    def sweep(self, now_s: float) -> None:
        """Cut what has kept us waiting beyond its limit. To be called once a second."""
        for connection in list(self._open.values()):
            wait = connection.wait(now_s)
            if wait is not None and now_s - connection.since_s > self._limit_s[wait]:
                self._cut(connection, wait)
        self._tell(now_s)

    def abort(self, peer: Any) -> None:
        """Cut the connection of a request's `scope["client"]`; nothing when it is gone."""
        connection = self._of(peer)
        if connection is not None:
            self._cut(connection, "reader")

    def bound_sending(self, peer: Any) -> None:
        """Have the kernel hold little for a peer that follows a stream.

        It would hold some megabytes: memory that nobody counts, for a slow one pictures that are seconds old, and for
        one that reads nothing a long time until it is noticed.
        """
        connection = self._of(peer)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SEND_BYTES)

    def abort_all(self) -> None:
        for connection in list(self._open.values()):
            connection.abort()

    def _of(self, peer: Any) -> Connection | None:
        return self._open.get((str(peer[0]), int(peer[1]))) if peer else None

    def _cut_idle(self, among: Iterable[Connection], now_s: float, reason: Reason) -> bool:
        idle = [(connection, wait) for connection in among if (wait := connection.wait(now_s)) is not None]
        # Many at a time, since a flood makes each search follow upon the last.
        idle.sort(key=lambda each: self._turn(each[0], each[1], now_s))
        for connection, _ in idle[: max(1, self.most // BATCH)]:
            self._cut(connection, reason)
        return bool(idle)

    def _turn(self, connection: Connection, wait: Wait, now_s: float) -> tuple[bool, bool, bool, int, float]:
        since_s = connection.since_s
        if now_s - since_s < FRESH_S:
            return wait == "reader", True, False, 0, since_s
        return wait == "reader", False, connection.answered > 0, -self._of_source[connection.source], since_s

    def _cut(self, connection: Connection, reason: Reason) -> None:
        self.cut[reason] += 1
        connection.abort()
        self.remove(connection)

    def _tell(self, now_s: float) -> None:
        """One line a minute at most, with all that came since: a stranger must not fill the log either."""
        counted: dict[str, int] = {"malformed": self.malformed, "not_accepted": self.failed_accepts}
        counted.update(self.cut.items())
        news = {name: count - self._told.get(name, 0) for name, count in counted.items()}
        news = {name: count for name, count in news.items() if count}
        if news and now_s - self._told_s >= TELL_S:
            self._told, self._told_s = counted, now_s
            log.warning("connections were cut or refused", extra=fields(open=len(self), limit=self.most, **news))
