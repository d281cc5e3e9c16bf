"""Memory: how much this process and those beside it in its control group may have: `MemoryMax` of a systemd unit,
`mem_limit` of a container. A figure that cannot be read is `None`, and never an error.

Source: the kernel's cgroup-v2.rst (`memory.max`) and cgroup-v1/memory.rst (`memory.limit_in_bytes`).
"""

from pathlib import Path
from typing import Final

from preroll.linux.groups import GROUPS, ROOT, folders

_UNLIMITED_BYTES: Final = 1 << 60  # the older control groups state a limit that is none


def limit_bytes(groups: Path = GROUPS, root: Path = ROOT) -> int | None:
    """The least that this process's control group, or one above it, may have; `None` where there is no limit."""
    found = [
        limit
        for folder in folders("memory", groups, root)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _limit_in(folder / name)) is not None
    ]
    return min(found, default=None)


def _limit_in(path: Path) -> int | None:
    try:
        limit = int(path.read_text())  # "max" is no number
    except (OSError, ValueError):
        return None
    return limit if limit < _UNLIMITED_BYTES else None
