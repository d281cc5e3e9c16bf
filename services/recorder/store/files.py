"""The clips directory: writing that either happened whole or did not happen, and removing. What lies where: names.py.

Rule: a file under its own name is whole and on disk; whatever is not yet so ends in `.part`.
"""

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S
from preroll.logs import fields
from services.recorder.store.disk import Disk, WriteFailed, translated
from services.recorder.store.names import EVENT_FILE, INDEX_NAME, PART, ClipPaths, shown
from services.recorder.store.output_file import OutputFile

log = logging.getLogger(__name__)

FILES_MIN: Final = 256  # an event of eight cameras makes some fifty
_DELETED: Final = ".deleted-"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_HASH_CHUNK_BYTES: Final = 1 << 20
_DOCUMENT_MAX_BYTES: Final = 64 << 20  # a sidecar of an hour at 120 fps has 10 MB


class ClipsDir:
    """The clips directory at `root`. Every write goes through `disk`; errors are `WriteFailed` or `StorageFull`."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk = disk or Disk()

    @staticmethod
    def folder_of(event_id: str, triggered_unix_ns: int) -> str:
        """The folder of an event, relative to the root: the trigger's UTC date, then the event's id."""
        date = datetime.fromtimestamp(triggered_unix_ns // NS_PER_S, UTC).strftime("%Y-%m-%d")
        return f"{date}/{event_id}"

    def folder(self, folder: str) -> Path:
        return self.root / folder

    def event_file(self, folder: str) -> Path:
        return self.root / folder / EVENT_FILE

    def write_event(self, folder: str, event: wire.Event) -> None:
        """Write the event's record, durably; its folder is made when missing. `WriteFailed` when that fails."""
        self.write_durably(self.event_file(folder), event.model_dump_json().encode() + b"\n")

    def clip(self, folder: str, camera_id: str) -> ClipPaths:
        return ClipPaths(self.root / folder, camera_id)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def taken(self, folder: str, others: Iterable[str]) -> str | None:
        """Why a new event cannot have this folder, or `None`. `others` are those whose folders may not be made yet."""
        if os.path.lexists(self.root / folder):
            return f"{folder} is there already, with what is not of this event"
        if not self._tells_case:
            alike = next((other for other in others if other.casefold() == folder.casefold()), None)
            if alike is not None:
                return f"this disk cannot tell {folder} from {alike}"
        return None

    @cached_property
    def _tells_case(self) -> bool:
        """Whether `A1` and `a1` are two folders here; on exFAT, NTFS and many shares they are one."""
        known = self.root / INDEX_NAME
        swapped = known.with_name(INDEX_NAME.upper())
        return not (swapped.exists() and swapped.samefile(known))

    # --- writing

    def make_folder(self, folder: Path) -> None:
        """Make `folder` and its parents durably. One that exists is left as it is."""
        missing: list[Path] = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            with translated("make the folder", path):
                self.disk.make_folder(path)
                self.disk.sync_folder(path.parent)

    def write_durably(self, path: Path, data: bytes) -> None:
        """Write the file whole, durably, in place of any former one; its folder is made when missing."""
        self.make_folder(path.parent)
        self.put(path, data)
        self.sync_folder(path.parent)

    def put(self, path: Path, data: bytes) -> None:
        """As `write_durably`, into a folder that exists, but durable only after the next `sync_folder`."""
        part = path.with_name(path.name + PART)
        try:
            with contextlib.closing(OutputFile(self.disk, part)) as file:
                file.write(data)
                file.sync_all()
            self.rename(part, path)
        except WriteFailed:
            self.remove(part)
            raise

    def rename(self, old: Path, new: Path) -> None:
        """Give a file that is on disk its name; durable after the next `sync_folder`."""
        with translated(f"rename to {new.name}", old):
            self.disk.replace(old, new)

    def rename_durably(self, old: Path, new: Path) -> None:
        self.rename(old, new)
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        with translated("sync the folder", folder):
            self.disk.sync_folder(folder)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there. A failure is not an error: a `.part` is judged again at start."""
        with contextlib.suppress(OSError):
            self.disk.remove(path)

    # --- reading

    def fact(self, path: Path, sha256: str | None = None) -> wire.FileFact:
        """The file's path and size, and its hash if that is known. `OSError` when it is not there."""
        return wire.FileFact(path=self.relative(path), size_bytes=path.stat().st_size, sha256=sha256)

    def hashed_fact(self, path: Path) -> wire.FileFact:
        """As `fact`, with the hash: reads the whole file."""
        return wire.FileFact(path=self.relative(path), size_bytes=path.stat().st_size, sha256=sha256_of(path))

    def usage(self, clips_bytes: int, min_free_bytes: int) -> wire.Disk:
        """The disk's figures now; `clips_bytes` is the index's sum.

        Of a disk that cannot be read nobody knows whether it is full: it has an `error`, and nothing else is to be
        concluded from its figures.
        """
        try:
            return _usage(self.root, clips_bytes, min_free_bytes)
        except OSError as err:
            why = f"the clips' disk cannot be read: {err.strerror or err}"
            return wire.Disk(total_bytes=0, free_bytes=0, clips_bytes=clips_bytes, is_full=False, error=why)

    def folders(self) -> Iterator[str]:
        """The folders on disk that may be events', relative to the root. What cannot be read is logged and left out."""
        for date in self._dates():
            for name in _folders_in(self.root / date):
                if wire.is_event_id(name):
                    yield f"{date}/{name}"

    def _dates(self) -> list[str]:
        # A volume's root may hold what is not ours, such as lost+found.
        return [name for name in _folders_in(self.root) if _DATE.fullmatch(name)]

    # --- removing

    def doom(self, folder: str) -> Path | None:
        """Give an event's folder, durably, a name by which `remove_deleted` knows it; `None` when there is no folder.

        `WriteFailed` when it keeps its name. Of a link to a folder the link alone goes.
        """
        path = self.root / folder
        with translated("remove the folder", path):
            try:
                mode = path.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                return None
            if stat.S_ISLNK(mode):
                self.disk.remove(path)
                return None
        if not stat.S_ISDIR(mode):
            return None  # it never was the event's
        doomed = _free_name(path.with_name(_DELETED + path.name))
        self.rename_durably(path, doomed)
        return doomed

    @staticmethod
    def remove_doomed(doomed: Path) -> None:
        """Remove the folder; what cannot be removed is tried again at the next start."""
        shutil.rmtree(doomed, ignore_errors=True)
        if os.path.lexists(doomed):
            log.error("not removed to its end, tried again at the next start", extra=fields(path=shown(str(doomed))))
        with contextlib.suppress(OSError):
            doomed.parent.rmdir()  # the last event of its date

    def remove_deleted(self) -> None:
        """At start: end the removals that a crash interrupted."""
        for date in self._dates():
            for name in _folders_in(self.root / date):
                deleted = name.removeprefix(_DELETED).partition(".")[0]
                if name.startswith(_DELETED) and wire.is_event_id(deleted):
                    self.remove_doomed(self.root / date / name)


def read_document(path: Path) -> bytes:
    """The contents of a document of ours; `OSError` for what cannot be one: no regular file, or a far too large one."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):  # to open a pipe would wait for its writer
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if facts.st_size > _DOCUMENT_MAX_BYTES:
        raise OSError(errno.EFBIG, f"{facts.st_size} bytes, a document has at most {_DOCUMENT_MAX_BYTES}", str(path))
    return path.read_bytes()


def _usage(root: Path, clips_bytes: int, min_free_bytes: int) -> wire.Disk:
    free_min_bytes = max(1, min_free_bytes)
    if not hasattr(os, "statvfs"):  # Windows
        figures = shutil.disk_usage(root)
        return wire.Disk(
            total_bytes=figures.total,
            free_bytes=figures.free,
            clips_bytes=clips_bytes,
            is_full=figures.free < free_min_bytes,
        )
    disk = os.statvfs(root)
    free_bytes = min(disk.f_bavail * disk.f_frsize, wire.INT63_MAX)
    # File systems that make inodes as they need them state 0 of 0, or any figure.
    files_free = min(disk.f_favail, wire.INT63_MAX) if disk.f_files else None
    return wire.Disk(
        total_bytes=min(disk.f_blocks * disk.f_frsize, wire.INT63_MAX),
        free_bytes=free_bytes,
        clips_bytes=clips_bytes,
        is_full=free_bytes < free_min_bytes or (files_free is not None and files_free < FILES_MIN),
        files_free=files_free,
        error="the clips' disk is read-only" if disk.f_flag & os.ST_RDONLY else None,
    )


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _folders_in(folder: Path) -> list[str]:
    """Names of the folders in `folder`, and of links to folders, in order."""
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir():
                        found.append(entry.name)
                except OSError as err:  # such as a link to itself
                    _log_unreadable(folder / entry.name, err)
    except FileNotFoundError:
        return []
    except OSError as err:
        _log_unreadable(folder, err)
    return sorted(found)


def _log_unreadable(path: Path, err: OSError) -> None:
    log.error("left out, it cannot be read", extra=fields(path=shown(str(path)), error=err.strerror or str(err)))


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free
