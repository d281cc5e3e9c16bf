"""The sending end of the bus: logs, status and events on their way to the API.

Any thread may `send`; it never blocks. One thread owns the socket. When the queue is full the message is dropped and
counted, and the receiver sees the hole in the numbers.
"""

import contextlib
import logging
import queue
import secrets
import threading
from collections.abc import Callable
from typing import Final

import zmq

from preroll import sockets, wire
from preroll.clock import Clock
from preroll.keys import ClientKeys
from preroll.runtime.threads import Threads

log = logging.getLogger(__name__)

QUEUED_MAX: Final = 5_000
_END: Final = None

Stamped = dict[str, str | int]


class BusSender:
    """Numbers and sends messages to the API's bus.

    `service` and `instance` name the sender. A message is built by the caller from the stamp it is given:
    `bus.send(lambda stamp: wire.EventDeleted(**stamp, event_id=…, reason="asked"))`.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        connect: str,
        service: wire.Service,
        instance: str,
        clock: Clock,
        keys: ClientKeys | None = None,
    ) -> None:
        self._context = context
        self._connect = connect
        self._keys = keys
        self._service = service
        self._instance = instance
        self._clock = clock
        self._sender_id = secrets.token_hex(8)
        self._number = 0
        self._dropped = 0
        self._is_told = False
        self._lock = threading.Lock()
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED_MAX)
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Messages that were dropped: the queue was full, or they could not be built."""
        return self._dropped

    def start(self, threads: Threads) -> None:
        self._thread = threads.start("bus", self._run)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Send what is queued, as far as `timeout_s` allows, and end; false when the thread is still at it."""
        with contextlib.suppress(queue.Full):
            self._queue.put(_END, timeout=timeout_s)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def send(self, build: Callable[[Stamped], wire.BusMessage]) -> None:
        """Queue the message that `build` makes from its stamp. Never blocks and raises nothing.

        What cannot be built, or finds the queue full, is dropped and counted.
        """
        with self._lock:
            number = self._number
            self._number += 1
        stamp: Stamped = {
            "service": self._service,
            "instance": self._instance,
            "sender_id": self._sender_id,
            "number": number,
            "unix_ns": self._clock.unix_ns(),
        }
        try:
            self._queue.put_nowait(wire.encode(build(stamp)))
        except queue.Full:
            self._dropped += 1
        except Exception as err:
            self._dropped += 1
            if not self._is_told:
                self._is_told = True  # first: the line that says so comes here as well
                log.exception("bus message cannot be built, further ones are only counted: %s", type(err).__name__)

    def _run(self) -> None:
        with sockets.bus_sender(self._context) as socket:
            sockets.connect(socket, self._connect, self._keys)
            while (data := self._queue.get()) is not _END:
                try:
                    socket.send(data, zmq.DONTWAIT)
                except zmq.ZMQError:  # full, mostly; whatever it is, it must not cost the messages that follow
                    self._dropped += 1
