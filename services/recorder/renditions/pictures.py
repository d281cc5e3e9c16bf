"""The pictures of an original, decoded and brought to one size and to limited-range yuv420p, in order.

Each JPEG stands alone, so several threads decode, each with a decoder of its own: one that is corrupt takes no neighbour
with it. What cannot be decoded is left out and counted.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from services.recorder.clips.original import TICKS_PER_S, Unreadable

TICK: Final = Fraction(1, TICKS_PER_S)
BT601: Final = 6  # SMPTE 170M, ITU-T H.273 table 4
BT709: Final = 1  # primaries and transfer of sRGB, near enough: ITU-T H.273 tables 2 and 3
LIMITED: Final = 1
_AHEAD_PER_THREAD: Final = 2
_BLACK: Final = (16, 128, 128)


class NothingDecodable(Unreadable):
    """The original has pictures, and none of them can be decoded."""


class Pictures:
    """Iterate once, inside `with`. `width` and `height` are even, those of the first picture that can be decoded."""

    def __init__(self, original: Path, threads: int) -> None:
        """`NothingDecodable` when none of the original's pictures can be decoded, `Unreadable` when it has none."""
        self.undecodable = 0
        self.durations: dict[int, int] = {}  # by time, both in 1/90000 s
        self._decoding = _Decoding()
        self._ahead = threads * _AHEAD_PER_THREAD
        self._last = -1
        try:
            self._source = av.open(str(original), "r", format="mov")
        except (av.FFmpegError, OSError) as err:
            raise Unreadable(f"{original.name}: {err}") from err
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        try:
            self._packets = self._demux()
            self._first = self._find_first(original)
        except BaseException:
            self.close()
            raise
        self.width, self.height = self._first.width, self._first.height

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._source.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        yield self._first
        pending: deque[Future[VideoFrame | None]] = deque()
        for jpeg, pts in self._packets:
            pending.append(self._threads.submit(self._decoding.picture, jpeg, pts))
            if len(pending) > self._ahead:
                yield from self._taken(pending.popleft())
        for future in pending:
            yield from self._taken(future)

    def _taken(self, future: Future[VideoFrame | None]) -> Iterator[VideoFrame]:
        picture = future.result()
        if picture is None:
            self.undecodable += 1
        else:
            yield picture

    def _find_first(self, original: Path) -> VideoFrame:
        for jpeg, pts in self._packets:
            first = self._decoding.picture(jpeg, pts)
            if first is not None:
                return first
            self.undecodable += 1
        if not self.undecodable:
            raise Unreadable(f"{original.name} has no picture")
        raise NothingDecodable(f"none of its {self.undecodable} pictures can be decoded")

    def _demux(self) -> Iterator[tuple[bytes, int]]:
        """Each JPEG with its time; a damaged end of the file is the end."""
        try:
            for packet in self._source.demux(video=0):
                if packet.size and packet.pts is not None and packet.pts > self._last:
                    self._last = packet.pts
                    if packet.duration:
                        self.durations[packet.pts] = packet.duration
                    yield bytes(packet), packet.pts
        except (av.FFmpegError, IndexError):
            return


class _Decoding:
    """Decodes and fits pictures; used by several threads, each of which has its own decoder and scaler."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._size: tuple[int, int] | None = None  # of the rendition: that of the first picture, made even
        self._natural: tuple[int, int] | None = None

    def picture(self, jpeg: bytes, pts: int) -> VideoFrame | None:
        """The picture of the time `pts`, or `None` when it cannot be decoded."""
        decoded = self._decode(jpeg)
        if decoded is None:
            return None
        if self._size is None:
            self._natural = decoded.width, decoded.height
            self._size = max(2, decoded.width & ~1), max(2, decoded.height & ~1)
        fitted = self._fit(decoded, *self._size)
        fitted.pts, fitted.time_base = pts, TICK
        fitted.pict_type = 0  # the encoder chooses
        fitted.color_range = LIMITED
        fitted.colorspace = BT601
        return fitted

    def _decode(self, jpeg: bytes) -> VideoFrame | None:
        decoder = getattr(self._own, "decoder", None)
        if decoder is None:
            decoder = self._own.decoder = av.CodecContext.create("mjpeg", "r")
            decoder.thread_count = 1
        try:
            frames = decoder.decode(av.Packet(jpeg))
        except (av.FFmpegError, ValueError):
            self._own.decoder = None
            return None
        return frames[0] if frames and isinstance(frames[0], VideoFrame) else None

    def _fit(self, picture: VideoFrame, width: int, height: int) -> VideoFrame:
        """The picture in the rendition's size: as it is, less an odd line or column, or fitted with black around."""
        if (picture.width, picture.height) == self._natural:
            inner_width, inner_height = picture.width, picture.height
        else:
            scale = min(width / picture.width, height / picture.height)
            inner_width = max(2, round(picture.width * scale) & ~1)
            inner_height = max(2, round(picture.height * scale) & ~1)
        scaler = getattr(self._own, "scaler", None)
        if scaler is None:
            scaler = self._own.scaler = VideoReformatter()
        fitted: VideoFrame = scaler.reformat(
            picture,
            inner_width,
            inner_height,
            "yuv420p",
            src_colorspace=Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        return fitted if (inner_width, inner_height) == (width, height) else _placed(fitted, width, height)


def _placed(picture: VideoFrame, width: int, height: int) -> VideoFrame:
    """The picture in the middle of a black one of this even size; what is too large for it is cut off."""
    canvas = VideoFrame(width, height, "yuv420p")
    left, top = max(0, (width - picture.width) // 4 * 2), max(0, (height - picture.height) // 4 * 2)
    for number, (plane, inner) in enumerate(zip(canvas.planes, picture.planes, strict=True)):
        halved = 0 if number == 0 else 1
        rows = np.full((plane.height, plane.line_size), _BLACK[number], np.uint8)
        data = np.frombuffer(bytes(inner), np.uint8)[: inner.height * inner.line_size].reshape(
            inner.height, inner.line_size
        )
        x, y = left >> halved, top >> halved
        high, wide = min(inner.height, plane.height - y), min(inner.width, plane.width - x)
        rows[y : y + high, x : x + wide] = data[:high, :wide]
        whole = rows.tobytes()
        plane.update(whole + bytes(plane.buffer_size - len(whole)))
    return canvas
