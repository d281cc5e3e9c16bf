"""Starts every thread of a service. A service with a part missing must not look alive.

A thread that fails ends the process, orderly: the other parts see the request and close what they have open. One that is
watched must report as well: when it hangs, the process ends likewise. A process that does not come to its end is ended.
The restart policy starts it again: Docker restarts what has ended, not what is unhealthy.
What may fail without harm (housekeeping, diagnostics) catches its own errors, see `preroll.runtime.chore`.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from preroll.process import Shutdown
from preroll.runtime.watchdog import Heartbeat, Watchdog

log = logging.getLogger(__name__)

WEDGED_EXIT_CODE: Final = 70
END_LIMIT_S: Final = 30.0


class Threads:
    """The threads of one process, which end it by `shutdown` when one of them fails or hangs."""

    def __init__(self, shutdown: Shutdown, end: Callable[[int], None] = os._exit) -> None:
        """`end` ends the process at once, with an exit code."""
        self._shutdown = shutdown
        self._end = end
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._started: set[threading.Thread] = set()

    def start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        """A started daemon thread, whose failure ends the process. `RuntimeError` when the system gives no thread."""

        def guarded() -> None:
            try:
                run()
            except BaseException as err:  # SystemExit too: Python lets a thread end by it without a word
                try:
                    log.exception("thread failed", extra={"fields": {"thread": name}})
                finally:
                    self._shutdown.fail(f"thread {name} failed: {type(err).__name__}: {err}"[:500])

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        with self._lock:
            self._started = {other for other in self._started if other.is_alive()} | {thread}
        return thread

    def living(self) -> set[threading.Thread]:
        """The threads that were started here and have not ended."""
        with self._lock:
            return {thread for thread in self._started if thread.is_alive()}

    def start_watched(self, name: str, run: Callable[[Heartbeat], None], limit_s: float) -> threading.Thread:
        """As `start`. `run` is to beat more often than every `limit_s` seconds, and not to return before the end is
        requested: both count as failures.
        """

        def watched() -> None:
            with self.watching(name, limit_s) as heartbeat:
                run(heartbeat)
            if not self._shutdown.requested:
                raise ThreadEnded(f"{name} ended by itself")

        return self.start(name, watched)

    @contextlib.contextmanager
    def watching(self, name: str, limit_s: float) -> Iterator[Heartbeat]:
        """Watch a loop that runs inside the block, on the calling thread."""
        heartbeat = self._watchdog.watch(name, limit_s, self._fail_wedged)
        try:
            yield heartbeat
        finally:
            self._watchdog.discard(heartbeat)

    def limit_end(self, limit_s: float = END_LIMIT_S) -> None:
        """Once the end is requested, the process has `limit_s` seconds for it; then it is ended as it is."""

        def end(_: str) -> None:
            self._end(self._shutdown.exit_code or WEDGED_EXIT_CODE)

        def watch_end() -> None:
            self._watchdog.watch("the process's end", limit_s, end)

        self._shutdown.call_on_request(watch_end)

    def close(self) -> None:
        """Watch no more: what is to end has ended."""
        self._watchdog.close()

    def _fail_wedged(self, silence: str) -> None:
        self._shutdown.fail(silence, WEDGED_EXIT_CODE)


def join_all(threads: Iterable[threading.Thread], limit_s: float) -> list[threading.Thread]:
    """Wait for the end of all of them, together at most `limit_s` seconds; those that have not ended."""
    deadline_s = time.monotonic() + limit_s
    for thread in (waited := list(threads)):
        thread.join(max(0.0, deadline_s - time.monotonic()))
    return [thread for thread in waited if thread.is_alive()]


class ThreadEnded(RuntimeError):
    """A thread that is to run until the end has returned before."""
