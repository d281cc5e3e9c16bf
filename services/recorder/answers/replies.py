"""The answering ends of the recorder: bytes in, one reply out, always; also to bytes that are no message.

Nothing that a peer sends or does ends one, and no error of what follows an answer: each is counted and logged.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Final

import zmq

from preroll import sockets, wire
from preroll.guard import Door
from preroll.logs import fields
from preroll.process import Shutdown
from preroll.runtime.chore import Chore
from preroll.runtime.watchdog import Heartbeat
from services.recorder.events.rules import CommandRejected
from services.recorder.store.database import IndexUnavailable

log = logging.getLogger(__name__)

POLL_S: Final = 1.0  # each look costs about what a frame does; the end is told
PARTS_MAX: Final = 32  # of a request: an envelope, of one part a hop, and the message
QUIET_S: Final = 0.01  # an answer's way to who asked; what follows it competes for the processor


class ReplyLoop:
    """One socket that answers REQ. `answer` turns the request's bytes into a reply; what it raises becomes a refusal."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        bind: str,
        answer: Callable[[bytes], wire.Reply],
        door: Door | None = None,
        after_answers: Callable[[], None] | None = None,
    ) -> None:
        """`after_answers` is called when answers have gone out and no further request has come for `QUIET_S`."""
        self._context = context
        self._answer = answer
        self._door = door
        self._after_answers = Chore("what follows an answer", after_answers) if after_answers else None
        self.answered = 0
        self.refused = 0
        self._answer_next = Chore("an answer", self._answer_one)
        self._socket = sockets.router(context)
        sockets.bind(self._socket, bind, door)
        self.port = sockets.bound_port(self._socket) if bind.startswith("tcp:") else 0
        self._bell = f"inproc://replies-{id(self)}"
        self._socket.bind(self._bell)

    def run(self, shutdown: Shutdown, heartbeat: Heartbeat) -> None:
        """Answer until the shutdown is requested; a request that came before it is answered still."""
        shutdown.call_on_request(self._ring)
        try:
            is_followed = True
            while not shutdown.requested:
                heartbeat.beat()
                if sockets.poll(self._socket, POLL_S if is_followed else QUIET_S):
                    self._answer_next()
                    is_followed = self._after_answers is None
                elif not is_followed and self._after_answers is not None:
                    self._after_answers()
                    is_followed = True
        finally:
            self._socket.close(linger=200)

    def _ring(self) -> None:
        """End the wait. From any thread; what arrives has no envelope, and so it is no request."""
        # Where that fails, for want of a descriptor say, the wait ends by itself within `POLL_S`.
        with contextlib.suppress(zmq.ZMQError), sockets.bell(self._context) as bell:
            sockets.connect(bell, self._bell)
            bell.send(b"end", zmq.DONTWAIT)

    def _answer_one(self) -> None:
        parts, count = self._receive()
        frames = [part.bytes for part in parts]
        if b"" not in frames:
            self.refused += 1  # no envelope: nobody to answer
            return
        if self._door is not None and self._door.name_at(parts[-1]) is None:
            self.refused += 1  # the key was removed after it had been let in
            return
        begin = frames.index(b"") + 1
        reply = self._reply_to(frames[begin:], count - begin)
        self.answered += 1
        if isinstance(reply, wire.Refused):
            self.refused += 1
        self._socket.send_multipart([*frames[:begin], _encoded(reply)])

    def _receive(self) -> tuple[list[zmq.Frame], int]:
        """The next message's parts, of too many the first ones; and how many they were."""
        parts = [self._socket.recv(copy=False)]
        count = 1
        while self._socket.getsockopt(zmq.RCVMORE):
            part = self._socket.recv(copy=False)
            count += 1
            if count <= PARTS_MAX:
                parts.append(part)
        return parts, count

    def _reply_to(self, parts: list[bytes], count: int) -> wire.Reply:
        try:
            if count != 1:
                return wire.Refused(code="malformed", message=f"a request of {count} parts instead of 1")
            return self._answer(parts[0])
        except wire.WireError as err:
            return wire.Refused(code="malformed", message=str(err))
        except CommandRejected as err:
            return err.refusal
        except IndexUnavailable as err:
            return wire.Refused(code="index_unavailable", message=str(err)[:1000])
        except Exception as err:
            log.exception("request failed", extra=fields(error=str(err)))
            return wire.Refused(code="internal", message=f"{type(err).__name__}: {err}"[:1000])


def _encoded(reply: wire.Reply) -> bytes:
    try:
        return wire.encode(reply)
    except Exception as err:
        log.exception("reply cannot be sent")
        return wire.encode(wire.Refused(code="internal", message=f"{type(err).__name__}: {err}"[:1000]))
