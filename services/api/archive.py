"""All files of an event as one ZIP, made while it is sent. Stored, not deflated: video does not get smaller."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S
from services.api.clip_files import OutsideClips, open_under

CHUNK_BYTES: Final = 1024 * 1024
_ZIP_YEARS: Final = (1980, 2107)


class _Outlet(RawIOBase):
    """Where the ZIP is written to; cannot seek, so sizes come behind the files."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._written += view
        return view.nbytes

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def chunks_of(root: Path, event: wire.Event, event_json: bytes) -> Iterator[bytes]:
    """The ZIP's bytes: the event and every file of its clips that is there, in a folder with the event's id.

    Blocks on the disk: to be run in a thread.
    """
    outlet = _Outlet()
    moment = _moment_of(event)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{event.event_id}/event.json", moment), event_json)
        # A clip that stays as the camera sent it is its own original: one file, named twice.
        for path in dict.fromkeys(fact.path for clip in event.clips for fact in clip.files.values()):
            yield from _file(archive, outlet, root, path, f"{event.event_id}/{Path(path).name}", moment)
    yield outlet.take()


def _moment_of(event: wire.Event) -> tuple[int, int, int, int, int, int]:
    """The trigger's time as a ZIP can hold it: a wrong clock's date lies at the nearest end of 1980 to 2107."""
    at = datetime.fromtimestamp(event.triggered_unix_ns // NS_PER_S, UTC)
    if not _ZIP_YEARS[0] <= at.year <= _ZIP_YEARS[1]:
        return (1980, 1, 1, 0, 0, 0) if at.year < _ZIP_YEARS[0] else (2107, 12, 31, 23, 59, 58)
    return (at.year, at.month, at.day, at.hour, at.minute, at.second)


def _file(
    archive: zipfile.ZipFile,
    outlet: _Outlet,
    root: Path,
    path: str,
    name: str,
    moment: tuple[int, int, int, int, int, int],
) -> Iterator[bytes]:
    try:
        source = open_under(root, path)
    except (FileNotFoundError, OutsideClips):  # removed in the meantime; the event's record says what there was
        return
    info = zipfile.ZipInfo(name, moment)
    with source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
            yield outlet.take()
