"""At start: makes clips of the recordings that a crash interrupted. A recording is salvaged, never resumed."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from preroll import wire
from preroll.clock import Clock
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.clips.describe import facts_on_disk, hashed, restate
from services.recorder.clips.original import Unreadable, read_frames
from services.recorder.clips.repair import count_frames, reclaim
from services.recorder.clips.result import ClipFacts, Written, settle
from services.recorder.events import clip_life
from services.recorder.recovery.remnants import is_described, remove_event_remnant, remove_remnants
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir, read_document, sha256_of
from services.recorder.store.names import ClipPaths

log = logging.getLogger(__name__)

ENDED: Final = "the recorder was ended while recording"
UNDESCRIBED: Final = "its sidecar could not be read: what it lacks is not known"
ASIDE: Final = ".damaged"
_WORDS_MAX: Final = 2000


def salvage(clips: ClipsDir, folder: str, event: wire.Event, clock: Clock) -> tuple[wire.Clip, ...]:
    """The clips of `event` that were being recorded, as they now are: saved or failed. Removes remnants of the others.

    Raises nothing: what cannot be had is a failed clip, which says why, and its part is kept.
    """
    done: list[wire.Clip] = []
    for clip in event.clips:
        about = fields(event_id=event.event_id, camera_id=clip.camera_id)
        now, is_reclaimed = clip, True
        try:
            if clip.state == "recording":
                now = _salvaged(clips, folder, event, clip, clock)
            elif clip.state == "scheduled":
                continue
        except Exception as err:
            if not isinstance(err, WriteFailed | OSError):
                log.exception("clip cannot be salvaged", extra=about)
            why = f"{ENDED}; {err}"[:_WORDS_MAX]
            now, is_reclaimed = clip_life.failed(clip, clip.requested, (why,), clip.files), False
        if now is not clip:
            done.append(now)
            log.warning("clip salvaged after a crash", extra=fields(**about["fields"], state=now.state))
        if is_reclaimed:
            _log_removed(lambda now=now: remove_remnants(clips, folder, now), about)  # type: ignore[misc]
    _log_removed(lambda: remove_event_remnant(clips, folder), fields(event_id=event.event_id))
    return tuple(done)


def salvage_again(clips: ClipsDir, folder: str, event: wire.Event, clip: wire.Clip, clock: Clock) -> wire.Clip | None:
    """A clip that failed because its recording could not be read or written at a former start, which is still there.

    `None` where there is nothing to be had, or not today.
    """
    about = fields(event_id=event.event_id, camera_id=clip.camera_id)
    # A failure that was stated in a sidecar is settled.
    if clip.state != "failed" or "sidecar" in clip.files:
        return None
    try:
        if not clips.clip(folder, clip.camera_id).original_part.is_file():
            return None
        recording = clip_life.reopened(clip)
        now = _salvaged(clips, folder, clip_life.with_clips(event, recording), recording, clock)
    except Exception as err:
        log.warning("clip cannot be salvaged yet: %s", err, extra=about)
        return None
    log.warning("clip salvaged after all", extra=fields(**about["fields"], state=now.state))
    return now


def _log_removed(remove: Callable[[], list[str]], about: dict[str, dict[str, Any]]) -> None:
    try:
        for name in remove():
            log.info("remnant removed", extra=fields(**about["fields"], file=name))
    except OSError as err:
        log.error("remnants left, they cannot be read: %s", err, extra=about)


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
    if not is_described(paths):
        _set_aside(clips, paths)
        if not was_recording and not is_over and paths.clip.is_file():
            return _by_rendition(clips, folder, event, clip, clock)
    # A journal goes when there is a sidecar: where neither can be read, one has been lost since.
    is_known = paths.journal_part.exists() or is_described(paths)
    facts = facts_on_disk(clips, folder, event, clip, ENDED if not is_over else None if is_known else UNDESCRIBED)
    _put_poster(clips, paths, facts)
    outcome = settle(clips, paths, facts, event, clock)
    if isinstance(outcome, Written):
        outcome = replace(outcome, saved_monotonic_ns=None)  # nobody was there to see when that was
    return outcome.applied_to(clip)


def _set_aside(clips: ClipsDir, paths: ClipPaths) -> None:
    """Keep a sidecar that cannot be read: another version may have written it."""
    aside = paths.sidecar.with_name(paths.sidecar.name + ASIDE)
    if paths.sidecar.is_file() and not aside.exists():
        clips.rename(paths.sidecar, aside)


def _by_rendition(clips: ClipsDir, folder: str, event: wire.Event, clip: wire.Clip, clock: Clock) -> wire.Clip:
    """The clip that was ready, of which the rendition is left and neither the index nor a sidecar tells."""
    paths = clips.clip(folder, clip.camera_id)
    facts = facts_on_disk(clips, folder, event, clip, UNDESCRIBED)
    now = settle(clips, paths, facts, event, clock).applied_to(clip)
    if now.state != "saved":
        return now
    known = hashed(clips, folder, now)
    now = clip_life.ready(now, known.files, None, undecodable=0, pictures=len(facts.frames))
    return restate(clips, folder, clip_life.with_clips(event, now), now)


def _stated(clips: ClipsDir, paths: ClipPaths) -> wire.Clip | None:
    """The clip as its sidecar has it: the crash came after everything was on disk, before the index knew.

    An original that a ready clip does not keep goes: it may be all that the crash left undone. But only when the
    rendition is, byte for byte, the one that the sidecar describes.
    """
    try:
        document = sidecar.parse(read_document(paths.sidecar))
        clip = document.clip
        if document.event.event_id != paths.folder.name:  # another event's, copied here
            return None
        pictures = [fact for kind, fact in clip.files.items() if kind in {"original", "clip"}]
        if clip.state not in {"saved", "ready", "failed"}:
            return None
        if clip.state != "failed" and not (pictures and all(_is_there(clips, fact) for fact in pictures)):
            return None
        if clip.state == "ready" and "original" not in clip.files and paths.original.exists():
            if not all(_is_whole(clips, fact) for fact in pictures):
                return None
            clips.remove(paths.original)
        return clip_life.with_files(clip, {**clip.files, "sidecar": clips.hashed_fact(paths.sidecar)})
    except (OSError, sidecar.SidecarDamaged):
        return None


def _is_there(clips: ClipsDir, fact: wire.FileFact) -> bool:
    path = clips.root / fact.path
    return path.is_file() and path.stat().st_size == fact.size_bytes


def _is_whole(clips: ClipsDir, fact: wire.FileFact) -> bool:
    return fact.sha256 is not None and sha256_of(clips.root / fact.path) == fact.sha256


def _put_poster(clips: ClipsDir, paths: ClipPaths, facts: ClipFacts) -> None:
    if paths.poster.exists() or facts.trigger_frame is None:
        return
    try:
        for index, frame in enumerate(read_frames(paths.original)):
            if index == facts.trigger_frame:
                clips.put(paths.poster, frame.jpeg)
                return
    except (Unreadable, WriteFailed, OSError) as err:
        log.warning("poster not written", extra=fields(camera_id=paths.camera_id, error=str(err)))
