import numpy as np
import pytest

from tests.support.pictures import CodeUnreadable, Pixels, read_code


def draw(number: int, clock_ms: int, width: int = 640, height: int = 360) -> Pixels:
    pixels = np.full((height, width, 3), 90, np.uint8)
    side = width // 40
    for row, value in enumerate((number, clock_ms)):
        for bit in range(32):
            level = 255 if value >> bit & 1 else 0
            pixels[row * side : (row + 1) * side, bit * side : (bit + 1) * side] = level
    return pixels


@pytest.mark.parametrize("width", [160, 320, 640, 1280, 1920])
def test_number_and_clock_are_read_back(width: int) -> None:
    assert read_code(draw(0xDEADBEEF, 0x12345678, width)) == (0xDEADBEEF, 0x12345678)


def test_noise_and_limited_range_do_not_matter() -> None:
    noise = np.random.default_rng(1).normal(0, 25, (360, 640, 3))
    pixels = np.clip(draw(123456, 654321).astype(float) * 219 / 255 + 16 + noise, 0, 255).astype(np.uint8)
    assert read_code(pixels) == (123456, 654321)


def test_a_picture_without_a_code_is_refused() -> None:
    with pytest.raises(CodeUnreadable, match="square 0"):
        read_code(np.full((360, 640), 128, np.uint8))
