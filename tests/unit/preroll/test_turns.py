"""Turns on the processor: the kernel is asked what it was told."""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from preroll.turns import LONG_NS, SHORT_NS, take_long_turns, take_short_turns

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
