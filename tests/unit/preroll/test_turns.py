"""Who goes first on the processor: the kernel is asked what it was told."""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from preroll.turns import LONG_NS, SHORT_NS, Precedence, go_first, take_long_turns, take_short_turns

GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
ATTRIBUTES = struct.Struct("=IIQiIQQQII")
RUNTIME = 5
NICENESS = 3


def attributes_after(take: Callable[[], None]) -> tuple[int, ...]:
    """What the kernel says of a thread that has called `take`."""

    def ask() -> tuple[int, ...]:
        take()
        answer = ctypes.create_string_buffer(ATTRIBUTES.size)
        assert ctypes.CDLL(None).syscall(GETATTR, 0, answer, ATTRIBUTES.size, 0) == 0
        return ATTRIBUTES.unpack(answer.raw)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask).result()


def has_turns() -> bool:
    if sys.platform != "linux" or GETATTR is None:
        return False
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (6, 12)


@pytest.mark.skipif(not has_turns(), reason="turns are of Linux 6.12 and later")
@pytest.mark.parametrize(("take", "turn_ns"), [(take_short_turns, SHORT_NS), (take_long_turns, LONG_NS)])
def test_the_kernel_knows_of_the_turns_and_the_niceness_stays(take: Callable[[], None], turn_ns: int) -> None:
    told = attributes_after(take)
    assert told[RUNTIME] == turn_ns
    assert told[NICENESS] == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize("take", [take_short_turns, take_long_turns])
def test_where_there_are_no_turns_nothing_happens(take: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    take()


R = TypeVar("R")


def in_a_thread(run: Callable[[], R]) -> R:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def is_permitted() -> bool:
    return hasattr(os, "sched_setscheduler") and in_a_thread(lambda: go_first(Precedence.WRITING))


def scheduling() -> tuple[int, int]:
    """Policy and real-time priority of this thread."""
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority


@pytest.mark.skipif(not is_permitted(), reason="real-time priority is not permitted here")
@pytest.mark.parametrize("is_passed_on", [False, True])
def test_a_thread_goes_first_and_those_it_starts_only_where_it_is_passed_on(is_passed_on: bool) -> None:
    def ask() -> tuple[tuple[int, int], tuple[int, int]]:
        assert go_first(Precedence.ANSWERS, is_passed_on=is_passed_on)
        return scheduling(), in_a_thread(scheduling)

    own, started = in_a_thread(ask)
    assert own == (os.SCHED_RR, Precedence.ANSWERS)
    assert started == (own if is_passed_on else (os.SCHED_OTHER, 0))


@pytest.mark.skipif(not is_permitted(), reason="real-time priority is not permitted here")
@pytest.mark.parametrize("machine", [platform.machine(), "abacus"])
def test_a_thread_that_takes_turns_again_is_an_ordinary_one(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are no turns: an encoder must never go first."""
    monkeypatch.setattr(platform, "machine", lambda: machine)

    def ask() -> tuple[int, int]:
        go_first(Precedence.WRITING, is_passed_on=True)
        take_short_turns()
        return scheduling()

    assert in_a_thread(ask) == (os.SCHED_OTHER, 0)


def test_where_only_some_of_it_is_permitted_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of 1 would let the threads of a service take 1, and libzmq end the process that asks for 3."""
    granted: list[int] = []

    def grant(_: int, __: int, wanted: os.sched_param) -> None:
        if wanted.sched_priority > 1:
            raise PermissionError
        granted.append(wanted.sched_priority)

    monkeypatch.setattr(os, "sched_setscheduler", grant, raising=False)
    assert not go_first(Precedence.WRITING)
    assert granted == []
