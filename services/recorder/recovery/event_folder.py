"""An event as the files of its folder have it: what a lost index is rebuilt from.

Rule: the event's own facts (labels, protection, window) are those of `event.json`. A sidecar carries a copy of them from
when it was written; it counts where `event.json` cannot be read, or where its revision is higher. No file's time is
believed: a clock may have been set between two writes.
"""

import logging
from pathlib import Path

from pydantic import ValidationError

from preroll import wire
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.events import clip_life
from services.recorder.store.files import sha256_of

log = logging.getLogger(__name__)


def event_in(folder: Path) -> wire.Event | None:
    """The event of `folder`, each clip as its sidecar has it; `None` when no file there describes an event."""
    record = _record_in(folder)
    documents = _sidecars_in(folder)
    copies = [document.event for document in documents.values()]
    known = [record, *copies] if record is not None else copies
    if not known:
        return None
    event = max(known, key=lambda each: each.revision)  # the first of equals
    if event.revision == 0 and copies:
        # Written before there were revisions: then an amended window was noted in the sidecars alone.
        event = clip_life.with_post_s(event, max(copy.post_s for copy in copies))
    return clip_life.with_clips(event, *(_with_sidecar(document.clip, path) for path, document in documents.items()))


def _record_in(folder: Path) -> wire.Event | None:
    path = folder / "event.json"
    try:
        return wire.Event.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as err:
        log.error("event file cannot be read", extra=fields(folder=folder.name, error=str(err)[:500]))
        return None


def _sidecars_in(folder: Path) -> dict[Path, sidecar.Sidecar]:
    found: dict[Path, sidecar.Sidecar] = {}
    for path in sorted(folder.glob("*.json")):
        if path.name == "event.json":
            continue
        try:
            found[path] = sidecar.parse(path.read_bytes())
        except (OSError, sidecar.SidecarDamaged) as err:
            log.error("sidecar cannot be read", extra=fields(folder=folder.name, file=path.name, error=str(err)[:500]))
    return found


def _with_sidecar(clip: wire.Clip, path: Path) -> wire.Clip:
    """The clip with its sidecar among its files: a sidecar does not list itself."""
    name = path.relative_to(path.parent.parent.parent).as_posix()
    fact = wire.FileFact(path=name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
    return clip_life.with_files(clip, {**clip.files, "sidecar": fact})
