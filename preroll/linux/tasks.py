"""Threads and processes: how many more may be started.

The limit is that of the control group: `TasksMax` of a systemd unit, `--pids-limit` of a container. A figure that
cannot be read is `None`, and never an error.

Source: the kernel's cgroup-v2.rst and cgroup-v1/pids.rst (`pids.max`, `pids.current`), cgroups(7) on /proc/self/cgroup.
"""

from functools import cache
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/proc/self/cgroup")
_ROOTS: Final = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/pids"))


def free(groups: Path = _GROUPS, roots: tuple[Path, ...] = _ROOTS) -> int | None:
    """How many more this process's control group, and those above it, may have; `None` where there is no limit."""
    least: int | None = None
    for folder in _folders(groups, roots):
        left = _left_in(folder)
        if left is not None and (least is None or left < least):
            least = left
    return least


@cache
def _folders(groups: Path, roots: tuple[Path, ...]) -> list[Path]:
    """The group's folder and those above it, which are many where a machine has both versions of control groups."""
    try:
        lines = [line.split(":", 2) for line in groups.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for root in roots:
        is_v1 = root.name == "pids"
        for controllers, path in ((line[1], line[2]) for line in lines if len(line) == 3):
            if controllers.split(",") == ["pids"] if is_v1 else not controllers:
                group = root / path.lstrip("/")
                found += [group, *(above for above in group.parents if above.is_relative_to(root))]
    return found


def _left_in(folder: Path) -> int | None:
    try:
        most = (folder / "pids.max").read_text().strip()
        return None if most == "max" else int(most) - int((folder / "pids.current").read_text())
    except (OSError, ValueError):
        return None
