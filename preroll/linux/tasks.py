"""Threads and processes: how many more may be started.

The limit is that of the control group: `TasksMax` of a systemd unit, `--pids-limit` of a container. A figure that
cannot be read is `None`, and never an error.

Source: the kernel's cgroup-v2.rst and cgroup-v1/pids.rst (`pids.max`, `pids.current`).
"""

from pathlib import Path

from preroll.linux.groups import GROUPS, ROOT, folders


def free(groups: Path = GROUPS, root: Path = ROOT) -> int | None:
    """How many more this process's control group, and those above it, may have; `None` where there is no limit."""
    left = [left for folder in folders("pids", groups, root) if (left := _left_in(folder)) is not None]
    return min(left, default=None)


def _left_in(folder: Path) -> int | None:
    try:
        most = (folder / "pids.max").read_text().strip()
        return None if most == "max" else int(most) - int((folder / "pids.current").read_text())
    except (OSError, ValueError):
        return None
