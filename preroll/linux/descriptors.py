"""File descriptors: how many this process may have, and how many it has.

Every connection, file and pipe is one. Where there is no further one, whatever asks next fails: a clip's file, a
connection of a camera, the index. A figure that cannot be read is `None`, and never an error.

Sources: getrlimit(2); proc_pid_fd(5), whose `stat` has the number of open descriptors as its size since Linux 6.2.
"""

import contextlib
import errno
import sys
from pathlib import Path
from typing import Final

MOST: Final = 1 << 20  # a hard limit may be 2^30 or infinite; Linux grants no more than this unless told so
_TRIED: Final = (MOST, 65_536, 10_240, 4_096)  # macOS states no hard limit, and refuses what is beyond its own
_OPEN: Final = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")


def raise_limit() -> int | None:
    """Raise the soft limit to the hard one, as far as the system grants it; the limit then in force.

    The soft limit is 1024 nearly everywhere, for the sake of programs that use `select`, as none of ours does.
    """
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            most = MOST if hard == resource.RLIM_INFINITY else hard
            for wanted in sorted({min(most, tried) for tried in _TRIED}, reverse=True):
                if soft == resource.RLIM_INFINITY or wanted <= soft:
                    break
                with contextlib.suppress(OSError, ValueError):
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                    break
    return limit()


def limit() -> int | None:
    """How many this process may have now: others may change it while it runs."""
    if sys.platform == "win32":
        return None
    import resource

    try:
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except (OSError, ValueError):
        return None
    return None if soft == resource.RLIM_INFINITY else soft


def in_use(folder: Path = _OPEN) -> int | None:
    """How many this process has open."""
    try:
        counted = folder.stat().st_size if sys.platform == "linux" else 0
        return counted or sum(1 for _ in folder.iterdir()) - 1  # less the one by which it was listed
    except OSError as err:
        # To list them takes one more: where there is none, all are in use.
        return limit() if err.errno == errno.EMFILE else None
