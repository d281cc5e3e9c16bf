"""The events that are not finished, by id."""

import threading

from services.recorder.events.open_event import OpenEvent


class OpenEvents:
    """Those that are scheduled or recorded, that wait for their renditions, or whose row is not stored. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, OpenEvent] = {}

    def add(self, opened: OpenEvent) -> None:
        with self._lock:
            self._events[opened.event.event_id] = opened

    def drop(self, opened: OpenEvent) -> None:
        """The event is finished or removed."""
        with self._lock:
            if self._events.get(opened.event.event_id) is opened:
                del self._events[opened.event.event_id]

    def get(self, event_id: str) -> OpenEvent | None:
        """The event, also one that is being deleted."""
        with self._lock:
            return self._events.get(event_id)

    def living(self, event_id: str) -> OpenEvent | None:
        """The event, unless it is being deleted."""
        opened = self.get(event_id)
        return None if opened is None or opened.is_doomed else opened

    def all(self) -> list[OpenEvent]:
        with self._lock:
            return list(self._events.values())

    def active(self) -> list[OpenEvent]:
        """Events that are scheduled or being recorded."""
        with self._lock:
            return [opened for opened in self._events.values() if opened.event.state in ("scheduled", "recording")]

    def doomed(self) -> list[OpenEvent]:
        """Events that are being deleted."""
        with self._lock:
            return [opened for opened in self._events.values() if opened.is_doomed]
