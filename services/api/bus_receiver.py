"""The receiving end of the bus: what every service says goes into the stream, the newest status is kept."""

import asyncio
import json
import logging
import time
from typing import Final

import zmq
import zmq.asyncio

from preroll import sockets, wire
from preroll.guard import Door
from preroll.inflow import Inflow
from preroll.logs import fields
from preroll.process import Shutdown
from preroll.security.permissions import CAMERAS_OF_A_KEY_MAX, SHARED, owner_of, why_unsayable
from services.api import schemas
from services.api.losses import LossCounter
from services.api.memory import LogFacts
from services.api.stream import Stream
from services.api.timings import Timings

log = logging.getLogger(__name__)

CAPTURES_MAX: Final = 1_024  # more than a recorder takes cameras; whoever sends has not said the truth about some
REFUSAL_TOLD_EVERY_S: Final = 1.0
DRAIN_S: Final = 0.3
BURST_S: Final = 0.002  # and one message more, of some milliseconds: a request that waits is not to wait for longer


class BusReceiver:
    """Receives until it is cancelled. Malformed messages are counted; so are holes in a sender's numbers."""

    def __init__(self, context: zmq.asyncio.Context, bind: str, stream: Stream, door: Door | None = None) -> None:
        self._stream = stream
        self._socket = sockets.bus_receiver(context)  # type: ignore[arg-type]
        sockets.bind(self._socket, bind, door)
        self._door = door
        self.port = sockets.bound_port(self._socket) if bind.startswith("tcp:") else 0
        self._inflow = Inflow({self.port}, DRAIN_S)
        self._is_drained = True
        self._taken_bytes = 0
        self.received = 0
        self.malformed = 0
        self.refused = 0
        self._refusal_told_s = 0.0
        self.captures: dict[str, wire.CaptureStatus] = {}
        self.recorder: wire.RecorderStatus | None = None
        self.timings = Timings()
        self._losses = LossCounter()
        self._lost = 0

    @property
    def lost(self) -> int:
        """Messages that were numbered by their senders and did not arrive."""
        self._lost = max(self._lost, self._losses.lost)  # what was only overtaken is no loss, but never counts back
        return self._lost

    @property
    def peers_refused(self) -> int:
        """Connections to the bus without a known key."""
        return self._door.refused if self._door else 0

    @property
    def connections_cut(self) -> int:
        """Connections that were cut because they filled the memory with messages that do not end."""
        return self._inflow.cut

    def watch_inflow(self, shutdown: Shutdown) -> None:
        """Cut whoever fills the memory, until the shutdown is requested."""
        self._inflow.watch(shutdown, lambda: self._taken_bytes, lambda: self._is_drained)

    async def run(self) -> None:
        try:
            while True:
                await self._socket.poll()  # type: ignore[misc]
                until_s = time.monotonic() + BURST_S
                while time.monotonic() < until_s:
                    try:
                        part: zmq.Frame = await self._socket.recv(zmq.DONTWAIT, copy=False)  # type: ignore[misc]
                    except zmq.Again:
                        self._is_drained = True
                        break
                    self._is_drained = False
                    self._taken_bytes += len(part)
                    self._take_in(part)
                await asyncio.sleep(0)  # a flood of logs must not keep requests waiting
        finally:
            self._socket.close()

    def _take_in(self, part: zmq.Frame) -> None:
        try:
            self.take(part)
        except Exception as err:  # of one message: those of all other services are still to be heard
            self._reject(err)

    def take(self, part: zmq.Frame) -> None:
        """Take one message in."""
        try:
            message = wire.decode_bus(part.bytes)
        except wire.WireError as err:
            self._reject(err)
            return
        key = None
        if self._door is not None:
            key = self._door.name_at(part)
            if not self._may_say(message, key, self._door):
                return
        self.received += 1
        self._losses.note(message.sender_id, message.number)
        match message:
            case wire.LogMessage():
                record = schemas.log_json(message, key)
                self._stream.add("log", record.model_dump_json(), _facts_of(record, message.unix_ns))
            case wire.CaptureStatus():
                self._make_room_for(message.camera_id)
                self.captures[message.camera_id] = message
            case wire.RecorderStatus():
                self.recorder = message
                cameras = ",".join(self.camera_json(camera).model_dump_json() for camera in message.cameras)
                self._stream.add_status(f'{{"recorder":{message.health.model_dump_json()},"cameras":[{cameras}]}}')
            case wire.EventChanged():
                self.timings.note(message.event)
                document = schemas.event_document(message.event).decode()
                self._stream.add("event", document, of_event=message.event.event_id)
            case wire.EventDeleted():
                self.timings.forget(message.event_id)
                self._stream.add("event_deleted", _json({"event_id": message.event_id, "reason": message.reason}))
            case wire.CameraChanged():
                self._stream.add("camera", self.camera_json(message.camera).model_dump_json())

    def _make_room_for(self, camera_id: str) -> None:
        """Let go of the capture that has been known for longest, if there are too many: of the same key's alone."""
        if camera_id in self.captures:
            return
        names = self._door.clients.names if self._door else frozenset()
        owner = owner_of(camera_id, names)
        limit = CAPTURES_MAX if owner in {None, SHARED} else CAMERAS_OF_A_KEY_MAX
        if len(self.captures) >= limit:
            of_the_same_key = [known for known in self.captures if owner_of(known, names) == owner]
            if len(of_the_same_key) >= limit:
                del self.captures[of_the_same_key[0]]

    def _may_say(self, message: wire.BusMessage, key: str | None, door: Door) -> bool:
        """Whether the key may say that; if not, it is counted, and told at most once a second."""
        if key is None:
            why: str | None = "its key was removed"
        else:
            why = why_unsayable(message, key, door.clients.names, str(door.folder))
        if why is None:
            return True
        self.refused += 1
        now_s = time.monotonic()
        if self.refused == 1 or now_s - self._refusal_told_s > REFUSAL_TOLD_EVERY_S:
            self._refusal_told_s = now_s
            log.warning("bus message refused: %s", why, extra=fields(key=key, refused=self.refused))
        return False

    def _reject(self, err: Exception) -> None:
        self.malformed += 1
        if self.malformed == 1:
            log.warning("bus message rejected (further ones are only counted): %s", err)

    def camera_json(self, camera: wire.Camera) -> schemas.Camera:
        """The camera, with what its capture says of itself."""
        return schemas.camera_json(camera, self.captures.get(camera.camera_id))

    def forget_camera(self, camera_id: str) -> None:
        self.captures.pop(camera_id, None)


def _facts_of(record: schemas.LogRecord, unix_ns: int) -> LogFacts:
    return LogFacts(
        record.service,
        record.instance,
        record.camera_id,
        record.event_id,
        record.level,
        record.message,
        unix_ns // 1000,
    )


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))
