"""What a process and its children cost, by the kernel's own accounting."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")
_FIRST_AFTER_NAME: Final = 2  # field 3 of proc(5) is the first after the name's bracket
_CHILDREN_FIELDS: Final = slice(16 - 1 - _FIRST_AFTER_NAME, 18 - 1 - _FIRST_AFTER_NAME)
_CPUCLOCK_SCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What processes cost over some seconds: CPU in percent of one core, one figure a slice; memory in bytes."""

    cpu_percent: list[float]
    pss_bytes: int

    @property
    def mean_percent(self) -> float:
        return sum(self.cpu_percent) / len(self.cpu_percent)


def ended_children_s(stat: str) -> float:
    """CPU seconds of a process's children that have ended, out of a `/proc/<pid>/stat`."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(field) for field in fields[_CHILDREN_FIELDS]) / TICKS_PER_S


def own_cpu_s(pid: int) -> float:
    """CPU seconds of a process, all its threads, to the nanosecond. `OSError` when it has gone.

    Its CPU clock is named as clock_getcpuclockid(3) does: `stat` has ticks of 10 ms, a fifth of what a camera costs in a
    second.
    """
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def pss_in(rollup: str) -> int:
    """Bytes of memory, shared pages divided among their owners, out of a `/proc/<pid>/smaps_rollup`."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; those that have gone are left out."""
    found = [pid]
    for at in found:  # grows as it is read
        try:
            for task in (PROC / str(at) / "task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue
    return found


def cpu_s(*pids: int) -> float:
    """CPU seconds that the processes and their trees have used so far."""
    used_s = 0.0
    for pid in pids:
        for member in tree(pid):
            try:
                used_s += own_cpu_s(member) + ended_children_s((PROC / str(member) / "stat").read_text())
            except OSError:
                continue
    return used_s


def pss_bytes(*pids: int) -> int:
    """Memory of the processes and their trees now."""
    total = 0
    for pid in pids:
        for member in tree(pid):
            try:
                total += pss_in((PROC / str(member) / "smaps_rollup").read_text())
            except OSError:
                continue
    return total


def watch(pids: list[int], slices: int, slice_s: float) -> Load:
    """Watch the processes for `slices` times `slice_s` seconds."""
    percents: list[float] = []
    used_s, at_s = cpu_s(*pids), time.monotonic()
    for _ in range(slices):
        time.sleep(slice_s)
        now_used_s, now_s = cpu_s(*pids), time.monotonic()
        percents.append(100 * (now_used_s - used_s) / (now_s - at_s))
        used_s, at_s = now_used_s, now_s
    return Load(percents, pss_bytes(*pids))


def machine_busy_s() -> float:
    """CPU seconds that all processes of this machine have used since it started."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:8]]
    user, nice, system, _idle, _iowait, irq, softirq = fields
    return (user + nice + system + irq + softirq) / TICKS_PER_S
