"""What every source of pictures is.

A source is made open. It is read by one thread, until it is lost; then it is closed and another is made.
"""

from dataclasses import dataclass, field
from typing import Protocol


class SourceLost(Exception):
    """The camera cannot be reached, has ended or is silent beyond its limit: close, wait, open again."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG as the source gave it, unchecked, and its capture time on the monotonic clock."""

    jpeg: bytes | bytearray = field(repr=False)
    captured_monotonic_ns: int


class Source(Protocol):
    """An open source of pictures."""

    def read(self, seq: int) -> Picture | None:
        """The next picture, or `None` when there is none yet (then it is to be asked again), or `SourceLost`.

        `seq` is the number that the picture will have; a source that draws shows it. Blocks for about half a second
        where the source lets it, and never beyond the read timeout.
        """
        ...

    def close(self) -> None:
        """Let go of the camera. Nothing is raised."""
        ...
