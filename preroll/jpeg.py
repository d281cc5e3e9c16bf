"""Whether bytes are a whole JPEG, and its size, without decoding it.

Pure: no I/O, no clock. Reads the marker segments up to the first scan (ITU-T T.81, annex B); the entropy-coded data is
not looked at. What it refuses is what cameras really send when they fail: nothing, half a picture, another picture's
tail.
"""

import struct
from dataclasses import dataclass
from typing import Final

PADDING_MAX_BYTES: Final = 64 * 1024
_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
_SEGMENT: Final = struct.Struct(">BBH")  # 0xff, its kind, its length
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC).
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST0 to RST7


class JpegDamaged(ValueError):
    """Bytes that are no whole JPEG. The text says what is missing and where."""


@dataclass(frozen=True, slots=True)
class JpegSize:
    """The picture's size in pixels, and its components: 1 is grey, 3 colour."""

    width: int
    height: int
    components: int


def size_of(data: bytes | bytearray | memoryview, max_bytes: int) -> JpegSize:
    """The size that the JPEG in `data` (at most `max_bytes`) states, or `JpegDamaged`.

    Up to `PADDING_MAX_BYTES` of zeros or whatever else after the end of the image are tolerated: UVC cameras pad.
    Takes microseconds: only the header and the tail are read.
    """
    _check_ends(data, max_bytes)
    return _head_of(data)[0]


class Sizes:
    """The sizes of one camera's JPEGs, one after the other.

    A camera's heads mostly are the same, byte for byte: then so is the size, and the walk through it is saved.
    """

    def __init__(self) -> None:
        self._head = b""
        self._size = JpegSize(0, 0, 0)

    def next(self, data: bytes | bytearray, max_bytes: int) -> JpegSize:
        """As `size_of`."""
        _check_ends(data, max_bytes)
        if not self._head or not data.startswith(self._head):
            self._size, length = _head_of(data)
            self._head = bytes(data[:length])
        return self._size


def _check_ends(data: bytes | bytearray | memoryview, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise JpegDamaged(f"{len(data)} bytes exceed {max_bytes}")
    if len(data) < 4:
        raise JpegDamaged(f"{len(data)} bytes are no JPEG")
    if bytes(data[:2]) != _SOI:
        raise JpegDamaged(f"begins with {bytes(data[:2]).hex()}, not ffd8")
    if bytes(data[-2:]) != _EOI and not _ends_within_padding(data):
        raise JpegDamaged(f"no end of image in the last {min(len(data), PADDING_MAX_BYTES)} of {len(data)} bytes")


def _ends_within_padding(data: bytes | bytearray | memoryview) -> bool:
    tail = bytes(data[max(2, len(data) - PADDING_MAX_BYTES) :])
    return _EOI in tail


def _head_of(data: bytes | bytearray | memoryview) -> tuple[JpegSize, int]:
    """The size, and the length of all that comes before the first scan's data."""
    at = 2
    end = len(data)
    size: JpegSize | None = None
    while at + 4 <= end:
        marker, kind, length = _SEGMENT.unpack_from(data, at)
        if marker != 0xFF:
            raise JpegDamaged(f"byte {marker:#04x} at {at}, where a marker belongs")
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in _WITHOUT_LENGTH:
            at += 2
            continue
        if length < 2 or at + 2 + length > end:
            raise JpegDamaged(f"segment {kind:#04x} at {at} of {length} bytes exceeds the {end} there are")
        if kind == _SOS:
            if size is None:
                raise JpegDamaged("a scan without a frame header")
            return size, at + 2 + length
        if kind in _START_OF_FRAME:
            size = _size_in(bytes(data[at + 4 : at + 2 + length]))
        at += 2 + length
    raise JpegDamaged("no scan")


def _size_in(segment: bytes) -> JpegSize:
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise JpegDamaged(f"frame header of {len(segment)} bytes is too short")
    height = segment[1] << 8 | segment[2]
    width = segment[3] << 8 | segment[4]
    if width == 0 or height == 0 or segment[5] == 0:
        raise JpegDamaged(f"frame header states {width}x{height} with {segment[5]} components")
    return JpegSize(width, height, segment[5])
