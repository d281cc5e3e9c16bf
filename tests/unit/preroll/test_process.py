import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from preroll.process import Shutdown


def test_a_shutdown_keeps_its_first_reason() -> None:
    shutdown = Shutdown()
    assert not shutdown.requested
    shutdown.request("first")
    shutdown.fail("second")
    assert (shutdown.requested, shutdown.reason, shutdown.exit_code) == (True, "first", 0)


def test_a_part_that_fails_makes_the_exit_code() -> None:
    shutdown = Shutdown()
    shutdown.fail("no disk", exit_code=3)
    assert (shutdown.reason, shutdown.exit_code) == ("no disk", 3)


def test_a_callback_is_called_once_the_end_is_requested_also_when_it_comes_late() -> None:
    shutdown = Shutdown()
    called: list[str] = []
    shutdown.call_on_request(lambda: called.append("early"))
    assert called == []
    shutdown.request("end")
    shutdown.call_on_request(lambda: called.append("late"))
    assert called == ["early", "late"]


WATCHING = (
    "import threading; from preroll.process import Shutdown\n"
    "from preroll.runtime.signals import watch_signals; from preroll.runtime.threads import Threads\n"
    "shutdown = Shutdown(); threads = Threads(shutdown); watch_signals(shutdown, threads)\n"
    "for number in range(20): threads.start(f'idle {number}', lambda: shutdown.wait() and None)\n"
    "print('up', flush=True); shutdown.wait(); print(shutdown.reason, flush=True)\n"
)


@contextmanager
def program(text: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        try:
            yield process, process.stdout
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_requests_the_end(number: signal.Signals) -> None:
    with program(WATCHING) as (process, said):
        process.send_signal(number)
        assert said.readline() == f"{number.name}\n"
        assert process.wait(10) == 0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be paused here")
@pytest.mark.parametrize("time", range(4))
def test_a_signal_that_came_while_the_process_was_paused_requests_the_end(time: int) -> None:
    with program(WATCHING) as (process, _):
        process.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(10) == 0


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    hanging = WATCHING + "while True: threading.Event().wait(1)\n"
    with program(hanging) as (process, said):
        process.send_signal(signal.SIGTERM)
        assert said.readline() == "SIGTERM\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
