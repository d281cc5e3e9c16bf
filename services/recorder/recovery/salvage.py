"""At start: makes clips of the recordings that a crash interrupted. A recording is salvaged, never resumed."""

import logging
from dataclasses import replace
from typing import Final

from preroll import wire
from preroll.clock import Clock
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.clips.describe import facts_on_disk
from services.recorder.clips.original import Unreadable, read_frames
from services.recorder.clips.repair import count_frames, reclaim
from services.recorder.clips.result import ClipFacts, Written, settle
from services.recorder.events import clip_life
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipPaths, ClipsDir

log = logging.getLogger(__name__)

ENDED: Final = "the recorder was ended while recording"


def salvage(clips: ClipsDir, folder: str, event: wire.Event, clock: Clock) -> tuple[wire.Clip, ...]:
    """The clips of `event` that were being recorded, as they now are: saved or failed. Removes stray files.

    Clips in other states are left as they are, but for the parts of their renditions, which are made again. Raises
    nothing of the disk: what cannot be had is a failed clip, and its part is kept.
    """
    unreclaimed: set[str] = set()
    done: list[wire.Clip] = []
    for clip in event.clips:
        if clip.state == "recording":
            try:
                done.append(_salvaged(clips, folder, event, clip, clock))
            except (WriteFailed, OSError) as err:
                unreclaimed.add(clip.camera_id)
                done.append(clip_life.failed(clip, clip.requested, (f"{ENDED}; {err}",), clip.files))
    for clip in done:
        about = fields(event_id=event.event_id, camera_id=clip.camera_id, state=clip.state)
        log.warning("clip salvaged after a crash", extra=about)
    for name in clips.remove_strays(folder, frozenset(unreclaimed)):
        log.info("stray file removed", extra=fields(event_id=event.event_id, file=name))
    return tuple(done)


def found_ready(clips: ClipsDir, folder: str, clip: wire.Clip) -> wire.Clip | None:
    """A clip that the index has as saved and its sidecar as ready: as it is ready. `None` when it is yet to become so."""
    known = _stated(clips, clips.clip(folder, clip.camera_id))
    return clip_life.as_stated(clip, known) if known is not None and known.state == "ready" else None


def _salvaged(clips: ClipsDir, folder: str, event: wire.Event, clip: wire.Clip, clock: Clock) -> wire.Clip:
    paths = clips.clip(folder, clip.camera_id)
    was_recording = paths.original_part.exists()
    if was_recording:
        reclaim(clips, paths)
    elif (known := _stated(clips, paths)) is not None:
        return clip_life.as_stated(clip, known)
    # A named original is one whose recording was over: it lacks what its frames lack, and nothing else.
    is_over = not was_recording and count_frames(paths) > 0
    facts = facts_on_disk(clips, folder, event, clip, None if is_over else ENDED)
    _put_poster(clips, paths, facts)
    outcome = settle(clips, paths, facts, event, clock)
    if isinstance(outcome, Written):
        outcome = replace(outcome, saved_monotonic_ns=None)  # nobody was there to see when that was
    return outcome.applied_to(clip)


def _stated(clips: ClipsDir, paths: ClipPaths) -> wire.Clip | None:
    """The clip as its sidecar has it: the crash came after everything was on disk, before the index knew.

    An original that a ready clip does not keep goes: it may be all that the crash left undone.
    """
    try:
        clip = sidecar.parse(paths.sidecar.read_bytes()).clip
        pictures = [fact for kind, fact in clip.files.items() if kind in ("original", "clip")]
        is_there = bool(pictures) and all((clips.root / fact.path).exists() for fact in pictures)
        if clip.state not in ("saved", "ready", "failed") or (clip.state != "failed" and not is_there):
            return None
        if clip.state == "ready" and "original" not in clip.files:
            clips.remove(paths.original)
        return clip_life.with_files(clip, {**clip.files, "sidecar": clips.hashed_fact(paths.sidecar)})
    except (OSError, sidecar.SidecarDamaged):
        return None


def _put_poster(clips: ClipsDir, paths: ClipPaths, facts: ClipFacts) -> None:
    if paths.poster.exists() or facts.trigger_frame is None:
        return
    try:
        for index, frame in enumerate(read_frames(paths.original)):
            if index == facts.trigger_frame:
                clips.put(paths.poster, frame.jpeg)
                return
    except (Unreadable, WriteFailed) as err:
        log.warning("poster not written", extra=fields(camera_id=paths.camera_id, error=str(err)))
