"""Whether bytes are a whole JPEG, and its size, without decoding it.

Pure: no I/O, no clock. Reads the marker segments up to the first scan (ITU-T T.81, annex B); the entropy-coded data is
not looked at. What it refuses is what cameras really send when they fail: nothing, half a picture, another picture's
tail.
"""

from dataclasses import dataclass
from typing import Final

PADDING_MAX_BYTES: Final = 64 * 1024
_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
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
    if len(data) > max_bytes:
        raise JpegDamaged(f"{len(data)} bytes exceed {max_bytes}")
    if len(data) < 4:
        raise JpegDamaged(f"{len(data)} bytes are no JPEG")
    if bytes(data[:2]) != _SOI:
        raise JpegDamaged(f"begins with {bytes(data[:2]).hex()}, not ffd8")
    if bytes(data[-2:]) != _EOI and not _ends_within_padding(data):
        raise JpegDamaged(f"no end of image in the last {min(len(data), PADDING_MAX_BYTES)} of {len(data)} bytes")
    return _frame_size(data)


def _ends_within_padding(data: bytes | bytearray | memoryview) -> bool:
    tail = bytes(data[max(2, len(data) - PADDING_MAX_BYTES) :])
    return _EOI in tail


def _frame_size(data: bytes | bytearray | memoryview) -> JpegSize:
    at = 2
    end = len(data)
    size: JpegSize | None = None
    while at + 4 <= end:
        if data[at] != 0xFF:
            raise JpegDamaged(f"byte {data[at]:#04x} at {at}, where a marker belongs")
        kind = data[at + 1]
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in _WITHOUT_LENGTH:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2 or at + 2 + length > end:
            raise JpegDamaged(f"segment {kind:#04x} at {at} of {length} bytes exceeds the {end} there are")
        if kind == _SOS:
            if size is None:
                raise JpegDamaged("a scan without a frame header")
            return size
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
