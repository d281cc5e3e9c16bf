"""An event as the files of its folder have it: what a lost index is rebuilt from.

Rule: the event's own facts (labels, protection, window) are those of `event.json`. A sidecar carries a copy of them from
when it was written; it counts where `event.json` cannot be read, or where its revision is higher. A clip that has a sidecar is the
event's, whatever cameras its record names. No file's time is believed: a clock may have been set between two writes.
"""

import logging
from pathlib import Path

from pydantic import ValidationError

from preroll import wire
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.events import clip_life
from services.recorder.store.files import read_document, sha256_of
from services.recorder.store.names import EVENT_FILE, camera_of_sidecar, shown

log = logging.getLogger(__name__)


def event_in(folder: Path) -> wire.Event | None:
    """The event of `folder`, each clip as its sidecar has it; `None` when no file there describes an event.

    A document that cannot be read is logged, and costs itself alone.
    """
    record, documents, problems = _documents_in(folder)
    copies = [document.event for document in documents.values()]
    known = [record, *copies] if record is not None else copies
    if not known:
        return None
    for name, problem in problems.items():
        log.error("%s cannot be read: %s", shown(name), problem, extra=fields(folder=folder.name))
    event = max(known, key=lambda each: each.revision)  # the first of equals
    if event.revision == 0 and copies:
        # Written before there were revisions: then an amended window was noted in the sidecars alone.
        event = clip_life.with_post_s(event, max(copy.post_s for copy in copies))
    stated = (_with_sidecar(document.clip, path) for path, document in documents.items())
    return clip_life.with_clips_found(event, *stated)


def _documents_in(folder: Path) -> tuple[wire.Event | None, dict[Path, sidecar.Sidecar], dict[str, str]]:
    """The event's record, the sidecars, and what is wrong with the others."""
    record: wire.Event | None = None
    documents: dict[Path, sidecar.Sidecar] = {}
    problems: dict[str, str] = {}
    for name in _names_in(folder):
        path = folder / name
        try:
            data = read_document(path)
            if name == EVENT_FILE and (record := _record_of(data)) is not None:
                continue
            documents[path] = _document_of(name, data)
        except (OSError, sidecar.SidecarDamaged) as err:
            problems[name] = str(err)[:500]
    event_id = folder.name if record is None else record.event_id
    for path in [path for path, each in documents.items() if each.event.event_id != event_id]:
        problems[path.name] = f"it describes event {documents.pop(path).event.event_id}"
    if record is None:
        problems.setdefault(EVENT_FILE, "missing")
    return record, documents, problems


def _names_in(folder: Path) -> list[str]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as err:
        log.error(
            "folder left out, it cannot be read", extra=fields(folder=folder.name, error=err.strerror or str(err))
        )
        return []
    return [name for name in names if name == EVENT_FILE or camera_of_sidecar(name) is not None]


def _record_of(data: bytes) -> wire.Event | None:
    """`None` also for the sidecar of a camera named `event`: before it had a name of its own, the two were one file."""
    try:
        return wire.Event.model_validate_json(data)
    except ValidationError:
        return None


def _document_of(name: str, data: bytes) -> sidecar.Sidecar:
    document = sidecar.parse(data)
    camera_id = document.clip.camera_id
    if name != EVENT_FILE and camera_id != camera_of_sidecar(name):
        raise sidecar.SidecarDamaged(f"it describes a clip of {camera_id}")
    return document


def _with_sidecar(clip: wire.Clip, path: Path) -> wire.Clip:
    """The clip with its sidecar among its files: a sidecar does not list itself."""
    name = path.relative_to(path.parent.parent.parent).as_posix()
    try:
        fact = wire.FileFact(path=name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
    except OSError:
        return clip
    return clip_life.with_files(clip, {**clip.files, "sidecar": fact})
