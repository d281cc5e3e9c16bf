"""What comes behind an answer: the newest state of each thing, and what could not be done is tried again."""

import threading

from services.recorder.events.write_behind import Deferred


def test_what_was_put_is_done() -> None:
    done: list[tuple[str, int]] = []

    def carry_out(key: str, item: int) -> bool:
        done.append((key, item))
        return True

    deferred = Deferred("test", carry_out)
    for number in range(3):
        deferred.put(f"key-{number}", number)
    assert deferred.wait_done(5)
    assert done == [("key-0", 0), ("key-1", 1), ("key-2", 2)]


def test_only_the_newest_state_of_a_thing_is_done() -> None:
    began, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def carry_out(_: str, item: int) -> bool:
        began.set()
        assert go_on.wait(5)
        done.append(item)
        return True

    deferred = Deferred("test", carry_out)
    deferred.put("key", 0)
    assert began.wait(5)
    for number in (1, 2, 3):
        deferred.put("key", number)
    go_on.set()
    assert deferred.wait_done(5)
    assert done == [0, 3]


def test_what_could_not_be_done_waits_until_it_is_asked_for() -> None:
    is_possible = False
    tried: list[int] = []

    def carry_out(_: str, item: int) -> bool:
        tried.append(item)
        return is_possible

    deferred = Deferred("test", carry_out)
    deferred.put("key", 1)
    assert not deferred.wait_done(5)
    assert tried == [1]
    is_possible = True
    deferred.try_again()
    assert deferred.wait_done(5)
    assert tried == [1, 1]


def test_what_is_forgotten_is_not_done() -> None:
    tried: list[str] = []

    def carry_out(key: str, _: int) -> bool:
        tried.append(key)
        return False

    deferred = Deferred("test", carry_out)
    deferred.put("key", 1)
    assert not deferred.wait_done(5)
    deferred.forget("key")
    deferred.try_again()
    assert deferred.wait_done(5)
    assert tried == ["key"]
