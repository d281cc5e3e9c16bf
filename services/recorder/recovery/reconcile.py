"""At start: brings the index and the events' folders together again, where a crash came between the two.

The row comes before the folder, and goes after it. So a finished event without a folder is a deletion that was not ended
(one that runs is salvaged: its folder may not have been made yet), and a folder without a row is a running event's
deletion, or a row that was lost.
"""

import logging

from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index

log = logging.getLogger(__name__)


def reconcile(clips: ClipsDir, index: Index) -> None:
    """End removals, take in events that the index lost, drop what is deleted."""
    clips.remove_deleted()
    known: set[str] = set()
    for event in list(index.all_events()):
        folder = ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
        known.add(folder)
        if event.state not in ("scheduled", "recording") and not clips.folder(folder).is_dir():
            index.delete(event.event_id)
            log.warning("event dropped: its folder is gone", extra=fields(event_id=event.event_id, folder=folder))
    for folder in list(clips.folders()):
        if folder not in known:
            _judge(clips, index, folder)


def _judge(clips: ClipsDir, index: Index, folder: str) -> None:
    """A folder that the index does not have: one with a clip that was finished is an event, another is a remnant."""
    if _has_sidecar(clips, folder):
        if index.adopt(clips.event_file(folder)):
            log.warning("event taken into the index", extra=fields(folder=folder))
        else:
            log.error("folder is no event: left alone", extra=fields(folder=folder))
        return
    try:
        clips.remove_event(folder)
        log.info("remnant of an event removed", extra=fields(folder=folder))
    except WriteFailed as err:
        log.error("remnant of an event not removed", extra=fields(folder=folder, error=str(err)))


def _has_sidecar(clips: ClipsDir, folder: str) -> bool:
    for path in clips.folder(folder).glob("*.json"):
        try:
            sidecar.parse(path.read_bytes())
        except (OSError, sidecar.SidecarDamaged):
            continue
        return True
    return any(clips.folder(folder).glob("*.mp4"))
