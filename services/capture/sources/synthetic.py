"""A camera that is drawn: a moving scene, a clock, and the frame's number in digits and as a code for machines.

The code: 32 squares of `width // 40` pixels from the top left corner to the right, least significant bit first, white
for 1, are the frame's number. A second row below carries the monotonic clock in milliseconds (its low 32 bits), read
just before drawing.
"""

import math
import time
from typing import Final

import cv2
import numpy as np

from preroll.clock import NS_PER_MS, NS_PER_S, Clock
from preroll.process import Shutdown
from services.capture.sources.jpeg_encoding import Pixels, encode_jpeg
from services.capture.sources.source import Picture

CODE_BITS: Final = 32
CODE_MASK: Final = 2**CODE_BITS - 1
SQUARES_ACROSS: Final = 40  # squares that would fill the picture's width

_WHITE: Final = (255, 255, 255)
_ORANGE: Final = (40, 140, 250)
_BELT: Final = (70, 70, 74)
_BELT_PERIOD_S: Final = 4.0
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def square_px(width: int) -> int:
    """The side of one square of the code, in pixels."""
    return width // SQUARES_ACROSS


def draw_code(pixels: Pixels, number: int, clock_ms: int) -> None:
    """Draw both rows of the code into `pixels` (height x width x 3, BGR), in place. Only the low 32 bits are kept."""
    side = square_px(pixels.shape[1])
    shifts = np.arange(CODE_BITS, dtype=np.uint64)
    for row, value in enumerate((number, clock_ms)):
        bits = (np.uint64(value & CODE_MASK) >> shifts) & np.uint64(1)
        line = np.repeat(bits.astype(np.uint8) * np.uint8(255), side)
        pixels[row * side : (row + 1) * side, : CODE_BITS * side] = line[np.newaxis, :, np.newaxis]


class Scene:
    """Draws frames of one size. What does not move is drawn once."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._background = _background(width, height)
        self._pixels = self._background.copy()

    def draw(self, number: int, monotonic_ns: int, unix_ns: int) -> Pixels:
        """The frame of that moment (height x width x 3, BGR). It is overwritten by the next."""
        pixels = self._pixels
        np.copyto(pixels, self._background)
        self._draw_movement(pixels, monotonic_ns / NS_PER_S)
        self._draw_text(pixels, number, unix_ns)
        draw_code(pixels, number, monotonic_ns // NS_PER_MS)
        return pixels

    def _draw_movement(self, pixels: Pixels, at_s: float) -> None:
        width, height = self._width, self._height
        along = at_s % _BELT_PERIOD_S / _BELT_PERIOD_S
        box = height // 7
        top = _belt_top(height) - box
        left = round(along * (width + box)) - box
        cv2.rectangle(pixels, (left, top), (left + box, top + box), _ORANGE, cv2.FILLED)
        cv2.rectangle(pixels, (left, top), (left + box, top + box), _WHITE, max(1, height // 360))
        centre, radius = _dial(width, height)
        angle = 2 * math.pi * (at_s % 1.0)
        tip = (round(centre[0] + 0.85 * radius * math.sin(angle)), round(centre[1] - 0.85 * radius * math.cos(angle)))
        cv2.line(pixels, centre, tip, _WHITE, max(2, height // 180), cv2.LINE_AA)

    def _draw_text(self, pixels: Pixels, number: int, unix_ns: int) -> None:
        height = self._height
        left = self._width // 40
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_ns // NS_PER_S))
        text = f"{clock}.{unix_ns // NS_PER_MS % 1000:03d} UTC"
        scale = height / 720
        thick = max(1, round(2 * scale))
        cv2.putText(pixels, f"{number}", (left, height * 2 // 5), _FONT, 3.2 * scale, _WHITE, 2 * thick)
        cv2.putText(pixels, text, (left, height // 2), _FONT, 1.1 * scale, _WHITE, thick)


def _belt_top(height: int) -> int:
    return height * 6 // 7


def _dial(width: int, height: int) -> tuple[tuple[int, int], int]:
    return (width * 5 // 6, height * 2 // 5), height // 7


def _background(width: int, height: int) -> Pixels:
    across = np.linspace(0.0, 1.0, width)[np.newaxis, :, np.newaxis]
    down = np.linspace(0.0, 1.0, height)[:, np.newaxis, np.newaxis]
    near, far = np.array([92.0, 70.0, 52.0]), np.array([140.0, 112.0, 84.0])
    pixels: Pixels = (near + (far - near) * (0.6 * down + 0.4 * across)).astype(np.uint8)
    cv2.rectangle(pixels, (0, _belt_top(height)), (width, height), _BELT, cv2.FILLED)
    centre, radius = _dial(width, height)
    cv2.circle(pixels, centre, radius, _WHITE, max(1, height // 240), cv2.LINE_AA)
    for hour in range(12):
        angle = 2 * math.pi * hour / 12
        outer = (round(centre[0] + radius * math.sin(angle)), round(centre[1] - radius * math.cos(angle)))
        inner = (round(centre[0] + 0.9 * radius * math.sin(angle)), round(centre[1] - 0.9 * radius * math.cos(angle)))
        cv2.line(pixels, inner, outer, _WHITE, max(1, height // 240), cv2.LINE_AA)
    return pixels


class SyntheticSource:
    """Draws at the frame rate it is given, on a grid of due times; a late frame moves none of the others."""

    def __init__(
        self, width: int, height: int, fps: float, jpeg_quality: int, clock: Clock, shutdown: Shutdown
    ) -> None:
        cv2.setNumThreads(1)  # one small picture: handing it to threads costs more than drawing it
        self._scene = Scene(width, height)
        self._period_ns = round(NS_PER_S / fps)
        self._jpeg_quality = jpeg_quality
        self._clock = clock
        self._shutdown = shutdown
        self._due_ns = clock.monotonic_ns()

    def read(self, seq: int) -> Picture | None:
        while (ahead_ns := self._due_ns - self._clock.monotonic_ns()) > 0:
            if self._shutdown.wait(min(ahead_ns / NS_PER_S, 0.5)):
                return None
            if ahead_ns > NS_PER_S // 2:
                return None
        now_ns = self._clock.monotonic_ns()
        pixels = self._scene.draw(seq, now_ns, self._clock.unix_ns())
        jpeg = encode_jpeg(pixels, self._jpeg_quality)
        late_periods = (now_ns - self._due_ns) // self._period_ns
        self._due_ns += self._period_ns * (1 + late_periods)
        return Picture(jpeg, now_ns)

    def close(self) -> None:
        pass
