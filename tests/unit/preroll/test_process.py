import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from preroll.process import Shutdown
from preroll.runtime.signals import watch_signals
from preroll.runtime.threads import Threads


@pytest.fixture
def signals_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


def test_sigterm_requests_the_end(signals_restored: None) -> None:
    shutdown = Shutdown()
    watch_signals(shutdown, Threads(shutdown))
    signal.raise_signal(signal.SIGTERM)
    assert shutdown.wait(5)
    assert (shutdown.reason, shutdown.exit_code) == ("SIGTERM", 0)


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    program = (
        "import threading; from preroll.process import Shutdown\n"
        "from preroll.runtime.signals import watch_signals; from preroll.runtime.threads import Threads\n"
        "shutdown = Shutdown(); watch_signals(shutdown, Threads(shutdown)); print('up', flush=True)\n"
        "shutdown.wait(); print('asked', flush=True)\n"
        "while True: threading.Event().wait(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
