"""Answers questions about events, cameras, frames in memory and the recorder's health. Nothing here changes anything."""

from typing import Final

from preroll import wire
from preroll.clock import Clock
from services.recorder.answers.status import Status
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.events.events import Events
from services.recorder.events.rules import CommandRejected, receipt_ns
from services.recorder.store.index import Index

OFFSET_MAX_NS: Final = wire.INT63_MAX // 2  # 146 years: with it no time of a frame leaves its range


class Queries:
    """The REP end for questions: one decoded query in, one reply out."""

    def __init__(
        self, cameras: Cameras, events: Events, index: Index, status: Status, clock: Clock, boot_id: str
    ) -> None:
        self._cameras = cameras
        self._events = events
        self._index = index
        self._status = status
        self._clock = clock
        self._boot_id = boot_id

    def answer(self, query: wire.Query) -> wire.Reply:
        """The reply; `CommandRejected` when there is none to give."""
        match query:
            case wire.ListEvents():
                return self._index.page(query)
            case wire.GetEvent():
                return wire.EventReply(event=self._events.get(query.event_id))
            case wire.ListCameras():
                return wire.CamerasReply(cameras=self._status.cameras())
            case wire.GetHealth():
                return wire.HealthReply(health=self._status.health())
            case wire.GetFrame():
                return self._frame(query)

    def _frame(self, query: wire.GetFrame) -> wire.FrameReply:
        now_ns = self._clock.monotonic_ns()
        unix_offset_ns = self._clock.unix_ns() - now_ns
        with self._cameras.lock:
            track = self._cameras.get(query.camera_id)
            if track is None:
                raise CommandRejected("unknown_camera", f"camera {query.camera_id} is not known")
            frame = self._pick(track, query, now_ns)
            oldest, newest = track.ring.oldest, track.ring.newest
        if frame is None or oldest is None or newest is None:
            raise CommandRejected("no_frame", f"camera {query.camera_id} has no such frame in memory")
        if query.at is not None:
            received_ns = receipt_ns(query.at, query.age_ns, self._boot_id, now_ns)
            unix_offset_ns = query.at.unix_ns - received_ns
            if abs(unix_offset_ns) > OFFSET_MAX_NS:
                raise CommandRejected("out_of_reach", f"at={query.at.unix_ns} ns after 1970 is no moment of this boot")
        return wire.FrameReply(
            ref=wire.FrameRef(camera_id=query.camera_id, run_id=frame.run_id, seq=frame.seq),
            unix_ns=frame.t_ns + unix_offset_ns,
            width=frame.width,
            height=frame.height,
            oldest_unix_ns=oldest.t_ns + unix_offset_ns,
            newest_unix_ns=newest.t_ns + unix_offset_ns,
            jpeg=bytes(frame.jpeg),
        )

    def _pick(self, track: CameraTrack, query: wire.GetFrame, now_ns: int) -> Frame | None:
        if query.ref is not None:
            return track.ring.beside(query.ref.run_id, query.ref.seq, query.steps)
        if query.at is not None:
            received_ns = receipt_ns(query.at, query.age_ns, self._boot_id, now_ns)
            return track.ring.nearest(received_ns + query.offset_ns)
        return track.ring.newest
