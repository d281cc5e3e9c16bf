"""`python -m services.capture.health`: whether the capture of this container runs. For Docker's health check.

A capture whose driver hangs is ended by its own watchdog, and what its camera delivers is the recorder's to say; so all
that is asked here is that the process is there and neither stopped nor dead.
"""

import sys
from pathlib import Path
from typing import Final

_PROCESS: Final = (b"-m", b"services.capture")
_NOT_RUNNING: Final = frozenset("TtZXx")


def is_running(proc: Path = Path("/proc")) -> bool:
    for folder in proc.glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has just ended
            continue
        if tuple(arguments[1:3]) == _PROCESS and state not in _NOT_RUNNING:
            return True
    return False


if __name__ == "__main__":
    sys.exit(not is_running())
