"""Removes what a crash left half written of a clip, where the whole of it is there: evidence that is in no other file stays."""

from pathlib import Path

from preroll import wire
from services.recorder.clips import sidecar
from services.recorder.store.files import ClipsDir, read_document
from services.recorder.store.names import PART, ClipPaths


def remove_remnants(clips: ClipsDir, folder: str, clip: wire.Clip) -> list[str]:
    """Remove the clip's parts that are of no more use; their names. The clip is not being recorded.

    A rendition's part goes while there is something to make it of again; the recording's own part and its journal go
    when the pictures, and a sidecar that describes them, have their names. Other parts, and strangers' files, stay.
    """
    paths = clips.clip(folder, clip.camera_id)
    again = [paths.clip_part, paths.salvaged_part, _part_of(paths.sidecar), _part_of(paths.poster)]
    recorded = [paths.original_part, paths.journal_part]
    has_pictures = paths.original.is_file() or paths.clip.is_file()
    doomed = again if has_pictures or paths.original_part.is_file() else []
    if has_pictures and clip.state in {"saved", "ready"} and is_described(paths):
        doomed = [*doomed, *recorded]
    gone = [path for path in doomed if path.is_file()]
    for path in gone:
        clips.remove(path)
    return [path.name for path in gone]


def remove_event_remnant(clips: ClipsDir, folder: str) -> list[str]:
    """Remove what a crash left of a new `event.json`: the index has it all, and the file is written again."""
    part = _part_of(clips.event_file(folder))
    if not part.is_file():
        return []
    clips.remove(part)
    return [part.name]


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + PART)


def is_described(paths: ClipPaths) -> bool:
    """Whether the clip has a sidecar that can be read, and that is its own."""
    try:
        return sidecar.parse(read_document(paths.sidecar)).event.event_id == paths.folder.name
    except (OSError, sidecar.SidecarDamaged):
        return False
