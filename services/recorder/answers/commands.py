"""Carries out commands: one decoded command in, one reply out."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from preroll import wire
from preroll.clock import Clock
from preroll.logs import fields
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.events.events import Events
from services.recorder.events.rules import CommandRate, CommandRejected
from services.recorder.store.index import Index

log = logging.getLogger(__name__)

REMEMBERED: Final = 1_024


class Commands:
    """The REP end for commands. Used by one thread."""

    def __init__(self, cameras: Cameras, events: Events, index: Index, clock: Clock, max_per_s: int) -> None:
        self._cameras = cameras
        self._events = events
        self._index = index
        self._clock = clock
        self._max_per_s = max_per_s
        self._rate = CommandRate(max_per_s)
        self._carried_out = CarriedOut()

    def answer(self, data: bytes) -> wire.Reply:
        """The reply; `CommandRejected` or `wire.WireError` when the command is not carried out."""
        if not self._rate.allows(self._clock.monotonic_ns()):
            raise CommandRejected("too_many_commands", f"more than max_commands_per_s={self._max_per_s} commands")
        command = wire.decode_command(data)
        if isinstance(command, wire.StartEvent):
            return self._events.start(command)
        if isinstance(command, wire.CheckTrigger):
            self._rate.give_back()
            return self._events.check(command)
        return self._carried_out.once(command.command_id, lambda: self._carry_out(command))

    def _carry_out(
        self, command: wire.AmendEvent | wire.DeleteEvent | wire.ProtectEvent | wire.ForgetCamera
    ) -> wire.Reply:
        match command:
            case wire.AmendEvent():
                return self._events.amend(command)
            case wire.DeleteEvent():
                return self._events.delete(command)
            case wire.ProtectEvent():
                return self._events.protect(command)
            case wire.ForgetCamera():
                return self._forget(command.camera_id)

    def _forget(self, camera_id: str) -> wire.Done:
        with self._cameras.lock:
            track = self._cameras.get(camera_id)
            if track is not None:
                self._forget_track(track)
        if track is None and camera_id not in self._index.cameras():
            raise CommandRejected("unknown_camera", f"camera {camera_id} is not known")
        self._index.forget_camera(camera_id)  # where this fails, the same command does it the next time
        log.info("camera forgotten", extra=fields(camera_id=camera_id))
        return wire.Done()

    def _forget_track(self, track: CameraTrack) -> None:
        camera_id = track.camera_id
        state = track.state(self._clock.monotonic_ns())
        if track.is_recorded:
            raise CommandRejected("wrong_state", f"clips of camera {camera_id} are still being written")
        if state == "live":
            raise CommandRejected(
                "wrong_state", f"camera {camera_id} is {state}: only one that sends nothing is forgotten"
            )
        self._cameras.forget(camera_id)


class CarriedOut:
    """Remembers the replies to the last commands that were carried out, by the commands' ids.

    A caller whose answer was late sends the same command again. It gets the same reply: what was deleted cannot be
    deleted again, and "unknown" would be no answer to who deleted it.
    """

    def __init__(self) -> None:
        self._replies: OrderedDict[str, wire.Reply] = OrderedDict()

    def once(self, command_id: str | None, carry_out: Callable[[], wire.Reply]) -> wire.Reply:
        """The reply to the command, which is carried out if it was not before. What was refused is tried again."""
        if command_id is None:
            return carry_out()
        reply = self._replies.get(command_id)
        if reply is None:
            reply = self._replies[command_id] = carry_out()
            if len(self._replies) > REMEMBERED:
                self._replies.popitem(last=False)
        return reply
