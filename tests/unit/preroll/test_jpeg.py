import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.jpeg import PADDING_MAX_BYTES, JpegDamaged, JpegSize, Sizes, size_of

MAX = 1_000_000


def picture(width: int = 64, height: int = 48, *, grey: bool = False, sampling: int | None = None) -> bytes:
    shape = (height, width) if grey else (height, width, 3)
    pixels = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    options = [] if sampling is None else [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


COLOUR = picture()


def test_the_size_is_the_pictures() -> None:
    assert size_of(picture(640, 360), MAX) == JpegSize(640, 360, 3)


def test_a_grey_picture_has_one_component() -> None:
    assert size_of(picture(grey=True), MAX) == JpegSize(64, 48, 1)


@pytest.mark.parametrize("sampling", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])
def test_other_chroma_sampling_is_fine(sampling: int) -> None:
    assert size_of(picture(sampling=sampling), MAX) == JpegSize(64, 48, 3)


def test_bytearrays_and_views_are_read_alike() -> None:
    assert size_of(bytearray(COLOUR), MAX) == size_of(memoryview(COLOUR), MAX) == size_of(COLOUR, MAX)


def test_sizes_of_a_camera_are_those_of_each_picture_alone() -> None:
    sizes = Sizes()
    pictures = [COLOUR, COLOUR, picture(640, 360), picture(grey=True), COLOUR]
    assert [sizes.next(data, MAX) for data in pictures] == [size_of(data, MAX) for data in pictures]


@given(st.integers(0, len(COLOUR) - 1))
def test_a_truncated_picture_is_damaged_also_behind_a_whole_one(length: int) -> None:
    sizes = Sizes()
    sizes.next(COLOUR, MAX)
    with pytest.raises(JpegDamaged):
        sizes.next(COLOUR[:length], MAX)


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 4096, b"\0" * (PADDING_MAX_BYTES - 2), b"\xff\xff"])
def test_padding_behind_the_picture_is_tolerated(padding: bytes) -> None:
    assert size_of(COLOUR + padding, MAX).width == 64


def test_more_padding_than_a_camera_makes_is_damage() -> None:
    with pytest.raises(JpegDamaged, match="no end of image in the last 65536 of"):
        size_of(COLOUR + b"\0" * PADDING_MAX_BYTES, MAX)


@given(st.integers(0, len(COLOUR) - 1))
def test_a_truncated_picture_is_damaged_wherever_it_is_cut(length: int) -> None:
    with pytest.raises(JpegDamaged):
        size_of(COLOUR[:length], MAX)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no JPEG"),
        (b"<html>no camera</html>", "begins with 3c68, not ffd8"),
        (b"\xff\xd8\xff\xd9", "no scan"),
        (b"\xff\xd8\x00\x00\x00\x00\xff\xd9", "0x00 at 2, where a marker belongs"),
        (b"\xff\xd8\xff\xdb\xff\xff\xff\xd9", "segment 0xdb at 2 of 65535 bytes exceeds the 8 there are"),
        (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "a scan without a frame header"),
        (b"\xff\xd8\xff\xc0\x00\x04\x08\x00\xff\xd9", "frame header of 2 bytes is too short"),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00\xff\xd9", "states 16x0"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(JpegDamaged, match=message):
        size_of(data, MAX)


def test_more_bytes_than_a_frame_may_have_are_refused() -> None:
    with pytest.raises(JpegDamaged, match=f"{len(COLOUR)} bytes exceed 100"):
        size_of(COLOUR, 100)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_size_or_damage(data: bytes, has_ends: bool) -> None:
    try:
        size = size_of(b"\xff\xd8" + data + b"\xff\xd9" if has_ends else data, MAX)
    except JpegDamaged:
        return
    assert size.width > 0
    assert size.height > 0


@given(st.integers(2, 200), st.integers(0, 255))
def test_a_header_with_any_byte_changed_never_crashes(at: int, value: int) -> None:
    changed = bytearray(COLOUR)
    changed[at] = value
    try:
        size_of(changed, MAX)
    except JpegDamaged:
        pass
