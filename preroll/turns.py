"""Who goes first on a processor, told to Linux's scheduler.

A service works little and is to wake at once; an encoder works without end. Linux (6.12 and later) lets a task of short
turns go before one of long ones, also across containers, where niceness does not count. No rights are needed for it.
Where real-time priority is permitted (a limit RTPRIO of 3, or CAP_SYS_NICE), what must not wait takes that.

Source: sched_setattr(2), sched(7), and the kernel's `sched/fair.c` on `sched_runtime` of fair tasks.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from enum import IntEnum
from typing import Final

from preroll.clock import NS_PER_MS

SHORT_NS: Final = 300_000
LONG_NS: Final = 20 * NS_PER_MS
_SYSCALLS: Final = {"x86_64": 314, "aarch64": 274}
_ATTRIBUTES: Final = struct.Struct(
    "=IIQiIQQQII"
)  # size, policy, flags, nice, priority, runtime, deadline, period, 2 clamps


class Precedence(IntEnum):
    """Real-time priorities: the lowest that there are, as nothing here is to go before a machine's own control."""

    WRITING = 1
    ANSWERS = 2
    FRAMES = 3


def go_first(precedence: Precedence, *, is_passed_on: bool = False) -> bool:
    """Have this thread go before every one that has no real-time priority; false, and nothing done, where that is not
    permitted. Threads and processes that it starts are ordinary ones, unless it `is_passed_on`.
    """
    try:
        policy = os.SCHED_RR if is_passed_on else os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(max(Precedence)))  # all are permitted, or none is used
        os.sched_setscheduler(0, policy, os.sched_param(precedence))
    except (OSError, AttributeError):
        return False
    return True


def take_short_turns() -> None:
    """For this thread and those that it starts, which have no real-time priority then. Where the system has no such
    thing, nothing happens.
    """
    _set_turn(SHORT_NS)


def take_long_turns() -> None:
    """As `take_short_turns`, for work that others may interrupt at any time."""
    _set_turn(LONG_NS)


def _set_turn(turn_ns: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # by itself: not every machine has the call below
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    number = _SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, turn_ns, 0, 0, 0, 0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).syscall(number, 0, attributes, 0)
