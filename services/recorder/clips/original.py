"""The original: the camera's JPEGs, untouched, in an MP4 with their true times.

Every frame is a fragment of its own, so that what was written stays readable after a crash; closed, it is an ordinary
MP4 (FFmpeg's `hybrid_fragmented`). The muxer writes to a file object of ours, because PyAV writing to a path stops every
thread while a slow disk takes its time.
"""

import contextlib
import errno
import os
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

import av
from av.container import OutputContainer

from preroll.clock import NS_PER_S
from services.recorder.store.disk import Disk, WriteFailed
from services.recorder.store.output_file import OutputFile

TICKS_PER_S: Final = 90_000
_TICK: Final = Fraction(1, TICKS_PER_S)
_DEFAULT_PERIOD: Final = TICKS_PER_S // 30
# A frame takes a few writes; each open clip holds one such buffer, and there may be fifty.
_BUFFER_BYTES: Final = 64 * 1024
_PERIODS_KEPT: Final = 301
_FFMPEG_ERRNO_MIN: Final = 10_000
_OF_THE_CONTENT: Final = frozenset({errno.EINVAL, errno.ERANGE, errno.EDOM, errno.ENOENT})
_OPTIONS: Final = {
    "movflags": "hybrid_fragmented+frag_every_frame",
    "video_track_timescale": str(TICKS_PER_S),
}


def ticks(ns: int) -> int:
    """Nanoseconds in 1/90000 s, to the nearest."""
    return (ns * TICKS_PER_S + NS_PER_S // 2) // NS_PER_S


class OriginalWriter:
    """Writes one original. `write` and `close` raise `WriteFailed`; then `abandon` lets go of it.

    The newest frame is held back until the next one gives it its duration, or `close` the median of all.
    """

    def __init__(self, disk: Disk, path: Path, width: int, height: int) -> None:
        """`width` and `height` of the first frame, in pixels; later ones may differ.

        They are what the sender says. Players go by the pictures, the muxer refuses only 0.
        """
        self.frames = 0
        self._file = OutputFile(disk, path)
        self._held: tuple[bytes | memoryview, int] | None = None
        self._periods: deque[int] = deque(maxlen=_PERIODS_KEPT)
        self._container: OutputContainer | None = None
        try:
            self._container = av.open(self._file, "w", format="mp4", options=_OPTIONS, buffer_size=_BUFFER_BYTES)
            self._stream = self._container.add_mux_stream(
                "mjpeg", width=max(1, width), height=max(1, height), time_base=_TICK
            )
        except Exception:
            self._file.close()
            raise

    @property
    def size_bytes(self) -> int:
        """Bytes that were given to the file so far."""
        return self._file.tell()

    def write(self, jpeg: bytes | memoryview, pts: int) -> None:
        """Append a frame. `pts` is its time after the first frame, in 1/90000 s; one that does not advance is moved."""
        if self._held is not None:
            before = self._held[1]
            pts = max(pts, before + 1)  # equal times cannot be muxed; at most a tick off
            self._periods.append(pts - before)
            self._mux(pts - before)
        self._held = (jpeg, pts)
        self.frames += 1

    def begin_sync(self) -> None:
        """Have what is written begin its way to disk."""
        self._file.begin_sync()

    def sync(self) -> None:
        """Bring what is written to disk; from any thread. A failure is kept, and fails the next write."""
        self._file.sync()

    def close(self) -> None:
        """Make it an ordinary MP4 and bring it to disk."""
        if self._held is not None:
            self._mux(round(statistics.median(self._periods)) if self._periods else _DEFAULT_PERIOD)
        container, self._container = self._container, None
        assert container is not None, "closed once"
        try:
            container.close()
        except Exception as err:
            raise self._failure(err) from err
        self._file.sync_all()
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file as it is, after a failure."""
        self._file.failure = self._file.failure or WriteFailed(f"{self._file.path.name} was abandoned")
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(Exception):  # it cannot write its end, which is the purpose
                container.close()
        self._file.close()

    def _mux(self, duration: int) -> None:
        assert self._held is not None
        assert self._container is not None, "not closed"
        jpeg, pts = self._held
        self._held = None
        packet = av.Packet(jpeg)  # type: ignore[arg-type] # it takes any buffer; the stub says bytes
        packet.stream = self._stream
        packet.time_base = _TICK
        packet.pts = packet.dts = pts
        packet.duration = duration
        packet.is_keyframe = True
        try:
            self._container.mux_one(packet)
        except Exception as err:
            raise self._failure(err) from err

    def _failure(self, err: Exception) -> WriteFailed:
        return self._file.failure or WriteFailed(f"cannot mux {self._file.path.name}: {err}")


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame in an original: its JPEG and its time after the first frame, in 1/90000 s."""

    jpeg: bytes
    pts: int

    @property
    def after_ns(self) -> int:
        return self.pts * NS_PER_S // TICKS_PER_S


class Unreadable(Exception):
    """The file is no MP4, or has no picture."""


class ReadFailed(OSError):
    """The system did not let the file be read: this says nothing about what is in it."""


def read_frames(path: Path) -> Iterator[StoredFrame]:
    """The frames of an original, in order, up to the last whole JPEG; `Unreadable` when it has none.

    `ReadFailed` when the system does not let them be read, also after some of them.
    """
    has_any = False
    try:
        with av.open(str(path), "r", format="mov") as container:
            for packet in container.demux(video=0):
                if not packet.size:
                    continue
                jpeg = bytes(packet)
                if packet.pts is None or packet.is_corrupt or not _is_whole(jpeg):
                    break
                yield StoredFrame(jpeg, packet.pts)
                has_any = True
    except (av.FFmpegError, OSError, IndexError) as err:
        _raise_if_of_the_system(path, err)
        if not has_any:
            raise Unreadable(f"{path.name}: {err}") from err
    if not has_any:
        raise Unreadable(f"{path.name} has no whole frame")


def read_times(path: Path) -> list[int]:
    """Times of the frames of an original or a rendition, in nanoseconds after the first; `Unreadable` if it is none."""
    try:
        with av.open(str(path), "r", format="mov") as container:
            packets = container.demux(video=0)
            return [
                packet.pts * NS_PER_S // TICKS_PER_S for packet in packets if packet.size and packet.pts is not None
            ]
    except (av.FFmpegError, OSError, IndexError) as err:
        _raise_if_of_the_system(path, err)
        raise Unreadable(f"{path.name}: {err}") from err


def _raise_if_of_the_system(path: Path, err: Exception) -> None:
    """Raise `ReadFailed` for an error of the disk, of rights or of too few descriptors."""
    number = getattr(err, "errno", None)
    # FFmpeg's own errors are four characters made a number, far beyond the system's.
    if number is not None and 0 < number < _FFMPEG_ERRNO_MIN and number not in _OF_THE_CONTENT:
        raise ReadFailed(number, os.strerror(number), str(path)) from err


def median_period_ns(times_ns: list[int]) -> int:
    """The median distance of frames, in nanoseconds; a thirtieth of a second when there are fewer than two."""
    steps = [after - before for before, after in pairwise(times_ns)]
    return round(statistics.median(steps)) if steps else NS_PER_S // 30


def _is_whole(jpeg: bytes) -> bool:
    # Some cameras pad behind the end marker. After a power cut the tail may be zeros, without any marker.
    return jpeg.startswith(b"\xff\xd8") and b"\xff\xd9" in jpeg[-4096:].rstrip(b"\0")[-64:]
