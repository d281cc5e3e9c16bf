"""Judges a clip by its pictures, with nothing but the file, the event and this machine's clocks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import av

from tests.support.pictures import CLOCK_WRAP_MS, Code, clock_error_ms, missing_numbers, read_codes

CLOCK_LIMIT_MS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Window:
    """What a clip is to show, on this machine's monotonic clock in milliseconds."""

    from_ms: float
    to_ms: float


def monotonic_ms(text: str) -> float:
    """An RFC 3339 time of an answer on this machine's monotonic clock, by the offset of this moment."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return datetime.fromisoformat(text).timestamp() * 1e3 - offset_ns / 1e6


def window_of(event: dict[str, Any]) -> Window:
    anchor_ms = monotonic_ms(event["triggered_at"])
    return Window(anchor_ms - event["pre_s"] * 1000, anchor_ms + event["post_s"] * 1000)


def judge(
    clip: Path, window: Window, fps: float = 30, drawn_beside: Callable[[int, int], float | None] | None = None
) -> list[Code]:
    """Every number once and none missing, both ends within one frame of the window's, the times true within 2 ms.

    On a busy machine a drawn camera may itself be late. Then `drawn_beside(number, steps)`, the clock in milliseconds
    drawn into the frame that many places beside one of the clip's, must show that it lies outside the window.
    """
    codes = read_codes(clip)
    assert codes, f"{clip.name} has no picture"
    numbers = [code.number for code in codes]
    assert missing_numbers(codes) == [], f"numbers missing from {numbers[0]} to {numbers[-1]}"
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "numbers repeat or run backwards"
    error_ms = clock_error_ms(codes)
    assert error_ms < CLOCK_LIMIT_MS, f"times differ from the drawn clock by {error_ms:.2f} ms"
    # A frame period, and what drawing and the millisecond clock leave open.
    slack_ms = 1000 / fps * 1.5 + 5
    late_ms = apart_ms(codes[0].clock_ms, window.from_ms)
    early_ms = apart_ms(codes[-1].clock_ms, window.to_ms)
    assert late_ms >= -5, f"begins {-late_ms:.1f} ms before its window"
    assert early_ms <= 5, f"ends {early_ms:.1f} ms after its window"
    if late_ms > slack_ms:
        before_ms = drawn_beside(numbers[0], -1) if drawn_beside else None
        is_outside = before_ms is not None and apart_ms(int(before_ms), window.from_ms) < 5
        assert is_outside, f"begins {late_ms:.1f} ms after its window"
    if early_ms < -slack_ms:
        after_ms = drawn_beside(numbers[-1], 1) if drawn_beside else None
        is_outside = after_ms is not None and apart_ms(int(after_ms), window.to_ms) > -5
        assert is_outside, f"ends {-early_ms:.1f} ms before its window"
    return codes


def codec_of(clip: Path) -> tuple[str, str]:
    """Codec and pixel format of the picture stream."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, str(stream.codec_context.pix_fmt)


def apart_ms(drawn_ms: float, expected_ms: float) -> float:
    """How much later than expected, with the 32 bits of the drawn clock in mind."""
    apart = (drawn_ms - expected_ms) % CLOCK_WRAP_MS
    return apart - CLOCK_WRAP_MS if apart > CLOCK_WRAP_MS / 2 else apart
