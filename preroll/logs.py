"""Logs: one JSON object a line on stdout, and the same record on the bus.

Logging never blocks the caller: records go through a bounded queue, and what does not fit is dropped and counted.
Structured facts are given as `extra={"fields": {...}}`; `camera_id` and `event_id` among them are what the log viewer
filters by.
"""

import contextlib
import json
import logging
import logging.handlers
import queue
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from preroll import wire
from preroll.bus import BusSender, Stamped

QUEUED_MAX: Final = 5_000
CLOSE_S: Final = 2.0
_END: Final = None  # what the listener of the standard library takes for the end
_LEVELS: Final[dict[int, wire.Level]] = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARNING",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "CRITICAL",
}


def fields(**facts: wire.Scalar) -> dict[str, Any]:
    """`extra` for a log call: `log.info("clip saved", extra=fields(event_id=…, camera_id=…))`."""
    return {"fields": facts}


class Logs:
    """The process's logging, from `start` to `close`."""

    def __init__(self, service: wire.Service, instance: str, level: str, stream: TextIO | None = None) -> None:
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUED_MAX)
        self._into_queue = _CountingQueueHandler(self._queue)
        self._stdout = _JsonLines(service, instance, stream or sys.stdout)
        self._handlers: list[logging.Handler] = [self._stdout]
        self._level = level
        self._listener: _Listener | None = None

    @property
    def dropped(self) -> int:
        """Records that were dropped because the queue was full."""
        return self._into_queue.dropped

    def start(self, bus: BusSender | None = None) -> None:
        """Take over the root logger. With `bus`, every record goes there too."""
        if bus is not None:
            self._handlers.append(_ToBus(bus))
        self._listener = _Listener(self._queue, *self._handlers)
        self._listener.start()
        root = logging.getLogger()
        root.handlers[:] = [self._into_queue]
        root.setLevel(self._level)
        logging.captureWarnings(capture=True)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what is queued, as far as `timeout_s` allows (nobody may read our stdout), and leave the root logger."""
        logging.getLogger().handlers[:] = []
        if self._listener is not None:
            with contextlib.suppress(queue.Full):
                self._queue.put(_END, timeout=timeout_s)  # `stop` would not wait for room, and then for ever
            self._listener.join(timeout_s)
            self._listener = None


class _Listener(logging.handlers.QueueListener):
    """A record that cannot be written costs itself; by default it would end the thread, and all later ones with it."""

    def handle(self, record: logging.LogRecord) -> None:
        for handler in self.handlers:
            try:
                handler.handle(record)
            except Exception:
                handler.handleError(record)  # its traceback, on stderr

    def join(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)


class _CountingQueueHandler(logging.handlers.QueueHandler):
    def __init__(self, records: "queue.Queue[logging.LogRecord | None]") -> None:
        super().__init__(records)
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _JsonLines(logging.Handler):
    def __init__(self, service: wire.Service, instance: str, stream: TextIO) -> None:
        super().__init__()
        self._service = service
        self._instance = instance
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        line = json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
                "service": self._service,
                "instance": self._instance,
                "level": _level_of(record),
                "message": _message_of(record),
                "fields": _fields_of(record),
            },
            default=str,
        )
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # stdout is gone: there is nobody left to tell
            pass


class _ToBus(logging.Handler):
    def __init__(self, bus: BusSender) -> None:
        super().__init__()
        self._bus = bus

    def emit(self, record: logging.LogRecord) -> None:
        def build(stamp: Stamped) -> wire.BusMessage:
            return wire.LogMessage.model_validate(
                {
                    **stamp,
                    "unix_ns": round(record.created * 1e6) * 1000,
                    "level": _level_of(record),
                    "logger": record.name[:256],
                    "message": _message_of(record)[:8192],
                    "fields": _fields_of(record),
                }
            )

        self._bus.send(build)


def _level_of(record: logging.LogRecord) -> wire.Level:
    return _LEVELS.get(record.levelno, "INFO")


def _message_of(record: logging.LogRecord) -> str:
    # QueueHandler.prepare has merged the arguments and the traceback into the message.
    return record.getMessage()


def _fields_of(record: logging.LogRecord) -> dict[str, wire.Scalar]:
    facts: dict[str, Any] = getattr(record, "fields", {})
    return {
        name[:64]: value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in list(facts.items())[:64]
    }
