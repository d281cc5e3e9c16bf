"""How long and how often a run measures, and what every part is given."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds and counts of a run."""

    repeats: int
    camera_rounds: int
    camera_events: int  # in so many of the rounds
    container_starts: int
    slices: int  # of an idle measurement; each is one figure of the spread
    slice_s: float
    pre_s: float
    post_s: float
    long_pre_s: float
    ring_s: float  # in the runs that look for the limit
    ingest_cameras: int
    ingest_repeats: (
        int  # two programs on two cores, a few percent each: what the kernel places where changes by the run
    )
    ingest_s: float
    cameras_max: int
    captures_max: int
    burst_cameras: int
    burst_rounds: int
    burst_triggers: int
    encode_frames: int
    profile_cameras: int


FULL: Final = Scale(
    repeats=3,
    camera_rounds=4,
    camera_events=2,
    container_starts=5,
    slices=4,
    slice_s=3,
    pre_s=5,
    post_s=5,
    long_pre_s=15,
    ring_s=5,
    ingest_cameras=16,
    ingest_repeats=5,
    ingest_s=6,
    cameras_max=512,
    captures_max=96,
    burst_cameras=8,
    burst_rounds=4,
    burst_triggers=100,
    encode_frames=240,
    profile_cameras=64,
)
# Shows that everything runs; its figures are worth nothing.
TINY: Final = Scale(
    repeats=1,
    camera_rounds=2,
    camera_events=1,
    container_starts=1,
    slices=2,
    slice_s=0.5,
    pre_s=1,
    post_s=1,
    long_pre_s=2,
    ring_s=2,
    ingest_cameras=1,
    ingest_repeats=1,
    ingest_s=1,
    cameras_max=2,
    captures_max=1,
    burst_cameras=2,
    burst_rounds=1,
    burst_triggers=3,
    encode_frames=30,
    profile_cameras=2,
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a part is given: the frames, a folder to work in, and its scale."""

    frames: Path
    folder: Path
    scale: Scale

    def room(self) -> Path:
        """An empty folder."""
        return Path(mkdtemp(dir=self.folder))
