"""The write-behind queue: the newest state of each thing; what could not be done is tried again; no fault ends it."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.events.write_behind import FAULTS_MAX, Deferred, Postponed
from tests.support.waiting import wait_until


def deferred(carry_out: Callable[[str, int], None]) -> Deferred[str, int]:
    return Deferred("test", carry_out, Threads(Shutdown()))


class Work:
    """Notes what is done; `fault` is raised instead while it is set, and work stands while `stands` is clear."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.tried: list[str] = []
        self.faults: dict[str, Exception] = {}
        self.began, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()

    def __call__(self, key: str, item: int) -> None:
        self.tried.append(key)
        self.began.set()
        assert self.goes_on.wait(10)
        if key in self.faults:
            raise self.faults[key]
        self.done.append((key, item))


@pytest.fixture
def work() -> Work:
    return Work()


def test_what_was_put_is_done(work: Work) -> None:
    queue = deferred(work)
    for number in range(3):
        queue.put(f"key-{number}", number)
    assert queue.wait_done(5)
    assert work.done == [("key-0", 0), ("key-1", 1), ("key-2", 2)]


def test_only_the_newest_state_of_a_thing_is_done(work: Work) -> None:
    work.goes_on.clear()
    queue = deferred(work)
    queue.put("key", 0)
    assert work.began.wait(5)
    for number in (1, 2, 3):
        queue.put("key", number)
    work.goes_on.set()
    assert queue.wait_done(5)
    assert work.done == [("key", 0), ("key", 3)]


def test_what_could_not_be_done_waits_until_it_is_asked_for(work: Work) -> None:
    work.faults["key"] = Postponed("the disk is full")
    queue = deferred(work)
    queue.put("key", 1)
    assert not queue.wait_done(5)
    assert work.tried == ["key"]
    work.faults.clear()
    queue.try_again()
    assert queue.wait_done(5)
    assert work.done == [("key", 1)]


def test_a_full_disk_is_tried_with_one_thing_at_a_time(work: Work) -> None:
    work.goes_on.clear()
    queue = deferred(work)
    for key in ("a", "b", "c"):
        work.faults[key] = Postponed("the disk is full")
        queue.put(key, 1)
    work.goes_on.set()
    assert not queue.wait_done(5)
    assert work.tried == ["a"]
    queue.try_again()
    assert not queue.wait_done(5)
    assert work.tried == ["a", "b"]


@pytest.mark.parametrize(
    "fault", [RuntimeError("a bug"), KeyError("cam1"), MemoryError(), OSError(24, "no descriptor")]
)
def test_an_unexpected_fault_ends_nothing_and_holds_up_no_other(work: Work, fault: Exception) -> None:
    work.goes_on.clear()
    queue = deferred(work)
    work.faults["bad"] = fault
    queue.put("bad", 1)
    queue.put("good", 2)
    work.goes_on.set()
    assert not queue.wait_done(5)
    assert work.done == [("good", 2)]
    assert queue.failures == 1
    work.faults.clear()
    queue.try_again()
    assert queue.wait_done(5)
    assert work.done == [("good", 2), ("bad", 1)]


def test_a_fault_that_stays_is_given_up_counted_and_said(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    queue = deferred(work)
    work.faults["bad"] = RuntimeError("a bug")
    queue.put("bad", 1)
    for _ in range(FAULTS_MAX + 3):
        queue.wait_done(5)
        queue.try_again()
    assert queue.wait_done(5)
    assert work.tried == ["bad"] * FAULTS_MAX
    assert (queue.given_up, queue.waiting) == (1, 0)
    assert "test: given up: RuntimeError: a bug" in caplog.text


def test_a_cause_is_said_once_when_it_begins_and_when_it_ends(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    queue = deferred(work)
    for key in ("a", "b", "c"):
        work.faults[key] = Postponed("the disk is full")
        queue.put(key, 1)
    for _ in range(5):
        queue.wait_done(5)
        queue.try_again()
    queue.wait_done(5)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    for key in work.faults:
        work.faults[key] = Postponed("the disk failed")
    queue.try_again()
    queue.wait_done(5)
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "test: the disk is full",
        "test: the disk failed",
    ]
    work.faults.clear()
    queue.try_again()
    assert queue.wait_done(5)
    (*_, last) = caplog.records
    assert last.getMessage() == "test: succeeds again"
    assert fields_of(last)["failed"] >= 4


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return record.__dict__["fields"]  # type: ignore[no-any-return]


def test_what_is_forgotten_is_not_done(work: Work) -> None:
    work.faults["key"] = Postponed("the disk is full")
    queue = deferred(work)
    queue.put("key", 1)
    assert not queue.wait_done(5)
    assert queue.forget("key", 1)
    queue.try_again()
    assert queue.wait_done(5)
    assert work.tried == ["key"]


def test_what_fails_while_it_is_being_forgotten_does_not_come_back(work: Work) -> None:
    work.faults["key"] = Postponed("the folder is gone")
    work.goes_on.clear()
    queue = deferred(work)
    queue.put("key", 1)
    assert work.began.wait(5)
    forgotten: list[bool] = []
    caller = threading.Thread(target=lambda: forgotten.append(queue.forget("key", 10)))
    caller.start()
    wait_until(lambda: "key" in queue._forgotten, 5)
    work.goes_on.set()
    caller.join(10)
    assert forgotten == [True]
    assert queue.wait_done(5)
    assert queue.waiting == 0


def test_forgetting_what_stands_still_is_over_at_its_deadline(work: Work) -> None:
    work.goes_on.clear()
    queue = deferred(work)
    queue.put("key", 1)
    assert work.began.wait(5)
    queue.put("key", 2)
    assert not queue.forget("key", 0.05)
    work.goes_on.set()
    assert queue.wait_done(5)
    assert work.done == [("key", 1), ("key", 2)]


def test_a_system_without_threads_is_tried_again(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(Shutdown())

    def refuse(*_: object) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threads, "start", refuse)
        queue = Deferred[str, int]("test", work, threads)
        queue.put("key", 1)
        assert not queue.wait_done(5)
    queue.try_again()
    assert queue.wait_done(5)
    assert work.done == [("key", 1)]
