"""Finds loops that hang: each reports with a heartbeat, and one that is silent for its limit is acted on.

Silence is counted in time during which the watchdog itself ran. A process that was paused (a container's pause, a
virtual machine's snapshot, a laptop's sleep, a processor taken by others) comes back with every clock far ahead and
nothing wrong; its loops and its watchdog stood still together. See `preroll.runtime.patience`.
"""

import faulthandler
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from preroll.runtime.patience import counted_s

STEP_S: Final = 1.0
STEPS_PER_LIMIT: Final = 8  # a pause counts for two of them at most
WRITE_S: Final = 1.0


class Heartbeat:
    """The sign of life of one loop. `beat` may be called from any thread and costs one assignment."""

    __slots__ = ("_has_beaten", "_on_silent", "_silent_s", "limit_s", "name")

    def __init__(self, name: str, limit_s: float, on_silent: Callable[[str], None]) -> None:
        self.name = name
        self.limit_s = limit_s
        self._on_silent = on_silent
        self._has_beaten = True
        self._silent_s = 0.0

    def beat(self) -> None:
        """The loop is alive."""
        self._has_beaten = True

    def count(self, passed_s: float) -> None:
        """Count `passed_s` seconds as silence, unless the loop has reported since the last call."""
        if self._has_beaten:
            self._has_beaten, self._silent_s = False, 0.0
            return
        was_silent_s, self._silent_s = self._silent_s, self._silent_s + passed_s
        if was_silent_s <= self.limit_s < self._silent_s:
            self._on_silent(f"{self.name} silent for {self._silent_s:.1f} s, limit {self.limit_s:g} s")


class Watchdog:
    """Counts the silence of all loops of the process, on a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heartbeats: list[Heartbeat] = []
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, name: str, limit_s: float, on_silent: Callable[[str], None]) -> Heartbeat:
        """From now on: call `on_silent` with the words for it, once, when this loop has been silent for `limit_s`.

        It is called on the watchdog's thread, after the stacks of all threads were written to stderr. `RuntimeError`
        when the system gives no thread for the watchdog: nothing is watched, and the next call tries again.
        """

        def report(silence: str) -> None:
            _write_stacks(f"watchdog: {silence}")
            on_silent(silence)

        heartbeat = Heartbeat(name, limit_s, report)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                thread.start()
                self._thread = thread
            self._heartbeats.append(heartbeat)
        return heartbeat

    def discard(self, heartbeat: Heartbeat) -> None:
        """The loop has ended, or need not report any more."""
        with self._lock:
            if heartbeat in self._heartbeats:
                self._heartbeats.remove(heartbeat)

    def close(self) -> None:
        """Watch no more. Not to be called on the watchdog's own thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def count(self, passed_s: float, step_s: float) -> None:
        """A step that was to take `step_s` seconds took `passed_s`."""
        with self._lock:
            heartbeats = tuple(self._heartbeats)
        for heartbeat in heartbeats:
            heartbeat.count(counted_s(passed_s, step_s))

    def _run(self) -> None:
        before_s = time.monotonic()
        while not self._stopped.wait(step_s := self._step_s()):
            now_s = time.monotonic()
            self.count(now_s - before_s, step_s)
            before_s = now_s

    def _step_s(self) -> float:
        with self._lock:
            return min([STEP_S, *(heartbeat.limit_s / STEPS_PER_LIMIT for heartbeat in self._heartbeats)])


def _write_stacks(line: str) -> None:
    """To stderr; on a thread of its own, because a pipe that nobody reads must not keep the watchdog from its work."""

    def write() -> None:
        print(line, file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)

    writing = threading.Thread(target=write, name="stacks", daemon=True)
    try:
        writing.start()
    except RuntimeError:  # no thread is to be had
        return
    writing.join(WRITE_S)
