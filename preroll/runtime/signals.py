"""SIGTERM and SIGINT request the end of the process."""

import os
import signal
import socket
from types import FrameType

from preroll.process import Shutdown
from preroll.runtime.threads import Threads


def watch_signals(shutdown: Shutdown, threads: Threads) -> None:
    """Have SIGTERM and SIGINT request the end; a second one ends the process at once. On the main thread.

    The kernel gives a signal to any thread, after a pause of the process (SIGSTOP, a frozen container) mostly to another
    one than the main. Python runs handlers on the main thread alone, which then sleeps on. So what counts is the byte that
    Python writes as the signal comes, on whichever thread, and a thread of ours reads.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def request_after_signal() -> None:
        with writing:  # for as long as this waits
            shutdown.request(signal.Signals(reading.recv(1)[0]).name)
            os._exit(128 + reading.recv(1)[0])

    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _note)
    threads.start("signals", request_after_signal)


def _note(_number: int, _frame: FrameType | None) -> None:
    """Nothing: that there is a handler has Python write its byte."""
