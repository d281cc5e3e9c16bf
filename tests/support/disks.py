"""Disks that fail, stand still or end the process at a chosen moment."""

import errno
import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.recorder.store.disk import Disk

Call = Literal["create", "write", "sync", "sync_data", "sync_folder", "replace", "truncate"]


class WatchedDisk(Disk):
    """A real disk that counts its calls; `before` is told of each."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def before(self, call: Call, number: int) -> None:
        """Called before the `number`-th (from 1) such call."""

    def create(self, path: Path) -> int:
        self._count("create")
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> int:
        self._count("write")
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._count("sync")
        super().sync(fd)

    def sync_data(self, fd: int) -> None:
        self._count("sync_data")
        super().sync_data(fd)

    def sync_folder(self, path: Path) -> None:
        self._count("sync_folder")
        super().sync_folder(path)

    def replace(self, old: Path, new: Path) -> None:
        self._count("replace")
        super().replace(old, new)

    def truncate(self, path: Path, size_bytes: int) -> None:
        self._count("truncate")
        super().truncate(path, size_bytes)

    def _count(self, call: Call) -> None:
        with self._lock:
            self.calls[call] += 1
            number = self.calls[call]
        self.before(call, number)


class FailingDisk(WatchedDisk):
    """Fails the calls named `call` whose number is in `numbers`, with `error`."""

    def __init__(self, call: Call, numbers: range, error: int = errno.EIO) -> None:
        super().__init__()
        self._call = call
        self._numbers = numbers
        self._error = error

    def before(self, call: Call, number: int) -> None:
        if call == self._call and number in self._numbers:
            raise OSError(self._error, os.strerror(self._error))


class FullDisk(WatchedDisk):
    """Takes `free_bytes`, then has no space left until `make_space`."""

    def __init__(self, free_bytes: int) -> None:
        super().__init__()
        self._free_bytes = free_bytes

    def make_space(self, free_bytes: int) -> None:
        self._free_bytes = free_bytes

    def write(self, fd: int, data: memoryview) -> int:
        if self._free_bytes <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(fd, data[: self._free_bytes])
        self._free_bytes -= written
        return written


class StandingDisk(WatchedDisk):
    """From the `stands_from`-th write on, writes wait for `go_on`."""

    def __init__(self, stands_from: int) -> None:
        super().__init__()
        self.stands = threading.Event()
        self._stands_from = stands_from
        self._goes = threading.Event()

    def go_on(self) -> None:
        self._goes.set()

    def before(self, call: Call, number: int) -> None:
        if call == "write" and number >= self._stands_from and not self._goes.is_set():
            self.stands.set()
            self._goes.wait(30)


class DeadlyDisk(WatchedDisk):
    """Ends the process, as kill -9 does, before its `last`-th call.

    The background's syncs are not counted: they come when they come, and change nothing that a killed process leaves.
    """

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last = last

    def before(self, call: Call, number: int) -> None:
        if call != "sync_data" and self.calls.total() - self.calls["sync_data"] >= self._last:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Survivors:
    """What a power cut would leave: the contents of files by inode, and the names in each folder."""

    contents: dict[int, bytes] = field(default_factory=dict)
    names: dict[Path, dict[str, int | None]] = field(default_factory=dict)  # None: a folder

    def lay_out(self, root: Path, into: Path) -> None:
        """Make the tree that was under `root` anew under `into`."""
        into.mkdir(parents=True)
        for name, inode in self.names.get(root, {}).items():
            if inode is None:
                self.lay_out(root / name, into / name)
            else:
                (into / name).write_bytes(self.contents.get(inode, b""))

    def copy(self) -> "Survivors":
        return Survivors(dict(self.contents), {folder: dict(names) for folder, names in self.names.items()})


class PowerCutDisk(WatchedDisk):
    """Knows what a power cut would leave at worst: contents as last synced, names as last synced, nothing else.

    `cuts` holds the survivors of a cut just before each call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = Survivors()
        self.cuts: list[Survivors] = []

    def before(self, call: Call, number: int) -> None:
        self.cuts.append(self.now.copy())

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self._keep(fd)

    def sync_data(self, fd: int) -> None:
        super().sync_data(fd)
        self._keep(fd)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self.now.names[path] = {entry.name: None if entry.is_dir() else entry.stat().st_ino for entry in path.iterdir()}

    def _keep(self, fd: int) -> None:
        self.now.contents[os.fstat(fd).st_ino] = os.pread(fd, os.fstat(fd).st_size, 0)
