"""Asks a recorder over ZeroMQ, as the API does, where a measurement has no API beside it."""

import secrets
import time
from types import TracebackType
from typing import Final, Self

import zmq

from preroll import sockets, wire
from preroll.clock import Instant, SystemClock, read_boot_id
from tests.support.processes import System
from tests.support.waiting import wait_until

ANSWER_S: Final = 5.0
ASK_EVERY_S: Final = 0.25


class Asker:
    """Commands and queries to the recorder of a `System`."""

    def __init__(self, system: System) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._system = system
        self._boot_id = read_boot_id()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        self._context.destroy(linger=0)

    def cameras(self) -> dict[str, wire.Camera]:
        """All cameras by id; none while the recorder does not answer."""
        reply = self._ask(self._system.query_address, wire.encode(wire.ListCameras()))
        return {camera.camera_id: camera for camera in reply.cameras} if isinstance(reply, wire.CamerasReply) else {}

    def wait_ring(self, held_s: float, count: int, timeout_s: float) -> None:
        """Wait until `count` cameras hold `held_s` seconds each; asks four times a second, to cost little."""

        def all_hold() -> bool:
            settle(ASK_EVERY_S)
            cameras = self.cameras()
            return len(cameras) == count and all(camera.ring_s >= held_s for camera in cameras.values())

        wait_until(all_hold, timeout_s, f"{held_s:g} s in the rings of {count} cameras")

    def trigger(self, camera_id: str, pre_s: float, post_s: float) -> tuple[str, int]:
        """Trigger one camera; the event's id, and the moment on the monotonic clock."""
        now = Instant.now(SystemClock(), self._boot_id)
        event_id = f"bench-{secrets.token_hex(6)}"
        command = wire.StartEvent(
            event_id=event_id,
            fingerprint=event_id,
            received=wire.InstantRecord(boot_id=now.boot_id, monotonic_ns=now.monotonic_ns, unix_ns=now.unix_ns),
            age_ns=0,
            cameras=(camera_id,),
            pre_s=pre_s,
            post_s=post_s,
        )
        reply = self._ask(self._system.control_address, wire.encode(command))
        assert isinstance(reply, wire.EventReply), f"the trigger was refused: {reply}"
        return event_id, now.monotonic_ns

    def wait_saved(self, event_id: str, timeout_s: float) -> wire.Event:
        """The event once its clips are on disk."""

        def saved() -> wire.Event | None:
            reply = self._ask(self._system.query_address, wire.encode(wire.GetEvent(event_id=event_id)))
            if isinstance(reply, wire.EventReply) and reply.event.state in ("saved", "ready", "failed"):
                return reply.event
            return None

        event = wait_until(saved, timeout_s, f"{event_id} is saved")
        assert event is not None
        return event

    def _ask(self, address: str, message: bytes) -> wire.Reply | None:
        answer = sockets.request(self._context, address, message, ANSWER_S)
        return None if answer is None else wire.decode_reply(answer)


def lost_in(cameras: dict[str, wire.Camera]) -> int:
    """All frames that the recorder counts as lost, whatever the cause."""
    return sum(sum(camera.losses.model_dump().values()) for camera in cameras.values())


def settle(for_s: float) -> None:
    """Let time pass that is measured, or that a ring or a driver needs to become steady."""
    time.sleep(for_s)
