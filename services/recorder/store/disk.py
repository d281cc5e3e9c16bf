"""The few calls by which the recorder changes the disk, in one place so that tests can make any of them fail or wait."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_WORDS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full, by its quota",
    errno.EMFILE: "no file descriptor is free",
    errno.ENFILE: "no file descriptor is free in the whole system",
    errno.ENOMEM: "the system has no memory left",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "the recorder has no permission",
    errno.EPERM: "the recorder has no permission",
    errno.ENAMETOOLONG: "a name is too long for the file system",
    errno.EFBIG: "the file is too large for the file system",
    errno.EMLINK: "the folder is full",
    errno.ENOENT: "a file or folder is gone",
    errno.ENOTDIR: "a folder is gone",
    errno.ESTALE: "the network file system has lost the file",
    errno.ETIMEDOUT: "the network file system does not answer",
    errno.EHOSTDOWN: "the network file system does not answer",
    errno.EHOSTUNREACH: "the network file system does not answer",
    errno.ENOTCONN: "the file system is not connected",
    errno.EIO: "the disk failed",
    errno.ENODEV: "the disk is gone",
    errno.ENXIO: "the disk is gone",
    errno.EBUSY: "another program uses the file",
    errno.ETXTBSY: "another program uses the file",
}
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows
_IS_POSIX: Final = os.name == "posix"


class WriteFailed(Exception):
    """What was to be written is not on disk. The text says why, what was being done to which file, and the system's words."""


class StorageFull(WriteFailed):
    """There is no space left; for the operator, or retention, to make some."""


class OutOfDescriptors(WriteFailed):
    """The process, or the system, has no file descriptor left. Others give theirs back: try again."""


class Disk:
    """The real disk. Calls raise `OSError`."""

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file, readable and writable."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o644)

    def write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data)

    def begin_sync(self, fd: int, from_bytes: int, size_bytes: int) -> None:
        """Have the system begin to write that part of the file, without waiting for it; where it can."""
        if hasattr(os, "posix_fadvise"):
            # Linux starts the writing of what it is told that nobody needs, and forgets nothing that is not yet on disk.
            os.posix_fadvise(fd, from_bytes, size_bytes, os.POSIX_FADV_DONTNEED)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    def sync_data(self, fd: int) -> None:
        """The data and what is needed to find it, not the times."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        if not _IS_POSIX:
            return  # Windows has no such call: NTFS journals names by itself
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def replace(self, old: Path, new: Path) -> None:
        old.replace(new)

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Cut the file, durably."""
        fd = os.open(path, os.O_RDWR | _BINARY)
        try:
            os.ftruncate(fd, size_bytes)
            os.fsync(fd)
        finally:
            os.close(fd)

    def make_folder(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


@contextmanager
def translated(doing: str, path: Path) -> Iterator[None]:
    """Turns `OSError` into `StorageFull`, `OutOfDescriptors` or `WriteFailed`, which say what was being done to which file."""
    try:
        yield
    except OSError as err:
        said = f"{cause_of(err)}: cannot {doing} {path.name}: {err.strerror or err}"
        if err.errno in _NO_SPACE:
            raise StorageFull(said) from err
        if err.errno in _NO_DESCRIPTOR:
            raise OutOfDescriptors(said) from err
        raise WriteFailed(said) from err


def cause_of(err: OSError) -> str:
    """What failed, in words for an operator: a disk that works is not called failed."""
    return _WORDS.get(err.errno or 0, "the file could not be used")
