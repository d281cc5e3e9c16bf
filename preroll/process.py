"""The life of a service's process: one `Shutdown` that threads, sockets and coroutines all wait on."""

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_STATM: Final = Path("/proc/self/statm")


class Shutdown:
    """Says that the process is to end. Set once, by a signal or by a part that cannot go on; never cleared."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason = ""
        self._exit_code = 0
        self._callbacks: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def exit_code(self) -> int:
        """0 when asked to end, non-zero when a part failed."""
        return self._exit_code

    def request(self, reason: str) -> None:
        """Ask every part to end. From any thread."""
        self.fail(reason, 0)

    def fail(self, reason: str, exit_code: int = 1) -> None:
        """End because a part cannot go on; the process's exit code will be `exit_code`. Of several, the first counts."""
        with self._lock:
            if self._event.is_set():
                return
            self._reason, self._exit_code = reason, exit_code
            self._event.set()
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            _call(callback)

    def call_on_request(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the end is requested; at once, if it already was. It must not block."""
        with self._lock:
            is_late = self._event.is_set()
            self._callbacks.append(callback)
        if is_late:
            _call(callback)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the request, at most `timeout_s` seconds; true when it came."""
        if sys.platform == "win32" and timeout_s is None:
            while not self._event.wait(1):  # there no signal interrupts a wait
                pass
            return True
        return self._event.wait(timeout_s)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        log.exception("a part was not told of the end")  # the others are


def exempt_from_collection() -> None:
    """Have the garbage collector pass over everything that is there now: modules, models, routes, which stay for good.

    To be called once a service is put together. A full collection otherwise walks through all of it, which stops every
    thread for 10 to 20 ms; an answer to a trigger is to take less than that.
    """
    gc.collect()
    gc.freeze()


def resident_bytes() -> int:
    """The process's resident memory; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # no descriptor is free for it, say: a figure missing ends nothing
        return 0
