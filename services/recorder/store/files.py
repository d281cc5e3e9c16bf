"""The clips directory: where everything lies, and writing that either happened whole or did not happen.

    <date>/<event_id>/event.json                    the accepted event
    <date>/<event_id>/<camera_id>.original.mp4      the clip as the camera sent it
    <date>/<event_id>/<camera_id>.mp4               its rendition for browsers
    <date>/<event_id>/<camera_id>.jpg, .json        the trigger frame, the sidecar
    …/*.part                                        being written; after a crash salvaged or removed

Rule: a file under its own name is whole and on disk; whatever is not yet so ends in `.part`.
"""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S
from services.recorder.store.disk import Disk, WriteFailed, translated
from services.recorder.store.output_file import OutputFile

PART: Final = ".part"
_DELETED: Final = ".deleted-"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_HASH_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ClipPaths:
    """The files of one clip."""

    folder: Path
    camera_id: str

    @property
    def original(self) -> Path:
        return self.folder / f"{self.camera_id}.original.mp4"

    @property
    def original_part(self) -> Path:
        return self.folder / f"{self.camera_id}.original.mp4{PART}"

    @property
    def salvaged_part(self) -> Path:
        return self.folder / f"{self.camera_id}.salvaged.mp4{PART}"

    @property
    def journal_part(self) -> Path:
        """What frames were written, while they are (journal.py)."""
        return self.folder / f"{self.camera_id}.frames{PART}"

    @property
    def clip(self) -> Path:
        return self.folder / f"{self.camera_id}.mp4"

    @property
    def clip_part(self) -> Path:
        return self.folder / f"{self.camera_id}.mp4{PART}"

    @property
    def poster(self) -> Path:
        return self.folder / f"{self.camera_id}.jpg"

    @property
    def sidecar(self) -> Path:
        return self.folder / f"{self.camera_id}.json"

    def by_kind(self) -> dict[wire.FileKind, Path]:
        return {"clip": self.clip, "original": self.original, "poster": self.poster, "sidecar": self.sidecar}


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
        return self.root / folder / "event.json"

    def write_event(self, folder: str, event: wire.Event) -> None:
        """Write the event's record, durably; its folder is made when missing. `WriteFailed` when that fails."""
        self.write_durably(self.event_file(folder), event.model_dump_json().encode() + b"\n")

    def clip(self, folder: str, camera_id: str) -> ClipPaths:
        return ClipPaths(self.root / folder, camera_id)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

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
        """Remove a file, if it is there. A failure is not an error: what ends in `.part` is removed at start again."""
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
        """The disk's figures; `clips_bytes` is the index's sum. An unreadable disk counts as full."""
        try:
            figures = shutil.disk_usage(self.root)
        except OSError:
            return wire.Disk(total_bytes=0, free_bytes=0, clips_bytes=clips_bytes, is_full=True)
        return wire.Disk(
            total_bytes=figures.total,
            free_bytes=figures.free,
            clips_bytes=clips_bytes,
            is_full=figures.free < min_free_bytes,
        )

    def folders(self) -> Iterator[str]:
        """The folders of all events on disk, relative to the root."""
        for date in self._dates():
            for event_id in sorted(_names_in(self.root / date)):
                if not event_id.startswith(_DELETED) and (self.root / date / event_id).is_dir():
                    yield f"{date}/{event_id}"

    # --- removing

    def remove_event(self, folder: str) -> None:
        """Remove an event's folder. A crash in between leaves one that `remove_deleted` ends, never half an event."""
        path = self.root / folder
        doomed = path.with_name(_DELETED + path.name)
        if path.is_dir():
            shutil.rmtree(doomed, ignore_errors=True)
            self.rename_durably(path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # the last event of its date

    def remove_deleted(self) -> None:
        """At start: end the removals that a crash interrupted."""
        for date in self._dates():
            for name in _names_in(self.root / date):
                if name.startswith(_DELETED):
                    shutil.rmtree(self.root / date / name, ignore_errors=True)

    def _dates(self) -> list[str]:
        # A volume's root may hold what is not ours, such as lost+found.
        return sorted(name for name in _names_in(self.root) if _DATE.fullmatch(name))

    def remove_strays(self, folder: str, keep: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Remove every `.part` in an event's folder but those of the cameras in `keep`; the names of what went."""
        strays = tuple(
            name
            for name in sorted(_names_in(self.root / folder))
            if name.endswith(PART) and name.partition(".")[0] not in keep
        )
        for name in strays:
            self.remove(self.root / folder / name)
        return strays


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
