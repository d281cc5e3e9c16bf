"""Makes an event out of a trigger: its moment, its cameras, and its clips begun with what the rings hold.

What is begun here counts only once `Events` has stored it.
"""

from collections.abc import Collection, Iterable

from preroll import wire
from preroll.clock import seconds
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.cameras.window import Window
from services.recorder.events.admission import Admission, Promised, Supply
from services.recorder.events.open_event import EventPlan, OpenEvent, describe_clip
from services.recorder.events.rules import (
    CommandRejected,
    Limits,
    anchor,
    check_moment,
    check_reach,
    check_window,
    state_of,
)
from services.recorder.store.files import ClipsDir


class Acceptance:
    """Judges triggers by the limits and by the cameras that there are. Refusals are `CommandRejected`."""

    def __init__(self, cameras: Cameras, limits: Limits, boot_id: str, min_free_bytes: int = 0) -> None:
        self._cameras = cameras
        self._limits = limits
        self._admission = Admission(limits, min_free_bytes)
        self._boot_id = boot_id

    def judge(self, command: wire.StartEvent, now_ns: int, active: Collection[OpenEvent], supply: Supply) -> EventPlan:
        """Where the event would lie, if it can be recorded beside those that are `active`. Changes nothing."""
        with self._cameras.lock:
            camera_ids = [track.camera_id for track in self._select(command.cameras)]
        self._admission.check(_promised(active), supply, len(camera_ids))
        if (command.overlap or self._limits.overlap) == "reject":
            _refuse_overlap(camera_ids, active)
        return self.plan(command, now_ns)

    def plan(self, command: wire.StartEvent, now_ns: int) -> EventPlan:
        """Where the event lies in time, and in the clips directory."""
        pre_s = self._limits.pre_s if command.pre_s is None else command.pre_s
        post_s = self._limits.post_s if command.post_s is None else command.post_s
        check_window(pre_s, post_s, self._limits)
        where = anchor(command, self._boot_id, now_ns, self._frame_ns(command.at_frame))
        check_reach(where.trigger_ns, now_ns, self._limits)
        check_moment(where)
        window = Window.around(where.trigger_ns, pre_s, post_s)
        folder = ClipsDir.folder_of(command.event_id, where.triggered_unix_ns)
        return EventPlan(self._boot_id, where, window, folder)

    def begin(self, command: wire.StartEvent, plan: EventPlan, now_ns: int, running_ns: int) -> OpenEvent:
        """The event, recording if its window has begun."""
        state: wire.ClipState = "scheduled" if plan.window.from_ns > now_ns else "recording"
        with self._cameras.lock:
            tracks = self._select(command.cameras)
            clips = tuple(
                describe_clip(track.camera_id, state, plan, track.missing_ns(plan.window, now_ns)) for track in tracks
            )
            event = wire.Event(
                event_id=command.event_id,
                state=state_of(clips),
                triggered_unix_ns=plan.anchor.triggered_unix_ns,
                received_unix_ns=command.received.unix_ns,
                pre_s=seconds(plan.anchor.trigger_ns - plan.window.from_ns),
                post_s=seconds(plan.window.to_ns - plan.anchor.trigger_ns),
                labels=command.labels,
                is_protected=False,
                fingerprint=command.fingerprint,
                accepted_after_s=0.0,
                clips=clips,
                running_ns=running_ns,
            )
            opened = OpenEvent(event, plan)
            if state == "recording":
                self.begin_recordings(opened, now_ns)
        return opened

    def begin_recordings(self, opened: OpenEvent, now_ns: int) -> None:
        """Begin every clip of the event with what its ring holds.

        Under the cameras' lock, which the caller holds: what the ring holds and what arrives next join without a seam.
        """
        for clip in opened.event.clips:
            track = self._cameras.get(clip.camera_id) or self._cameras.remember(clip.camera_id, now_ns)
            if track is not None:
                opened.recordings[clip.camera_id] = track.begin(
                    opened.plan.clip_plan(opened.event.event_id, clip.camera_id)
                )

    def _frame_ns(self, ref: wire.FrameRef | None) -> int | None:
        if ref is None:
            return None
        with self._cameras.lock:
            track = self._cameras.get(ref.camera_id)
            frame = track.ring.beside(ref.run_id, ref.seq, 0) if track is not None else None
        if frame is None:
            raise CommandRejected(
                "out_of_reach", f"at_frame {ref.camera_id}/{ref.run_id}/{ref.seq} is not in memory (any more)"
            )
        return frame.t_ns

    def _select(self, camera_ids: Iterable[str] | None) -> list[CameraTrack]:
        if camera_ids is None:
            tracks = list(self._cameras)
            if not tracks:
                raise CommandRejected("unknown_camera", "no camera is known yet")
            return tracks
        chosen: list[CameraTrack] = []
        for camera_id in dict.fromkeys(camera_ids):
            track = self._cameras.get(camera_id)
            if track is None:
                known = ", ".join(known.camera_id for known in self._cameras) or "none"
                raise CommandRejected("unknown_camera", f"camera {camera_id} is not known; known are {known}"[:2000])
            chosen.append(track)
        if not chosen:
            raise CommandRejected("unknown_camera", "cameras is an empty list")
        return chosen


def _promised(active: Collection[OpenEvent]) -> Promised:
    """A clip that is saved before the others of its event still counts: which are is not worth the looking."""
    clips = [(len(opened.event.clips), opened.has_writers) for opened in active]
    return Promised(len(clips), sum(count for count, _ in clips), sum(count for count, has in clips if not has))


def _refuse_overlap(camera_ids: Iterable[str], active: Iterable[OpenEvent]) -> None:
    wanted = set(camera_ids)
    for opened in active:
        busy = sorted(wanted.intersection(clip.camera_id for clip in opened.event.clips))
        if busy:
            raise CommandRejected(
                "overlapping",
                f"camera {busy[0]} is being recorded for event {opened.event.event_id}",
                opened.event.state,
            )
