from pathlib import Path

import av
import numpy as np
import pytest

from preroll.clock import NS_PER_MS, NS_PER_S
from services.capture.sources.jpeg_encoding import encode_jpeg
from services.capture.sources.synthetic import Scene
from tests.support.pictures import (
    Code,
    CodeUnreadable,
    clock_error_ms,
    missing_numbers,
    read_code,
    read_codes,
    read_jpeg,
)

UNIX_NS = 1_800_000_000 * NS_PER_S


@pytest.mark.parametrize(("width", "height"), [(160, 120), (320, 240), (640, 360), (1280, 720), (1920, 1080)])
def test_what_the_camera_draws_is_read_back(width: int, height: int) -> None:
    pixels = Scene(width, height).draw(0xDEADBEEF, 0x1_2345_6789 * NS_PER_MS, UNIX_NS)
    assert read_code(pixels) == (0xDEADBEEF, 0x2345_6789)


@pytest.mark.parametrize("quality", [30, 85])
def test_a_jpeg_of_it_is_read_back(quality: int) -> None:
    jpeg = encode_jpeg(Scene(640, 360).draw(123_456, 654_321 * NS_PER_MS, UNIX_NS), quality)
    assert read_jpeg(jpeg) == (123_456, 654_321)


def test_noise_and_limited_range_do_not_matter() -> None:
    pixels = Scene(640, 360).draw(123_456, 654_321 * NS_PER_MS, UNIX_NS)
    noise = np.random.default_rng(1).normal(0, 25, pixels.shape)
    worn = np.clip(pixels.astype(float) * 219 / 255 + 16 + noise, 0, 255).astype(np.uint8)
    assert read_code(worn) == (123_456, 654_321)


def test_a_picture_without_a_code_is_refused() -> None:
    with pytest.raises(CodeUnreadable, match="square 0"):
        read_code(np.full((360, 640), 128, np.uint8))


def test_every_picture_of_a_clip_is_read_with_its_time(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    scene = Scene(320, 240)
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "28"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(7, 19):
            pixels = scene.draw(number, (5000 + 40 * number) * NS_PER_MS, UNIX_NS)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode(None))
    codes = read_codes(clip)
    assert [code.number for code in codes] == list(range(7, 19))
    assert [code.clock_ms for code in codes] == [5000 + 40 * number for number in range(7, 19)]
    assert codes[3].time_s - codes[0].time_s == pytest.approx(0.1, abs=0.001)


def test_a_missing_number_and_a_wrong_time_are_found() -> None:
    codes = [Code(1, 1000, 0.0), Code(2, 1033, 0.033), Code(4, 1100, 0.105)]
    assert missing_numbers(codes) == [3]
    assert clock_error_ms(codes) == pytest.approx(5.0)
