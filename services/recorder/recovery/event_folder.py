"""An event as the files of its folder tell it: what the index is rebuilt from."""

import logging
from pathlib import Path

from pydantic import ValidationError

from preroll import wire
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.events.rules import state_of
from services.recorder.store.files import sha256_of

log = logging.getLogger(__name__)


def event_in(folder: Path) -> wire.Event | None:
    """The event of `folder`, each clip as its sidecar has it; `None` when no file there tells of an event.

    The record and the sidecars each carry the event. What was changed later (an amended end, protection) is in the file
    that was written last.
    """
    told: list[tuple[int, wire.Event]] = []
    record = folder / "event.json"
    try:
        told.append((record.stat().st_mtime_ns, wire.Event.model_validate_json(record.read_bytes())))
    except (OSError, ValidationError) as err:
        log.error("event file cannot be read", extra=fields(folder=folder.name, error=str(err)[:500]))
    clips: dict[str, wire.Clip] = {}
    for path in sorted(folder.glob("*.json")):
        if path == record:
            continue
        try:
            document = sidecar.parse(path.read_bytes())
            told.append((path.stat().st_mtime_ns, document.event))
            clips[document.clip.camera_id] = _with_sidecar(document.clip, path)
        except (OSError, sidecar.SidecarDamaged) as err:
            log.error("sidecar cannot be read", extra=fields(folder=folder.name, file=path.name, error=str(err)[:500]))
    if not told:
        return None
    _, event = max(told, key=lambda each: each[0])
    known = tuple(clips.get(clip.camera_id, clip) for clip in event.clips)
    return event.model_copy(update={"clips": known, "state": state_of(known)})


def _with_sidecar(clip: wire.Clip, path: Path) -> wire.Clip:
    """The clip with its sidecar among its files: a sidecar does not list itself."""
    name = path.relative_to(path.parent.parent.parent).as_posix()
    fact = wire.FileFact(path=name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
    return clip.model_copy(update={"files": {**clip.files, "sidecar": fact}})
