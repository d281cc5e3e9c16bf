"""Asks the recorder, and does not wait for ever.

A REQ socket that got no answer cannot be used again: it is closed and a fresh one made. A retry is safe, since commands
carry an id of the caller's making, and everything else may be said twice.
"""

import asyncio
import logging
import secrets
import time
from typing import Final

import zmq
import zmq.asyncio

from preroll import sockets, wire
from preroll.keys import ClientKeys
from services.api import problems

log = logging.getLogger(__name__)

IDLE_SOCKETS: Final = 8
IN_FLIGHT_MAX: Final = 64
TRIES: Final = 2


def new_command_id() -> str:
    """An id for one command: asked twice, the answer being late, the recorder carries it out once."""
    return secrets.token_hex(8)


class RecorderLine:
    """Requests to one REP address of the recorder, from one event loop."""

    def __init__(self, context: zmq.asyncio.Context, address: str, timeout_s: float, keys: ClientKeys | None) -> None:
        self._context = context
        self._keys = keys
        self._address = address
        self._timeout_s = timeout_s
        self._idle: list[zmq.asyncio.Socket] = []
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.timeouts = 0

    async def ask(self, message: wire.Command | wire.Query) -> wire.Reply:
        """The recorder's reply; `Problem` 503 when none came in time, or the refusal as a problem."""
        deadline = time.monotonic() + self._timeout_s
        data = wire.encode(message)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._room.acquire()
        except TimeoutError:
            raise self._away() from None
        try:
            for tries_left in reversed(range(TRIES)):
                left_s = deadline - time.monotonic()
                answer = await self._try(data, left_s / (tries_left + 1))
                if answer is not None:
                    return self._understood(answer)
        except zmq.ZMQError as err:  # no socket is to be had: descriptors, or the context's own limit
            raise problems.recorder_away(f"the recorder cannot be asked: {err.strerror}") from err
        finally:
            self._room.release()
        raise self._away()

    def _away(self) -> problems.Problem:
        return problems.recorder_away(f"the recorder did not answer within {self._timeout_s:g} s")

    def close(self) -> None:
        for socket in self._idle:
            socket.close()
        self._idle.clear()

    async def _try(self, data: bytes, timeout_s: float) -> bytes | None:
        socket = self._idle.pop() if self._idle else self._fresh()
        answer: bytes | None = None
        try:
            async with asyncio.timeout(max(0.01, timeout_s)):
                await socket.send(data)
                answer = await socket.recv()
        except TimeoutError:
            self.timeouts += 1
        finally:
            if answer is not None and len(self._idle) < IDLE_SOCKETS:
                self._idle.append(socket)
            else:
                socket.close()
        return answer

    def _fresh(self) -> zmq.asyncio.Socket:
        socket = sockets.requester(self._context)  # type: ignore[arg-type]
        sockets.connect(socket, self._address, self._keys)
        return socket  # type: ignore[return-value]

    @staticmethod
    def _understood(answer: bytes) -> wire.Reply:
        try:
            reply = wire.decode_reply(answer)
        except wire.WireError as err:
            log.error("the recorder's answer is no message: %s", err)
            raise problems.recorder_away("the recorder's answer was not understood") from err
        if isinstance(reply, wire.Refused):
            raise problems.refused(reply)
        return reply


class RecorderClient:
    """Everything that the API asks of the recorder."""

    def __init__(
        self,
        context: zmq.asyncio.Context,
        control: str,
        query: str,
        timeout_s: float,
        keys: ClientKeys | None = None,
    ) -> None:
        self._control = RecorderLine(context, control, timeout_s, keys)
        self._query = RecorderLine(context, query, timeout_s, keys)

    def close(self) -> None:
        self._control.close()
        self._query.close()

    @property
    def timeouts(self) -> int:
        """Questions and commands that got no answer in time."""
        return self._control.timeouts + self._query.timeouts

    async def command(self, command: wire.Command) -> wire.EventReply | wire.Done:
        reply = await self._control.ask(command)
        if not isinstance(reply, wire.EventReply | wire.Done):
            raise _unexpected(reply)
        return reply

    async def check_trigger(self, received: wire.InstantRecord, age_ns: int) -> wire.TriggerChecked:
        """Whether a trigger would be accepted now, and how many cameras are live."""
        try:
            reply = await self._control.ask(wire.CheckTrigger(received=received, age_ns=age_ns))
        except problems.Problem as err:
            if err.body.code != "malformed":
                raise
            # A recorder of a version before does not know the question: all it can tell is what its cameras do.
            live = sum(camera.state == "live" for camera in await self.cameras())
            return wire.TriggerChecked(cameras_live=live)
        if not isinstance(reply, wire.TriggerChecked):
            raise _unexpected(reply)
        return reply

    async def event(self, command: wire.Command) -> wire.EventReply:
        """Carry out a command that answers with the event."""
        reply = await self.command(command)
        if not isinstance(reply, wire.EventReply):
            raise _unexpected(reply)
        return reply

    async def get_event(self, event_id: str) -> wire.Event:
        reply = await self._query.ask(wire.GetEvent(event_id=event_id))
        if not isinstance(reply, wire.EventReply):
            raise _unexpected(reply)
        return reply.event

    async def list_events(self, query: wire.ListEvents) -> wire.EventsReply:
        reply = await self._query.ask(query)
        if not isinstance(reply, wire.EventsReply):
            raise _unexpected(reply)
        return reply

    async def cameras(self) -> tuple[wire.Camera, ...]:
        reply = await self._query.ask(wire.ListCameras())
        if not isinstance(reply, wire.CamerasReply):
            raise _unexpected(reply)
        return reply.cameras

    async def frame(self, query: wire.GetFrame) -> wire.FrameReply:
        reply = await self._query.ask(query)
        if not isinstance(reply, wire.FrameReply):
            raise _unexpected(reply)
        return reply

    async def health(self) -> wire.RecorderHealth:
        reply = await self._query.ask(wire.GetHealth())
        if not isinstance(reply, wire.HealthReply):
            raise _unexpected(reply)
        return reply.health


def _unexpected(reply: wire.Reply) -> problems.Problem:
    return problems.recorder_away(f"the recorder answered with {reply.type!r}, which was not asked for")
