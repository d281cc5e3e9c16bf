"""Reads what the synthetic camera wrote into its pictures: the oracle of every test of a clip.

32 squares of `width // 40` pixels from the top left corner to the right, least significant bit first, white for 1, are
the frame's number; 32 squares in the row below are the monotonic clock in milliseconds (its low 32 bits), read just
before drawing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy.typing as npt

BITS: Final = 32
CLOCK_WRAP_MS: Final = 1 << BITS
_BLACK_MAX: Final = 100
_WHITE_MIN: Final = 156

Pixels = npt.NDArray[Any]


class CodeUnreadable(AssertionError):
    """A square is neither black nor white: no picture of the synthetic camera, or one that is damaged."""


@dataclass(frozen=True, slots=True)
class Code:
    """One picture of a clip: the number and the clock that are drawn in it, and its time in the file in seconds."""

    number: int
    clock_ms: int
    time_s: float


def read_code(pixels: Pixels) -> tuple[int, int]:
    """The frame number and the clock in milliseconds of one picture: (height, width) grey or (height, width, 3)."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    side = grey.shape[1] // 40
    return _read_row(grey, 0, side), _read_row(grey, side, side)


def read_jpeg(jpeg: bytes) -> tuple[int, int]:
    """As `read_code`, of a JPEG's bytes."""
    decoder = av.CodecContext.create("mjpeg", "r")
    frames = [*decoder.decode(av.Packet(jpeg)), *decoder.decode(None)]
    first: Any = frames[0]
    return read_code(first.to_ndarray(format="gray"))


def read_codes(clip: Path) -> list[Code]:
    """What is drawn in every picture of a clip, in the order of the file."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        codes: list[Code] = []
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert frame.time_base is not None
            number, clock_ms = read_code(frame.to_ndarray(format="gray"))
            codes.append(Code(number, clock_ms, float(frame.pts * frame.time_base)))
        return codes


def missing_numbers(codes: list[Code]) -> list[int]:
    """The frame numbers between the first and the last that are in no picture."""
    seen = {code.number for code in codes}
    return [number for number in range(codes[0].number, codes[-1].number) if number not in seen]


def clock_error_ms(codes: list[Code]) -> float:
    """The largest difference between the file's times and the drawn clock, both counted from the first picture.

    The drawn clock is cut to whole milliseconds, so an exact clip shows up to 1 ms.
    """
    first = codes[0]
    return max(
        abs((code.time_s - first.time_s) * 1000 - (code.clock_ms - first.clock_ms) % CLOCK_WRAP_MS) for code in codes
    )


def _read_row(grey: npt.NDArray[Any], top: int, side: int) -> int:
    # The middle half of each square: compression smears the edges.
    inset = max(1, side // 4)
    value = 0
    for bit in range(BITS):
        square = grey[top + inset : top + side - inset, bit * side + inset : (bit + 1) * side - inset]
        level = float(square.mean()) if square.size else float("nan")
        if level >= _WHITE_MIN:
            value |= 1 << bit
        elif not level <= _BLACK_MAX:
            raise CodeUnreadable(f"square {bit} at row {top} has level {level:.0f}, neither black nor white")
    return value
