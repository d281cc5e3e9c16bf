"""Makes the rendition: the original's JPEGs, decoded and encoded as H.264 that every browser plays. Runs in a worker process.

JPEG is full-range YCbCr by the BT.601 matrix (JFIF 1.02). Some players ignore the full-range flag of H.264, so the picture
is brought to limited range, keeps its matrix, and is tagged with both. Times are those of the original; there are no
B-frames, so decoding order is showing order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from preroll.wire import Scalar
from services.recorder.disk import Disk, translated
from services.recorder.original import TICKS_PER_S
from services.recorder.output_file import OutputFile

FALLBACK: Final = "libx264"
TICK: Final = Fraction(1, TICKS_PER_S)
KEYFRAME_EVERY_FRAMES: Final = 30
_BUFFER_BYTES: Final = 1 << 20
_SMPTE170M: Final = 6  # BT.601 matrix, ITU-T H.273 table 4
_BT709: Final = 1  # primaries and transfer of sRGB, near enough: ITU-T H.273 tables 2 and 3
_LIMITED: Final = 1


class EncoderUnusable(Exception):
    """The encoder is not there, or cannot encode a frame on this machine."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to encode. `quality` is the encoder's constant-quality figure, smaller is better; `threads` 0 is all cores."""

    encoder: str
    preset: str
    quality: int
    threads: int

    def options(self) -> dict[str, str]:
        """The encoder's own options for preset and quality."""
        quality = str(self.quality)
        match self.encoder:
            case "libx264" | "libx265":
                return {"preset": self.preset, "crf": quality}
            case "h264_nvenc":
                return {"preset": "p4", "rc": "vbr", "cq": quality}
            case "h264_qsv":
                return {"preset": "veryfast", "global_quality": quality}
        return {}


@dataclass(frozen=True, slots=True)
class Rendition:
    """What was made: its frames, and those of the original that could not be decoded."""

    frames: int
    undecodable: int
    width: int
    height: int

    def facts(self, encoding: Encoding) -> dict[str, Scalar]:
        return {
            "name": encoding.encoder,
            "preset": encoding.preset,
            "quality": encoding.quality,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "undecodable": self.undecodable,
        }


def render(original: Path, part: Path, encoding: Encoding) -> Rendition:
    """Write the rendition of `original` to `part`, durably. `av.FFmpegError`, `WriteFailed` or `OSError` on failure."""
    file = OutputFile(Disk(), part)
    try:
        with av.open(str(original), "r") as source:
            rendition = _render(source, file, encoding)
        with translated("sync", part):
            file.sync_all()
    finally:
        file.close()
    return rendition


def probe(encoding: Encoding) -> None:
    """Encode one frame; `EncoderUnusable` when that fails."""
    try:
        context = av.CodecContext.create(encoding.encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 320, 192, "yuv420p"
        context.time_base = TICK
        context.options = encoding.options()
        frame = VideoFrame(320, 192, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = 0, TICK
        if not [*context.encode(frame), *context.encode(None)]:
            raise EncoderUnusable(f"encoder {encoding.encoder} gave no packet for a frame")
    except (av.FFmpegError, ValueError, RuntimeError) as err:
        raise EncoderUnusable(f"encoder {encoding.encoder} cannot be used: {err}") from err


def _render(source: av.container.InputContainer, file: OutputFile, encoding: Encoding) -> Rendition:
    pictures = _Pictures(source)
    options = {"movflags": "hybrid_fragmented", "video_track_timescale": str(TICKS_PER_S)}
    stream: VideoStream | None = None
    letterbox = _Letterbox()
    frames = 0
    with av.open(file, "w", format="mp4", options=options, buffer_size=_BUFFER_BYTES) as target:
        for picture in pictures:
            if stream is None:
                letterbox.width, letterbox.height = picture.width & ~1, picture.height & ~1
                stream = _stream_of(target, letterbox, encoding)
            shown = letterbox.fit(picture)
            for packet in stream.encode(shown):
                packet.duration = pictures.durations.get(packet.pts or 0, packet.duration or 0)
                target.mux(packet)
            frames += 1
        if stream is None:
            raise ValueError("the original has no picture that can be decoded")
        for packet in stream.encode(None):
            packet.duration = pictures.durations.get(packet.pts or 0, packet.duration or 0)
            target.mux(packet)
    return Rendition(frames, pictures.undecodable, letterbox.width, letterbox.height)


def _stream_of(target: av.container.OutputContainer, size: "_Letterbox", encoding: Encoding) -> VideoStream:
    stream = target.add_stream(encoding.encoder, options=encoding.options())
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size.width, size.height
    stream.pix_fmt = "nv12" if encoding.encoder == "h264_qsv" else "yuv420p"
    stream.time_base = stream.codec_context.time_base = TICK
    context = stream.codec_context
    context.framerate = Fraction(30, 1)
    context.gop_size = KEYFRAME_EVERY_FRAMES
    context.max_b_frames = 0
    context.thread_count = encoding.threads
    context.color_range = _LIMITED
    context.colorspace = _SMPTE170M
    context.color_primaries = _BT709
    context.color_trc = _BT709
    return stream


class _Pictures:
    """The decodable pictures of an original, with times in 1/90000 s."""

    def __init__(self, source: av.container.InputContainer) -> None:
        self._source = source
        self._stream = source.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.undecodable = 0
        self.durations: dict[int, int] = {}

    def __iter__(self) -> Iterator[VideoFrame]:
        last = -1
        packets = 0
        shown = 0
        for packet in self._source.demux(self._stream):
            if packet.size:
                packets += 1
                if packet.pts is not None and packet.duration:
                    self.durations[packet.pts] = packet.duration
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                continue
            for picture in pictures:
                if picture.pts is None or picture.pts <= last or not isinstance(picture, VideoFrame):
                    continue
                last = picture.pts
                picture.time_base = TICK
                picture.pict_type = 0
                shown += 1
                yield picture
        self.undecodable = packets - shown


class _Letterbox:
    """Brings pictures to one size and to limited-range yuv420p; one of another size is fitted, with black around it."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._reformatter = VideoReformatter()

    def fit(self, picture: VideoFrame) -> VideoFrame:
        is_same = (picture.width & ~1, picture.height & ~1) == (self.width, self.height)
        scale = 1.0 if is_same else min(self.width / picture.width, self.height / picture.height)
        width = self.width if is_same else max(2, round(picture.width * scale) & ~1)
        height = self.height if is_same else max(2, round(picture.height * scale) & ~1)
        fitted = self._reformatter.reformat(
            picture,
            width,
            height,
            "yuv420p",
            src_colorspace=Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR,
        )
        if (width, height) != (self.width, self.height):
            fitted = self._surround(fitted)
        fitted.pts, fitted.time_base = picture.pts, TICK
        fitted.pict_type = 0
        fitted.color_range = _LIMITED
        fitted.colorspace = _SMPTE170M
        return fitted

    def _surround(self, picture: VideoFrame) -> VideoFrame:
        canvas = VideoFrame(self.width, self.height, "yuv420p")
        left, top = (self.width - picture.width) // 4 * 2, (self.height - picture.height) // 4 * 2
        for number, (plane, inner) in enumerate(zip(canvas.planes, picture.planes, strict=True)):
            halved = 0 if number == 0 else 1
            rows = bytearray(bytes([16 if number == 0 else 128]) * plane.buffer_size)
            data = memoryview(bytes(inner))
            for row in range(picture.height >> halved):
                begin = (row + (top >> halved)) * plane.line_size + (left >> halved)
                length = picture.width >> halved
                rows[begin : begin + length] = data[row * inner.line_size : row * inner.line_size + length]
            plane.update(bytes(rows))
        return canvas
