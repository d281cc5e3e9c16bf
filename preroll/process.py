"""The life of a service's process: one `Shutdown` that threads, sockets and coroutines all wait on, and a watchdog.

A service that is wedged ends itself with a non-zero code: Docker does not restart an unhealthy container, but it does
restart one that has ended.
"""

import faulthandler
import gc
import itertools
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

log = logging.getLogger(__name__)

WEDGED_EXIT_CODE: Final = 70
_STATM: Final = Path("/proc/self/statm")


class Shutdown:
    """Says that the process is to end. Set once, by a signal or by a part that cannot go on; never cleared."""

    def __init__(self) -> None:
        self._event = threading.Event()
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
        """Ask every part to end. Safe in signal handlers and from any thread."""
        if not self._event.is_set():
            self._reason = reason
            self._event.set()
            for callback in self._callbacks:
                callback()

    def fail(self, reason: str, exit_code: int = 1) -> None:
        """End because a part cannot go on; the process's exit code will be `exit_code`."""
        if not self._event.is_set():
            self._exit_code = exit_code
        self.request(reason)

    def call_on_request(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the end is requested; at once, if it already was. It must not block."""
        self._callbacks.append(callback)
        if self.requested:
            callback()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the request, at most `timeout_s` seconds; true when it came."""
        if sys.platform == "win32" and timeout_s is None:
            while not self._event.wait(1):  # there no signal interrupts a wait
                pass
            return True
        return self._event.wait(timeout_s)

    def watch_signals(self) -> None:
        """SIGTERM and SIGINT request the end. A second one ends the process at once."""
        # A handler interrupts the main thread anywhere, also where it holds the lock of our event. So it only leaves
        # word in a queue that may be entered again at any point, and a thread does the rest.
        caught: queue.SimpleQueue[int] = queue.SimpleQueue()
        is_second = itertools.count()

        def handle(number: int, _frame: FrameType | None) -> None:
            if next(is_second):
                os._exit(128 + number)
            caught.put(number)

        def request_after_signal() -> None:
            self.request(signal.Signals(caught.get()).name)

        threading.Thread(target=request_after_signal, name="signals", daemon=True).start()
        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)

    def thread(self, name: str, run: Callable[[], None]) -> threading.Thread:
        """A started thread whose failure ends the process: a service with a part missing must not look alive."""

        def guarded() -> None:
            try:
                run()
            except Exception:
                log.exception("thread failed", extra={"fields": {"thread": name}})
                self.fail(f"thread {name} failed")

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread


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


class Watchdog:
    """Ends the process when a loop has not reported for `limit_s` seconds.

    The loop calls `feed()`; a driver call or a disk that never returns leaves it unfed. The stacks of all threads are
    written to stderr first.
    """

    def __init__(
        self,
        limit_s: float,
        name: str,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._limit_s = limit_s
        self._name = name
        self._end = end
        self._fed_at = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watchdog-{name}", daemon=True)

    def start(self) -> None:
        self._fed_at = time.monotonic()
        self._thread.start()

    def feed(self) -> None:
        """The loop is alive."""
        self._fed_at = time.monotonic()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._limit_s / 4)):
            silent_s = time.monotonic() - self._fed_at
            if silent_s > self._limit_s:
                print(
                    f"watchdog: {self._name} silent for {silent_s:.1f} s, limit {self._limit_s:g} s; ending the process",
                    file=sys.stderr,
                    flush=True,
                )
                faulthandler.dump_traceback(all_threads=True)
                self._end(WEDGED_EXIT_CODE)
                return
