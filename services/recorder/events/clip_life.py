"""The life of a clip and of its event: every change of their records is a function here. Pure.

    scheduled -> recording -> saved -> ready        scheduled, recording -> failed        failed -> salvaged again

Each function checks which state it may follow, and builds the new record whole, so that `wire.Clip` judges it: a clip
that is complete without its window being delivered cannot be built. An event's state follows from those of its clips.
"""

from collections.abc import Mapping
from typing import Any, Final

from preroll import wire
from services.recorder.events.rules import state_of

NO_RENDITION: Final = "no rendition: "
_SECONDS_MAX: Final = 86_400.0

Files = Mapping[wire.FileKind, wire.FileFact]


class OutOfTurn(Exception):
    """The clip's state does not allow this change."""


# --- clips


def accepted(
    camera_id: str, state: wire.ClipState, requested: wire.Span, coverage: wire.Coverage, missing_s: float
) -> wire.Clip:
    """The clip of an event that is being accepted: scheduled, or recording already."""
    if state not in ("scheduled", "recording"):
        raise OutOfTurn(f"the clip of {camera_id} would begin its life as {state}")
    return wire.Clip(
        camera_id=camera_id,
        state=state,
        coverage=coverage,
        missing_s=_bounded(missing_s),
        complete=None,
        shortfall=(),
        requested=requested,
        delivered=None,
        files={},
        slack_ns=None,
    )


def saved(
    clip: wire.Clip,
    *,
    requested: wire.Span,
    delivered: wire.Delivered,
    complete: bool,
    slack_ns: int,
    shortfall: tuple[str, ...],
    files: Files,
    saved_after_s: float | None,
) -> wire.Clip:
    """The clip whose original is on disk. `requested` is the window that it was judged by, to within `slack_ns`."""
    _check(clip, "saved", "recording")
    return _clip(
        clip,
        state="saved",
        requested=requested,
        delivered=delivered,
        complete=complete,
        slack_ns=slack_ns,
        shortfall=shortfall,
        files=dict(files),
        saved_after_s=None if saved_after_s is None else _bounded(saved_after_s),
    )


def failed(clip: wire.Clip, requested: wire.Span, shortfall: tuple[str, ...], files: Files) -> wire.Clip:
    """The clip that has nothing to show."""
    _check(clip, "failed", "scheduled", "recording")
    return _clip(
        clip,
        state="failed",
        requested=requested,
        complete=False,
        shortfall=shortfall,
        files=dict(files),
        delivered=None,
    )


def ready(clip: wire.Clip, files: Files, ready_after_s: float | None, undecodable: int, pictures: int) -> wire.Clip:
    """The clip that can be played. A rendition without `undecodable` of its `pictures` does not show the whole window."""
    _check(clip, "ready", "saved")
    shortfall = _without_rendition_lines(clip)
    if undecodable:
        shortfall = (*shortfall, f"{undecodable} of {pictures} pictures cannot be decoded")
    return _clip(
        clip,
        state="ready",
        complete=not shortfall,
        shortfall=shortfall,
        files=dict(files),
        ready_after_s=None if ready_after_s is None else _bounded(ready_after_s),
    )


def not_rendered(clip: wire.Clip, why: str) -> wire.Clip:
    """The clip stays saved: its original is there, its rendition could not be made."""
    _check(clip, "saved without a rendition", "saved")
    return _clip(clip, shortfall=(*_without_rendition_lines(clip), f"{NO_RENDITION}{why}"))


def not_decodable(clip: wire.Clip, why: str) -> wire.Clip:
    """The clip stays saved, and it is not complete: nothing of what was recorded can be shown."""
    return _clip(not_rendered(clip, why), complete=False)


def as_stated(clip: wire.Clip, stated: wire.Clip) -> wire.Clip:
    """The clip as its sidecar states it: a crash came after the files were written and before the index knew."""
    _check(clip, f"{stated.state}, as its sidecar states", "scheduled", "recording", "saved")
    if _ORDER.index(stated.state) < _ORDER.index(clip.state) or stated.camera_id != clip.camera_id:
        raise OutOfTurn(f"the clip of {clip.camera_id} is {clip.state}, its sidecar states {stated.state}")
    return stated


def reopened(clip: wire.Clip) -> wire.Clip:
    """The failed clip of which a recording was found after all: as it was when it was being recorded."""
    _check(clip, "salvaged again", "failed")
    return _clip(clip, state="recording", complete=None, shortfall=(), files={})


def with_files(clip: wire.Clip, files: Files) -> wire.Clip:
    """The clip in the same state, with these files."""
    return _clip(clip, files=dict(files))


# --- events


def with_clips(event: wire.Event, *clips: wire.Clip) -> wire.Event:
    """The event with these clips in place of those of the same cameras, and the state that follows."""
    changed = {clip.camera_id: clip for clip in clips}
    now = tuple(changed.get(clip.camera_id, clip) for clip in event.clips)
    return _event(event, clips=now, state=state_of(now))


def with_clips_found(event: wire.Event, *clips: wire.Clip) -> wire.Event:
    """As `with_clips`; those of cameras that the event's record lacks come behind the others."""
    event = with_clips(event, *clips)
    known = {clip.camera_id for clip in event.clips}
    now = (*event.clips, *(clip for clip in clips if clip.camera_id not in known))
    return _event(event, clips=now, state=state_of(now))


def durable(event: wire.Event, accepted_after_s: float) -> wire.Event:
    """The event that is stored, `accepted_after_s` seconds after its receipt."""
    return _event(event, accepted_after_s=_bounded(accepted_after_s))


def begun(event: wire.Event) -> wire.Event:
    """The scheduled event whose window begins."""
    for clip in event.clips:
        _check(clip, "recording", "scheduled")
    return with_clips(event, *(_clip(clip, state="recording") for clip in event.clips))


def amended(event: wire.Event, post_s: float, requested: wire.Span, camera_ids: frozenset[str]) -> wire.Event:
    """The event whose window ends elsewhere, and so the windows of the clips of these cameras."""
    moved = [clip for clip in event.clips if clip.camera_id in camera_ids]
    for clip in moved:
        _check(clip, "amended", "scheduled", "recording")
    event = with_clips(event, *(_clip(clip, requested=requested) for clip in moved))
    return _event(event, post_s=_bounded(post_s), revision=event.revision + 1)


def arrived(event: wire.Event) -> wire.Event:
    """The event that came from elsewhere, a backup or another machine: its age is counted from now on."""
    return _event(event, running_ns=None)


def protected(event: wire.Event, *, is_protected: bool) -> wire.Event:
    """The event that retention and deletion leave alone, or no longer."""
    return _event(event, is_protected=is_protected, revision=event.revision + 1)


def with_post_s(event: wire.Event, post_s: float) -> wire.Event:
    """The event as its files have it, with the end that its sidecars state."""
    return _event(event, post_s=post_s)


# --- parts

_ORDER: Final[tuple[wire.ClipState, ...]] = ("scheduled", "recording", "saved", "ready", "failed")


def _check(clip: wire.Clip, wanted: str, *before: wire.ClipState) -> None:
    if clip.state not in before:
        raise OutOfTurn(f"the clip of {clip.camera_id} is {clip.state} and cannot become {wanted}")


def _without_rendition_lines(clip: wire.Clip) -> tuple[str, ...]:
    return tuple(line for line in clip.shortfall if not line.startswith(NO_RENDITION))


def _bounded(s: float) -> float:
    return min(_SECONDS_MAX, max(0.0, s))


def _clip(clip: wire.Clip, **changes: Any) -> wire.Clip:
    return wire.Clip.model_validate({**dict(clip), **changes})


def _event(event: wire.Event, **changes: Any) -> wire.Event:
    return wire.Event.model_validate({**dict(event), **changes})
