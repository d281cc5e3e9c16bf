"""Frames for tests: small coded JPEGs with numbers and times."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from preroll.clock import NS_PER_S
from services.recorder.cameras.frame import Frame

SQUARES = 32


@lru_cache(maxsize=4096)
def jpeg(number: int, width: int = 320, height: int = 180, clock_ms: int = 0) -> bytes:
    """A JPEG that carries `number` and `clock_ms` as the synthetic camera draws them: two rows of squares."""
    side = width // 40
    picture = np.full((height, width, 3), (60, 90, 120), np.uint8)
    for row, value in enumerate((number, clock_ms)):
        for bit in range(SQUARES):
            shade = 255 if value >> bit & 1 else 0
            picture[row * side : (row + 1) * side, bit * side : (bit + 1) * side] = shade
    cv2.circle(picture, (number * 7 % width, height * 2 // 3), height // 8, (0, 200, 255), -1)
    encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert encoded
    return data.tobytes()


def frames(
    count: int,
    fps: float = 30,
    *,
    first_ns: int = NS_PER_S,
    first_seq: int = 0,
    run_id: str = "run-a",
    width: int = 320,
    height: int = 180,
    jitter_ns: Callable[[int], int] = lambda _: 0,
) -> list[Frame]:
    """`count` frames at `fps`, the first at `first_ns`; `jitter_ns(index)` is added to a frame's time."""
    made = []
    for index in range(count):
        t_ns = first_ns + round(index * NS_PER_S / fps) + jitter_ns(index)
        number = first_seq + index
        made.append(Frame(run_id, number, t_ns, width, height, jpeg(number, width, height, t_ns // 1_000_000)))
    return made
