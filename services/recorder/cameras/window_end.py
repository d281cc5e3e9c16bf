"""Moves the end of an event's window: for all of its recordings as one, or for none.

Check and act are one, under the lock of the cameras and those of the recordings: in between no frame comes, and no writer
takes up the end of a clip.
"""

from collections.abc import Mapping
from contextlib import ExitStack

from preroll.wire import INT63_MAX
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.cameras.window import Window


class EndPassed(Exception):
    """A recording can no longer be extended; the text names its camera and says why."""


def advance(cameras: Cameras, recordings: Mapping[str, Recording], to_ns: int) -> frozenset[str]:
    """Have the recordings, by camera, end later; those that do. `EndPassed`, and nothing changed, when one cannot.

    One that is over is opened again, with the frames that have come since out of the ring. One that ended before its
    window did, for a reason that its clip states, is left as it is; when there is no other, that is `EndPassed` too.
    """
    with ExitStack() as held:
        _hold(held, cameras, recordings)
        moved = {name: each for name, each in recordings.items() if each.end_reason is None}
        if not moved:
            raise EndPassed("none of its clips is being recorded any more")
        for camera_id, recording in moved.items():
            _check(camera_id, recording, cameras.get(camera_id))
        for camera_id, recording in moved.items():
            track = cameras.get(camera_id)
            if not recording.is_over:
                recording.amend(to_ns)
            elif track is not None:
                _reopen(track, recording, to_ns)
        return frozenset(moved)


def bring_forward(cameras: Cameras, recordings: Mapping[str, Recording], to_ns: int) -> frozenset[str]:
    """Have the recordings, by camera, end sooner; those that do. One that is over keeps what it has."""
    with ExitStack() as held:
        _hold(held, cameras, recordings)
        moved = {name: each for name, each in recordings.items() if not each.is_over and to_ns < each.window.to_ns}
        for recording in moved.values():
            recording.amend(to_ns)
        return frozenset(moved)


def _hold(held: ExitStack, cameras: Cameras, recordings: Mapping[str, Recording]) -> None:
    held.enter_context(cameras.lock)
    for recording in recordings.values():
        held.enter_context(recording.changing)


def _check(camera_id: str, recording: Recording, track: CameraTrack | None) -> None:
    if recording.is_settled:
        raise EndPassed(f"the window of its clip of {camera_id} is over, and the clip is being saved")
    if recording.is_over and (track is None or not _is_held(track, recording)):
        raise EndPassed(f"the window of its clip of {camera_id} is over, and what came since is no longer in memory")


def _is_held(track: CameraTrack, recording: Recording) -> bool:
    """Whether the ring has every frame that came after those of the recording: it has the one before them."""
    reached_ns, oldest = recording.reached_ns, track.ring.oldest
    if oldest is None:
        return reached_ns is None
    return oldest.t_ns <= (recording.window.from_ns if reached_ns is None else reached_ns)


def _reopen(track: CameraTrack, recording: Recording, to_ns: int) -> None:
    reached_ns = recording.reached_ns
    since_ns = recording.window.from_ns if reached_ns is None else reached_ns + 1
    track.resume(recording)
    recording.reopen(to_ns)
    known = set(recording.noted())
    for hole in track.holes_within(recording.window):
        if hole not in known:
            recording.note(hole)
    for frame in track.ring.within(Window(since_ns, INT63_MAX)):
        recording.offer(frame)
