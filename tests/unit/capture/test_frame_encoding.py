import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from preroll.jpeg import JpegSize, size_of
from services.capture.sources.frame_encoding import FrameEncoder, quantiser_of
from services.capture.sources.jpeg_encoding import Pixels
from tests.support.frames import jpeg
from tests.support.pictures import read_jpeg

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (40, 140, 250)]


def bars() -> Pixels:
    return np.repeat(np.array(COLOURS, np.uint8)[np.newaxis, :, :], 96, axis=0).repeat(64, axis=1)


def decoded(data: bytes) -> Pixels:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("space", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("levels", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_stay_what_they_are(space: Colorspace, levels: ColorRange) -> None:
    frame = VideoFrame.from_ndarray(bars(), format="bgr24").reformat(
        format="yuv420p", dst_colorspace=space, dst_color_range=levels
    )
    pixels = decoded(FrameEncoder(95).encode(frame))
    for number, colour in enumerate(COLOURS):
        assert np.abs(pixels[48, number * 64 + 32].astype(int) - colour).max() <= 6


def test_a_frame_of_another_size_is_encoded_at_that_size() -> None:
    encoder = FrameEncoder(85)
    for width, height in ((320, 180), (640, 360), (320, 180)):
        frame = VideoFrame.from_ndarray(np.zeros((height, width), np.uint8), format="gray")
        assert size_of(encoder.encode(frame), 1_000_000) == JpegSize(width, height, 3)


def test_every_frame_gives_its_own_picture_at_once() -> None:
    encoder = FrameEncoder(85)
    for number in (1, 99, 12_345):
        frame = VideoFrame.from_ndarray(decoded(jpeg(number)), format="bgr24")
        assert read_jpeg(encoder.encode(frame))[0] == number


def test_more_quality_makes_larger_pictures() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    frame = VideoFrame.from_ndarray(noise, format="bgr24")
    sizes = [len(FrameEncoder(quality).encode(frame)) for quality in (10, 40, 70, 85, 95)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("quality", "quantiser"), [(1, 31), (10, 31), (50, 8), (75, 4), (85, 2), (100, 1)])
def test_quality_is_that_of_the_jpeg_group(quality: int, quantiser: int) -> None:
    assert quantiser_of(quality) == quantiser
