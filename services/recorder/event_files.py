"""Writes the events' own files (`event.json`) behind the answer to their triggers.

What makes an accepted event durable is its row in the index, one sync. Its file serves to rebuild a lost index; written
before the answer too, its three syncs took the slowest hundredth of answers from 8 to 19 ms while four cameras recorded.
"""

import logging
import threading

from preroll import wire
from preroll.logs import fields
from services.recorder.disk import WriteFailed
from services.recorder.files import ClipsDir

log = logging.getLogger(__name__)


class EventFiles:
    """Files to be written, the newest state of each event; a thread is there while there are any."""

    def __init__(self, clips: ClipsDir) -> None:
        self._clips = clips
        self._changed = threading.Condition()
        self._waiting: dict[str, wire.Event] = {}
        self._writing: str | None = None
        self._is_running = False

    def write(self, folder: str, event: wire.Event) -> None:
        """Have the event's file written; does not wait for it."""
        with self._changed:
            self._waiting[folder] = event
            self._run_if_needed()

    def forget(self, folder: str) -> None:
        """The event goes: write nothing into its folder any more. Waits for a write under way."""
        with self._changed:
            self._waiting.pop(folder, None)
            self._changed.wait_for(lambda: self._writing != folder)
            self._waiting.pop(folder, None)  # a write that failed meanwhile has put it back

    def try_again(self) -> None:
        """Write what the disk did not take before, if there is any."""
        with self._changed:
            if self._waiting:
                self._run_if_needed()

    def wait_written(self, timeout_s: float) -> bool:
        """Wait until all is written; false when it is not within `timeout_s` seconds, or the disk does not take it."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_running, timeout_s) and not self._waiting

    def _run_if_needed(self) -> None:
        if not self._is_running:
            self._is_running = True
            threading.Thread(target=self._run, name="event-files", daemon=True).start()

    def _run(self) -> None:
        is_taken = True
        while True:
            with self._changed:
                self._writing = None
                if not is_taken or not self._waiting:
                    self._is_running = False
                    self._changed.notify_all()
                    return
                self._changed.notify_all()
                folder = next(iter(self._waiting))
                event = self._waiting.pop(folder)
                self._writing = folder
            is_taken = self._is_written(folder, event)

    def _is_written(self, folder: str, event: wire.Event) -> bool:
        try:
            self._clips.write_event(folder, event)
        except WriteFailed as err:
            log.error("event file not written, tried again later: %s", err, extra=fields(event_id=event.event_id))
            with self._changed:
                self._waiting.setdefault(folder, event)
            return False
        return True
