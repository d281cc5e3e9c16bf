"""What the encode pool and its worker processes say to one another. They stand apart, so that the
recorder itself need not load what only its workers use.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from preroll.wire import Scalar
from services.recorder.store.names import PART

FALLBACK: Final = "libx264"
FALLBACK_PRESET: Final = "superfast"

FailureCause = Literal["encoder", "space", "pictures", "worker"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to encode. `quality` is the encoder's constant-quality figure, smaller is better; `threads` 0 is all cores."""

    encoder: str
    preset: str
    quality: int
    threads: int

    def options(self) -> dict[str, str]:
        """The encoder's own options for preset, quality and keyframes at wish."""
        quality = str(self.quality)
        match self.encoder:
            case "libx264" | "libx265":
                return {"preset": self.preset, "crf": quality, "forced-idr": "1"}
            case "h264_nvenc":
                return {"preset": "p4", "rc": "vbr", "cq": quality, "forced-idr": "1"}
            case "h264_qsv":
                return {"preset": "veryfast", "global_quality": quality, "forced_idr": "1"}
        return {}

    def bit_rate(self, width: int, height: int) -> int:
        """Bits a second for encoders without a constant quality, 0 for the others.

        A tenth of a bit a pixel at 30 fps and quality 23, and, as with x264, twice that for six steps less.
        """
        if self.options():
            return 0
        return round(width * height * 30 * 0.1 * 2 ** ((23 - self.quality) / 6))

    @property
    def fallback(self) -> "Encoding":
        """The encoder that is always there, with the same quality."""
        return Encoding(FALLBACK, FALLBACK_PRESET, self.quality, self.threads)

    @property
    def decoders(self) -> int:
        """How many threads decode."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Job:
    """Make `target` out of `original`; without a `target`, only hash the original."""

    event_id: str
    camera_id: str
    original: Path
    target: Path | None

    @property
    def part(self) -> Path | None:
        """Where the rendition is written."""
        return None if self.target is None else self.target.with_name(self.target.name + PART)


@dataclass(frozen=True, slots=True)
class JobDone:
    """What a worker did. `encoder` describes the rendition, empty when there was none to make."""

    target_sha256: str | None
    original_sha256: str
    encoder: dict[str, Scalar]
    took_s: float

    @property
    def undecodable(self) -> tuple[int, int]:
        """How many pictures of how many could not be decoded; (0, 0) where none was."""
        missing, shown = (self.encoder.get(name, 0) for name in ("undecodable", "frames"))
        assert isinstance(missing, int)
        assert isinstance(shown, int)
        return missing, missing + shown


@dataclass(frozen=True, slots=True)
class JobFailed:
    """Why a job could not be done, and what failed: the encoder, the disk's space, its pictures, or a worker's start."""

    reason: str
    cause: FailureCause = "encoder"


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out whether the encoder can be used."""

    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Usable:
    """It can."""


Request = Probe | tuple[Job, Encoding | None]
Reply = Usable | JobDone | JobFailed
