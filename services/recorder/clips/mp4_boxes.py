"""How far an MP4 that nobody closed is whole, by its top-level boxes (ISO/IEC 14496-12, 4.2). Reads, never writes."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_HEADER_BYTES: Final = 8
_LARGE_HEADER_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Whole:
    """`size_bytes` from the file's start form a readable MP4; 0 when there is none. `is_closed`: nothing is missing."""

    size_bytes: int
    is_closed: bool


def measure(path: Path) -> Whole:
    """What of the file is whole. A file in fragments is whole up to its last complete one.

    Written in fragments: `ftyp free free moov mdat (moof mdat)*`; once closed: `ftyp free mdat moov`. A crash while it
    was being closed leaves a second `moov` behind the fragments, which is not counted.
    """
    whole_bytes = 0
    has_moov = False
    has_mdat = False
    with path.open("rb") as file:
        file_bytes = file.seek(0, 2)
        offset = 0
        while box := _box_at(file, offset, file_bytes):
            kind, size_bytes = box
            offset += size_bytes
            if kind == b"moov":
                if has_mdat:
                    return Whole(whole_bytes, False) if has_moov else Whole(offset, offset == file_bytes)
                has_moov = True
            elif kind == b"mdat":
                has_mdat = True
                if has_moov:
                    whole_bytes = offset
    return Whole(whole_bytes, False)


def _box_at(file: BinaryIO, offset: int, file_bytes: int) -> tuple[bytes, int] | None:
    """The kind and size of the box at `offset`; `None` where it is not there in whole."""
    file.seek(offset)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return None
    size_bytes, kind = struct.unpack(">I4s", header)
    if size_bytes == 1:
        large = file.read(_LARGE_HEADER_BYTES - _HEADER_BYTES)
        if len(large) < _LARGE_HEADER_BYTES - _HEADER_BYTES:
            return None
        (size_bytes,) = struct.unpack(">Q", large)
    if size_bytes < _HEADER_BYTES or offset + size_bytes > file_bytes:
        return None
    return kind, size_bytes
