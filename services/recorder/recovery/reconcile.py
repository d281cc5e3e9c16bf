"""At start: brings the index and the events' folders together again, where a crash or a lost index left them apart.

Rule: nothing goes but what says of itself that it is being deleted. An event whose folder is missing stays an event (its
disk may be full, unreadable or not mounted yet); a folder that the index does not have is taken in when its files say
that it is an event's, else left alone. What cannot be read is logged and left out.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from preroll import wire
from preroll.logs import fields
from services.recorder.events import clip_life
from services.recorder.recovery.event_folder import event_in
from services.recorder.store.database import IndexUnavailable
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.removal import Removal

log = logging.getLogger(__name__)

_TOGETHER: Final = 200  # events in one commit
_NAMED_MAX: Final = 5


def reconcile(clips: ClipsDir, index: Index) -> None:
    """End deletions, and take in the events that the index does not have. Raises nothing of disk or index."""
    try:
        clips.remove_deleted()
        Removal(clips, index).end_all()
        take_in(clips, index)
    except IndexUnavailable as err:
        log.error("index and files not brought together, tried again at the next start: %s", err)


def take_in(clips: ClipsDir, index: Index) -> None:
    """Put the events into the index that it lacks, as their files have them; all of them where it is new.

    The running time that an event is noted with is believed by a new index alone: into one that was in use, what comes
    was put back or brought, and it is not to go for its age in the same minute.
    """
    is_new = index.running() is None
    known = {event_id: ClipsDir.folder_of(event_id, triggered) for event_id, triggered in index.moments()}
    found = _Found(set(known.values()))
    taken = 0
    for batch in _batches(found.events(clips, known), _TOGETHER):
        index.put_all(batch if is_new else map(clip_life.arrived, batch))
        index.remember_cameras(clip.camera_id for event in batch for clip in event.clips)
        taken += len(batch)
    if taken:
        log.warning("events taken into the index from their files", extra=fields(events=taken))
    _log_some("events without their folder: kept", found.missing)
    _log_some("folders that are no event's: left alone", found.foreign)


@dataclass(slots=True)
class _Found:
    """What a walk through the folders found. `missing` are at first the folders of all known events."""

    missing: set[str]
    foreign: list[str] = field(default_factory=list)

    def events(self, clips: ClipsDir, known: dict[str, str]) -> Iterator[wire.Event]:
        for folder in clips.folders():
            if folder in self.missing:
                self.missing.discard(folder)
                continue
            event = _event_of(clips, folder)
            if event is None or event.event_id in known:
                self.foreign.append(folder)
                continue
            known[event.event_id] = folder
            yield event


def _event_of(clips: ClipsDir, folder: str) -> wire.Event | None:
    """The event that lies in its own folder; a copy under another name is not it."""
    try:
        event = event_in(clips.folder(folder))
    except Exception:
        log.exception("folder left out, it cannot be judged", extra=fields(folder=folder))
        return None
    is_its_own = event is not None and ClipsDir.folder_of(event.event_id, event.triggered_unix_ns) == folder
    return event if is_its_own else None


def _batches(events: Iterable[wire.Event], size: int) -> Iterator[list[wire.Event]]:
    batch: list[wire.Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _log_some(message: str, folders: Iterable[str]) -> None:
    names = sorted(folders)
    if names:
        some = ", ".join(names[:_NAMED_MAX]) + (", …" if len(names) > _NAMED_MAX else "")
        log.warning(message, extra=fields(count=len(names), folders=some))
