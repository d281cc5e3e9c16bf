"""The clips folder has one owner: whoever holds its lock. A second recorder would salvage what the first is recording.

The lock is the kernel's (flock) and ends with the process that holds it, however that ends; nobody else inherits it. It
is taken on the folder itself, so that a deleted lock file frees nothing, and on a file in it, which says who the owner is
and serves where a folder cannot be locked (NFS, Windows). It works between containers of one machine. The file stays.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from preroll.logs import fields
from preroll.process import Shutdown

log = logging.getLogger(__name__)

NAME: Final = "recorder.lock"
WAIT_S: Final = 2.0
WAIT_FOR_END_S: Final = (
    20.0  # in an update the former recorder may still be closing its clips: it is given 15 s for that
)
STEP_S: Final = 0.1
OWNER_MAX_BYTES: Final = 4096
_IN_USE: Final = {errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
# What a file system answers that has no locks, or has no room for a file.
_NO_LOCK: Final = {
    errno.ENOLCK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EBADF,
    errno.ENOSPC,
    errno.EDQUOT,
}


class FolderInUse(Exception):
    """Another recorder works in this folder."""


class FolderLock:
    """The lock of one clips folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._held: list[int] = []
        self._since = datetime.now(UTC).isoformat("T", "seconds")

    def take(self, shutdown: Shutdown, wait_s: float = WAIT_S, wait_for_end_s: float = WAIT_FOR_END_S) -> bool:
        """Take the lock; wait `wait_s` seconds for it at most, and `wait_for_end_s` for an owner who is at his end.

        False when the end is requested meanwhile. `FolderInUse` when the owner stays; `OSError` when the folder cannot
        be used at all. Where the file system has no locks, that is said, and the folder is used without one.
        """
        began_s = time.monotonic()
        is_told = False
        while not self._try():
            owner, is_ending = self._owner()
            if time.monotonic() - began_s >= (wait_for_end_s if is_ending else wait_s):
                raise FolderInUse(f"{self._folder} is in use by {owner}: two recorders cannot share a folder")
            if not is_told:
                is_told = True
                log.warning("clips folder is in use by %s: waiting", owner)
            if shutdown.wait(STEP_S):
                return False
        if not self._held:
            log.warning(
                "the file system has no locks: a second recorder on this folder would not be noticed",
                extra=fields(clips_dir=str(self._folder)),
            )
        self._sign(is_ending=False)
        return True

    def note_end(self) -> None:
        """Tell a successor that it is worth its while to wait."""
        self._sign(is_ending=True)

    def close(self) -> None:
        """Let go of the folder."""
        for descriptor in reversed(self._held):
            os.close(descriptor)
        self._held.clear()

    def _try(self) -> bool:
        """Lock the folder and its file, as far as the system can; false, and nothing held, when another holds one."""
        for path, flags in ((self._folder, os.O_RDONLY), (self._path, os.O_RDWR | os.O_CREAT)):
            if path is self._folder and sys.platform == "win32":
                continue
            try:
                descriptor = os.open(path, flags, 0o644)  # Python's own rule: not inherited by a process that it starts
            except OSError as err:
                if err.errno in _NO_LOCK:
                    continue
                if self._held:  # the folder itself is locked: its file only says by whom
                    log.warning("the lock's file cannot be used, the folder is locked without it: %s", err)
                    continue
                raise
            try:
                _lock(descriptor)
            except OSError as err:
                os.close(descriptor)
                if err.errno in _IN_USE:
                    self.close()
                    return False
                if err.errno not in _NO_LOCK:
                    self.close()
                    raise
                continue
            self._held.append(descriptor)
        return True

    def _sign(self, *, is_ending: bool) -> None:
        """Write into the file who holds it. A disk that is full prevents nothing: the lock itself is the kernel's."""
        who = {"host": socket.gethostname(), "pid": os.getpid(), "since": self._since, "is_ending": is_ending}
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps(who) + "\n")

    def _owner(self) -> tuple[str, bool]:
        """The owner in words, and whether he is at his end, as far as the file says."""
        try:
            with self._path.open("rb") as file:
                who = json.loads(file.read(OWNER_MAX_BYTES))
            words = f"the recorder on host {who['host']}, process {who['pid']}, since {who['since']}"
            return words, who.get("is_ending") is True
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return "another recorder", False


if sys.platform == "win32":
    import msvcrt

    _LOCKED_AT: Final = 1 << 30  # beyond the text, which others are to read

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_AT, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
