"""Removes events so that a crash at any moment leaves a deletion that is ended later, and nothing that looks like one.

The deletion is noted in the index, durably; then the folder gets a name that says so; then event and note leave the index;
then the folder goes. So no folder that is missing is taken for a deletion, and no folder without a row for a remnant.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from preroll.logs import fields
from services.recorder.store.database import IndexUnavailable
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.trouble import Trouble

log = logging.getLogger(__name__)


class Removal:
    """Ends the deletions that `Index.begin_deletion` began. From any thread."""

    def __init__(self, clips: ClipsDir, index: Index) -> None:
        self._clips = clips
        self._index = index
        # An id is free again when its deletion is over: then its folder may be another event's.
        self._lock = threading.Lock()
        self._trouble = Trouble("removing folders of deleted events", "every two seconds")

    def end(self, event_id: str, folder: str) -> None:
        """End a deletion that was begun. `WriteFailed` when the folder stays as it is, `IndexUnavailable` for the index."""
        doomed = self.take_away(event_id, folder)
        if doomed is not None:
            self._clips.remove_doomed(doomed)

    def take_away(self, event_id: str, folder: str) -> Path | None:
        """As `end`, but the files are there still, under the name that is returned, for `ClipsDir.remove_doomed`."""
        with self._lock:
            if not self._index.is_being_deleted(event_id):
                return None
            doomed = self._clips.doom(folder)
            try:
                self._index.end_deletion(event_id)
            except IndexUnavailable as err:
                if doomed is None:
                    raise
                log.warning("deletion ended later: %s", err, extra=fields(event_id=event_id))
            return doomed

    def end_later(self, event_id: str, folder: str) -> bool:
        """As `end`; false when it could not be ended now: then `end_all` tries it again."""
        try:
            self.end(event_id, folder)
        except (WriteFailed, IndexUnavailable) as err:
            self._trouble.failed(str(err), event_id=event_id)
            return False
        self._trouble.over()
        return True

    def end_all(self, is_busy: Callable[[str], bool] = lambda _: False) -> None:
        """End what a crash or a failure of the disk left, but for events whose clips are still being written.

        `IndexUnavailable` when it cannot be read.
        """
        for event_id, folder in self._index.deletions():
            if not is_busy(event_id) and self.end_later(event_id, folder):
                log.info("deletion ended", extra=fields(event_id=event_id, folder=folder))
