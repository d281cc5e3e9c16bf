"""The names of the files in the clips directory.

    <date>/<event_id>/event.json                    the accepted event
    <date>/<event_id>/<camera_id>.original.mp4      the clip as the camera sent it
    <date>/<event_id>/<camera_id>.mp4               its rendition for browsers
    <date>/<event_id>/<camera_id>.jpg, .json        the trigger frame, the sidecar (of a camera `event`: .sidecar.json)
    …/*.part                                        being written; after a crash salvaged or removed
    running.json, index.sqlite                      for how long recorders have run here; the index

Pure: no disk is asked.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from preroll import wire

PART: Final = ".part"
INDEX_NAME: Final = "index.sqlite"
EVENT_FILE: Final = "event.json"
_SIDECAR_OF_EVENT: Final = "event.sidecar.json"  # of a camera named `event`: `event.json` is the event's own


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
        return self.folder / _sidecar_name(self.camera_id)

    def by_kind(self) -> dict[wire.FileKind, Path]:
        return {"clip": self.clip, "original": self.original, "poster": self.poster, "sidecar": self.sidecar}


def shown(name: str) -> str:
    """A name from the disk for people and logs: bytes that are not UTF-8 are written out."""
    return name.encode(errors="backslashreplace").decode()


def _sidecar_name(camera_id: str) -> str:
    name = f"{camera_id}.json"
    return _SIDECAR_OF_EVENT if name == EVENT_FILE else name


def camera_of_sidecar(name: str) -> str | None:
    """The camera whose sidecar bears this name; `None` for every other name."""
    camera_id = name.partition(".")[0]
    return camera_id if wire.is_camera_id(camera_id) and name == _sidecar_name(camera_id) else None
