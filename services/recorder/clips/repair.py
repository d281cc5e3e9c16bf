"""Makes a proper original of one that nobody closed, after a crash or a failure of the disk."""

from pathlib import Path
from typing import Final

from services.recorder.clips import mp4_boxes
from services.recorder.store.disk import WriteFailed, translated
from services.recorder.store.files import ClipsDir
from services.recorder.store.names import ClipPaths
from services.recorder.clips.original import OriginalWriter, Unreadable, read_frames

_MARKER: Final = 0xFF
_JPEG_START: Final = b"\xff\xd8\xff"
_JPEG_END: Final = b"\xff\xd9"
_CHUNK_BYTES: Final = 1 << 20
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def reclaim(clips: ClipsDir, paths: ClipPaths) -> int:
    """Turn `<camera>.original.mp4.part` into the original; how many frames it has, 0 when none could be had.

    It is written anew, because after a failed sync the system may hold pages for written that are not. Where there is
    no space for that, the file itself is cut after its last whole frame, which players read as well. `WriteFailed` when
    that fails too; the part is then still there. The new name is durable after the next sync of the folder.

    A part goes only where its frames are in the original, or it holds no picture. `WriteFailed` for one that holds some
    and cannot be read as a film, `ReadFailed` for one that the system does not let be read: both stay.
    """
    part = paths.original_part
    if not part.exists():
        return count_frames(paths) if paths.original.exists() else 0
    try:
        return _rewrite(clips, paths)
    except Unreadable as err:
        if holds_picture(part):
            raise WriteFailed(f"{err}; {part.name} is kept, it holds pictures") from err
        clips.remove(part)
        return 0
    except WriteFailed:
        return _cut(clips, paths)


def count_frames(paths: ClipPaths) -> int:
    """Frames in the original; 0 when it cannot be read."""
    try:
        return sum(1 for _ in read_frames(paths.original))
    except Unreadable:
        return 0


def _rewrite(clips: ClipsDir, paths: ClipPaths) -> int:
    frames = read_frames(paths.original_part)
    first = next(frames)
    writer = OriginalWriter(clips.disk, paths.salvaged_part, *size_of(first.jpeg))
    try:
        writer.write(first.jpeg, first.pts)
        for frame in frames:
            writer.write(frame.jpeg, frame.pts)
        writer.close()
        clips.rename_durably(paths.salvaged_part, paths.original)
    except (WriteFailed, OSError):
        writer.abandon()
        clips.remove(paths.salvaged_part)
        raise
    clips.remove(paths.original_part)
    return writer.frames


def _cut(clips: ClipsDir, paths: ClipPaths) -> int:
    whole = mp4_boxes.measure(paths.original_part)
    if not whole.size_bytes:
        raise WriteFailed(f"{paths.original_part.name} is kept: there is no space to write it anew, none of it is whole")
    with translated("cut", paths.original_part):
        clips.disk.truncate(paths.original_part, whole.size_bytes)
    clips.rename(paths.original_part, paths.original)
    return count_frames(paths)


def holds_picture(path: Path) -> bool:
    """Whether a whole JPEG may lie in the file, whatever its form: there is an end of image behind a start of image."""
    has_begun = False
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            data = tail + chunk
            begin = 0
            if not has_begun and (begin := data.find(_JPEG_START)) >= 0:
                has_begun = True
            if has_begun and data.find(_JPEG_END, begin) >= 0:
                return True
            tail = data[-2:]
    return False


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the JPEG's frame header (ITU-T T.81, B.2.2); 16 by 16 when it has none."""
    at = 2
    while at + 9 < len(jpeg) and jpeg[at] == _MARKER:
        kind = jpeg[at + 1]
        if kind in _FRAME_HEADERS:
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return 16, 16
