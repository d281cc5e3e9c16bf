"""Control groups: where the kernel keeps what this process may have, in both of its versions.

Source: cgroups(7) on /proc/self/cgroup, the kernel's cgroup-v2.rst.
"""

from functools import cache
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/proc/self/cgroup")
ROOT: Final = Path("/sys/fs/cgroup")


@cache
def folders(controller: str, groups: Path = GROUPS, root: Path = ROOT) -> tuple[Path, ...]:
    """The folders of this process's group and of those above it; none where the system does not tell.

    In a container the root is the container's own group, whatever its path is outside.
    """
    try:
        lines = [line.split(":", 2) for line in groups.read_text().splitlines()]
    except OSError:
        return ()
    found: list[Path] = []
    for controllers, path in ((line[1], line[2]) for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controller if controllers else root
        group = top / path.lstrip("/")
        found += [group, *(above for above in group.parents if above.is_relative_to(top))]
    return tuple(found)
