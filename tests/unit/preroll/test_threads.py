import logging
import threading
from collections.abc import Iterator

import pytest

from preroll.process import Shutdown
from preroll.runtime.chore import TOLD_EVERY_S, Chore
from preroll.runtime.threads import WEDGED_EXIT_CODE, Threads
from preroll.runtime.watchdog import Heartbeat
from tests.support.waiting import wait_until


class Process:
    def __init__(self) -> None:
        self.shutdown = Shutdown()
        self.ended: list[int] = []
        self.threads = Threads(self.shutdown, self.ended.append)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.threads.close()


@pytest.mark.parametrize("error", [OSError("gone"), SystemExit(0), MemoryError()])
def test_a_thread_that_fails_ends_the_process(process: Process, error: BaseException) -> None:
    def run() -> None:
        raise error

    process.threads.start("writer", run).join()
    assert process.shutdown.requested
    assert process.shutdown.exit_code == 1
    assert process.shutdown.reason.startswith(f"thread writer failed: {type(error).__name__}")


def test_a_thread_that_returns_ends_nothing(process: Process) -> None:
    process.threads.start("writer", lambda: None).join()
    assert not process.shutdown.requested


def test_a_watched_thread_that_returns_before_the_end_ends_the_process(process: Process) -> None:
    process.threads.start_watched("ingest", lambda _: None, 30).join()
    assert (process.shutdown.exit_code, process.shutdown.reason) == (
        1,
        "thread ingest failed: ThreadEnded: ingest ended by itself",
    )


def test_a_watched_thread_that_hangs_ends_the_process_orderly(process: Process) -> None:
    returns = threading.Event()

    def hang(_: Heartbeat) -> None:
        returns.wait()

    thread = process.threads.start_watched("control", hang, 0.2)
    assert process.shutdown.wait(5)
    assert process.shutdown.exit_code == WEDGED_EXIT_CODE
    assert process.shutdown.reason.startswith("control silent for")
    assert process.ended == []
    returns.set()
    thread.join()


def test_a_watched_thread_that_reports_until_the_end_is_well(process: Process) -> None:
    def run(heartbeat: Heartbeat) -> None:
        while not process.shutdown.wait(0.01):
            heartbeat.beat()

    thread = process.threads.start_watched("control", run, 0.2)
    assert not process.shutdown.wait(0.5)
    process.shutdown.request("enough")
    thread.join()
    assert process.shutdown.exit_code == 0


def test_a_process_that_does_not_come_to_its_end_is_ended(process: Process) -> None:
    process.threads.limit_end(0.2)
    process.shutdown.request("SIGTERM")
    wait_until(lambda: process.ended, 5)
    assert process.ended == [WEDGED_EXIT_CODE]


def test_a_process_that_failed_and_does_not_come_to_its_end_keeps_its_exit_code(process: Process) -> None:
    process.shutdown.fail("no disk", 3)
    process.threads.limit_end(0.2)
    wait_until(lambda: process.ended, 5)
    assert process.ended == [3]


def test_a_chore_that_fails_is_counted_and_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    now_s = 0.0
    errors: list[Exception | None] = [ValueError("odd"), None, OSError("full")]

    def do() -> None:
        error = errors[0]
        if error is not None:
            raise error

    chore = Chore("status report", do, lambda: now_s)
    assert not chore()
    assert not chore()
    assert (chore.failures, len(caplog.records)) == (2, 1)
    now_s += TOLD_EVERY_S
    assert not chore()
    assert len(caplog.records) == 2
    errors.pop(0)
    assert chore()
    assert chore.failures == 3
