"""Brings the clips being written to disk every half second, so that a power cut costs about that much of them.

One thread for all clips: fdatasync may take long, and the writers must not wait for it.
"""

import threading
from typing import Final, Protocol

from preroll.runtime.threads import Threads

INTERVAL_S: Final = 0.5


class Syncable(Protocol):
    """An open file. `sync` may be called from any thread, also when it is closed, and raises nothing."""

    def sync(self) -> None: ...


class Syncer:
    """Syncs what was added, until it is taken away. `start` and `close` once each."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._open: list[Syncable] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, threads: Threads) -> None:
        self._thread = threads.start("syncer", self._run)

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def count(self) -> int:
        """How many files are open."""
        return len(self._open)

    def add(self, file: Syncable) -> None:
        with self._lock:
            self._open.append(file)

    def discard(self, file: Syncable) -> None:
        with self._lock:
            if file in self._open:
                self._open.remove(file)

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            with self._lock:
                files = tuple(self._open)
            for file in files:
                file.sync()
