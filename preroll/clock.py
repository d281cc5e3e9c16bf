"""Where time comes from. Everything that decides takes a time or a `Clock` as an argument.

Windows are computed on the monotonic clock, which all processes of one boot share (containers included); the wall
clock only names things. Two readings of different boots cannot be compared, so an `Instant` carries its boot.
"""

import contextlib
import hashlib
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, Protocol

BootId = NewType("BootId", str)

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
UNIX_MAX_S = 4_102_444_800  # the year 2100: a moment beyond it is a mistake of whoever names it


class Clock(Protocol):
    """A source of time; `SystemClock` in services, a hand-moved one in tests."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of the clock that never steps (CLOCK_MONOTONIC)."""
        ...

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; may step at any time."""
        ...


class SystemClock:
    """The clocks of this machine."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    unix_ns = staticmethod(time.time_ns)


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment, read on both clocks of one boot."""

    boot_id: BootId
    monotonic_ns: int
    unix_ns: int

    @classmethod
    def now(cls, clock: Clock, boot_id: BootId) -> "Instant":
        return cls(boot_id, clock.monotonic_ns(), clock.unix_ns())


def read_boot_id() -> BootId:
    """The id of this boot of this machine: equal for all processes and containers whose monotonic clocks are equal.

    Linux states it (`/proc/sys/kernel/random/boot_id`). Elsewhere it is made from the machine's network id and the
    hour at which it booted, which is stable within a boot and differs between machines.
    """
    stated = Path("/proc/sys/kernel/random/boot_id")
    with contextlib.suppress(OSError):
        return BootId(stated.read_text().strip())
    booted_hour = round((time.time() - time.monotonic()) / 3600)
    return BootId(hashlib.sha256(f"{uuid.getnode()}/{booted_hour}".encode()).hexdigest()[:32])


def seconds(ns: int) -> float:
    """Nanoseconds as seconds."""
    return ns / NS_PER_S


def nanoseconds(s: float) -> int:
    """Seconds as nanoseconds, to the nearest microsecond (a float holds no more of a Unix time)."""
    return round(s * 1_000_000) * 1000
