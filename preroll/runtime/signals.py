"""SIGTERM and SIGINT request the end of the process."""

import itertools
import os
import queue
import signal
from types import FrameType

from preroll.process import Shutdown
from preroll.runtime.threads import Threads


def watch_signals(shutdown: Shutdown, threads: Threads) -> None:
    """Have SIGTERM and SIGINT request the end; a second one ends the process at once. On the main thread."""
    # A handler interrupts the main thread anywhere, also where it holds the lock of the shutdown's event. So it only
    # leaves word in a queue that may be entered again at any point, and a thread does the rest.
    caught: queue.SimpleQueue[int] = queue.SimpleQueue()
    is_second = itertools.count()

    def handle(number: int, _frame: FrameType | None) -> None:
        if next(is_second):
            os._exit(128 + number)
        caught.put(number)

    def request_after_signal() -> None:
        shutdown.request(signal.Signals(caught.get()).name)

    threads.start("signals", request_after_signal)
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
