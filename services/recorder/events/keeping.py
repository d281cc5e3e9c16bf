"""Which events stay: deletion, protection, and what retention may have.

Check and act are one: under the lock of an open event, or that of the finished ones.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from preroll import wire
from services.recorder.events import clip_life
from services.recorder.events.open_event import HELD_WITHIN_S, OpenEvent
from services.recorder.events.open_events import OpenEvents
from services.recorder.events.records import Records
from services.recorder.events.rules import CommandRejected
from services.recorder.store.trouble import Trouble


class Keeping:
    """Removes events and protects them from it. Refusals are `CommandRejected`, with the event as it was."""

    def __init__(self, open_events: OpenEvents, records: Records, is_needed: Callable[[str], bool]) -> None:
        """`is_needed`: whether a saved event's files are still needed, for its renditions."""
        self._open = open_events
        self._records = records
        self._is_needed = is_needed
        self._finished = threading.Lock()  # held while a finished event is changed or removed
        self._ending = Trouble("removing deleted events")

    def delete(self, event_id: str) -> None:
        """Remove an event; its running clips are ended first. A protected one is not removed."""
        opened = self._open.living(event_id)
        if opened is None:
            with self._changing_finished():
                event = self._records.existing(event_id)
                _check_unprotected(event)
                self._records.remove(event, "asked")
            return
        with opened.held():
            _check_unprotected(opened.event)
            if opened.is_recording and opened.has_writers:
                self._records.begin_removal(opened.event)
                opened.is_doomed = True  # its writers have its files open: they go when the clips have ended
            else:
                self._records.remove(opened.event, "asked")
                self._drop(opened)
            for recording in opened.recordings.values():
                recording.end("deleted")

    def protect(self, event_id: str, *, is_protected: bool) -> wire.Event:
        """Keep an event from retention and deletion, or no longer."""
        opened = self._open.living(event_id)
        if opened is None:
            with self._changing_finished():
                event = clip_life.protected(self._records.existing(event_id), is_protected=is_protected)
                self._records.change_finished(event)
                return event
        with opened.held():
            self._records.commit(opened, clip_life.protected(opened.event, is_protected=is_protected))
            self._records.write_file(opened.plan.folder, opened.event)
            return opened.event

    def is_open(self, event_id: str) -> bool:
        """Whether retention must leave the event: it is recorded, or its files are needed, or it is being deleted."""
        opened = self._open.get(event_id)
        return opened is not None and (opened.is_doomed or opened.is_active or self._is_needed(event_id))

    def retire(self, event_id: str) -> bool:
        """Remove an event for retention, unless it is protected or needed by now; whether it was.

        Its files go when no lock is held any more: a command must not wait for them.
        """
        if self.is_open(event_id):
            return False
        opened = self._open.living(event_id)
        if opened is None:
            with self._changing_finished():
                event = self._records.get(event_id)
                if event is None or event.is_protected:
                    return False
                remains = self._records.remove(event, "retention")
        else:
            with opened.held():
                if opened.event.is_protected or opened.is_active:
                    return False
                remains = self._records.remove(opened.event, "retention")
                self._drop(opened)
        if remains is not None:
            self._records.remove_remains(remains)
        return True

    def end_doomed(self, opened: OpenEvent) -> None:
        """Remove what was deleted while it was recorded, once its writers are done. Under the event's lock."""
        if opened.is_recording:
            return
        try:
            self._records.end_removal(opened.event)
        except CommandRejected as err:
            self._ending.failed(str(err), event_id=opened.event.event_id)
        else:
            self._ending.over()
            self._drop(opened)

    def try_again(self) -> None:
        """Remove what is deleted and could not be removed before."""
        for opened in self._open.doomed():
            with opened.lock:
                self.end_doomed(opened)

    def _drop(self, opened: OpenEvent) -> None:
        opened.is_doomed = True  # for those who have it in hand
        self._open.drop(opened)

    @contextlib.contextmanager
    def _changing_finished(self) -> Iterator[None]:
        if not self._finished.acquire(timeout=HELD_WITHIN_S):
            raise CommandRejected("busy", f"another event is being removed, for more than {HELD_WITHIN_S:g} s")
        try:
            yield
        finally:
            self._finished.release()


def _check_unprotected(event: wire.Event) -> None:
    if event.is_protected:
        raise CommandRejected("wrong_state", f"event {event.event_id} is protected", event.state)
