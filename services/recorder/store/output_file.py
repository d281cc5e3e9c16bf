"""A file while it is being written: what the muxer writes to, and what is synced from another thread meanwhile."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from services.recorder.store.disk import Disk, WriteFailed, translated


class OutputFile:
    """A new file at `path`, written through `disk`.

    After a failure every later write fails the same way, so that nothing is ever appended behind a hole.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self.failure: WriteFailed | None = None
        self._begun_bytes = 0
        self._disk = disk
        self._lock = threading.Lock()
        with translated("create", path):
            self._fd = disk.create(path)

    def write(self, data: bytes | memoryview) -> int:
        """Append or overwrite at the position; all of `data`, or `WriteFailed`."""
        self._check()
        try:
            with translated("write", self.path):
                rest = memoryview(data)
                while rest:
                    rest = rest[self._disk.write(self._fd, rest) :]
        except WriteFailed as err:
            self.failure = err
            raise
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._fd, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def begin_sync(self) -> None:
        """Have what was appended since the last call begin its way to disk; does not wait for it.

        So a sync finds little left to do, and holds up others on the same disk, as the answer to a trigger, for less.
        """
        end_bytes = self.tell()
        if end_bytes > self._begun_bytes:
            with translated("begin to sync", self.path):
                self._disk.begin_sync(self._fd, self._begun_bytes, end_bytes - self._begun_bytes)
            self._begun_bytes = end_bytes

    def sync(self) -> None:
        """Bring what is written to disk; from any thread. A failure is kept, and fails the next write."""
        with self._lock:
            if self._fd >= 0 and self.failure is None:
                self._sync_with(self._disk.sync_data)

    def sync_all(self) -> None:
        """As `sync`, with the file's figures; raises the failure, also one kept from before."""
        with self._lock:
            if self.failure is None:
                self._sync_with(self._disk.sync)
        self._check()

    def close(self) -> None:
        """Close the file; not a sync. May be called again."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _sync_with(self, sync: Callable[[int], None]) -> None:
        try:
            with translated("sync", self.path):
                sync(self._fd)
        except WriteFailed as err:
            self.failure = err

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
