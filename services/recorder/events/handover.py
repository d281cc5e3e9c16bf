"""Hands the recordings of events to their writers: of an accepted event behind its answer, of a scheduled one when it begins.

Rule: a clip that is being recorded has a writer, or comes to an end that says why.
"""

import contextlib
import logging
import queue
from collections.abc import Callable

from preroll.logs import fields
from services.recorder.events import clip_life
from services.recorder.events.clips_stage import ClipsStage
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.records import Records

log = logging.getLogger(__name__)


class Handover:
    """Called from the thread of the commands and that of the ticks."""

    def __init__(self, records: Records, stage: Callable[[], ClipsStage]) -> None:
        self._records = records
        self._stage = stage
        self._accepted: queue.SimpleQueue[OpenEvent] = queue.SimpleQueue()

    def put(self, opened: OpenEvent) -> None:
        """The event is accepted: `follow_up` does the rest."""
        self._accepted.put(opened)

    def follow_up(self) -> None:
        """Start the writers of the events accepted since the last call, and tell of them."""
        with contextlib.suppress(queue.Empty):
            while True:
                opened = self._accepted.get_nowait()
                with opened.lock:
                    event = opened.event
                    if not opened.is_doomed:
                        try:
                            self._records.tell(opened)
                            self._records.write_file(opened.plan.folder, event)
                        finally:
                            self.start_writers(opened)
                log.info(
                    "event accepted", extra=fields(event_id=event.event_id, cameras=len(event.clips), state=event.state)
                )

    def start_writers(self, opened: OpenEvent) -> None:
        """Have each recording of the event written; the clip of one that cannot be fails. Under the event's lock."""
        if not opened.recordings:
            return  # scheduled
        opened.has_writers = True
        for camera_id, recording in tuple(opened.recordings.items()):
            try:
                self._stage().write(opened, recording)
            except Exception as err:
                about = fields(event_id=opened.event.event_id, camera_id=camera_id)
                log.exception("clip has no writer: it fails", extra=about)
                why = f"its writer could not be made: {type(err).__name__}: {err}"[:1000]
                recording.end(why)
                del opened.recordings[camera_id]
                clip = opened.clip(camera_id)
                opened.event = clip_life.with_clips(opened.event, clip_life.failed(clip, clip.requested, (why,), {}))
                opened.is_stored = False
                self._records.store_behind(opened)
                self._records.write_file(opened.plan.folder, opened.event)
