"""Who holds locks on a file, for a message that names the program. Linux tells; elsewhere nobody is named."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_LOCKS: Final = Path("/proc/locks")
_NAMED_MAX: Final = 3


def holders_of(paths: Iterable[Path]) -> str:
    """Other processes with a lock on one of the files: `sqlite3 (process 4711)`; empty when none is seen.

    A process of another container holds its lock unseen.
    """
    found: dict[int, None] = {}
    try:
        inodes = {path.stat().st_ino for path in paths if path.exists()}
        for line in _LOCKS.read_text().splitlines():
            # "1: POSIX  ADVISORY  WRITE 4711 fe:01:131 0 EOF"; a waiting one has "->" behind the number (proc(5))
            facts = line.replace("->", "").split()
            process, inode = int(facts[4]), int(facts[5].rpartition(":")[2])
            if inode in inodes and process not in (0, -1, os.getpid()):
                found[process] = None
    except (OSError, ValueError, IndexError):
        return ""
    return ", ".join(_named(process) for process in list(found)[:_NAMED_MAX])


def _named(process: int) -> str:
    try:
        name = Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
    except OSError:
        return f"process {process}"
    return f"{name} (process {process})"
