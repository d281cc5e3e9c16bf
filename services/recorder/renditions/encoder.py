"""Makes the rendition: the original's JPEGs, decoded and encoded as H.264 that every browser plays. Runs in a worker process.

JPEG is full-range YCbCr by the BT.601 matrix (JFIF 1.02). Some players ignore the full-range flag of H.264, so the picture
is brought to limited range, keeps its matrix, and is tagged with both. Times are those of the original; there are no
B-frames, so decoding order is showing order.
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from preroll.wire import Scalar
from services.recorder.clips.original import TICKS_PER_S
from services.recorder.renditions.jobs import Encoding
from services.recorder.renditions.pictures import BT601, BT709, LIMITED, Pictures
from services.recorder.store.disk import Disk, translated
from services.recorder.store.output_file import OutputFile

TICK: Final = Fraction(1, TICKS_PER_S)
KEYFRAME_EVERY_TICKS: Final = TICKS_PER_S
KEYFRAME_GRACE_TICKS: Final = TICKS_PER_S // 250  # a camera's times jitter
KEYFRAME_EVERY_FRAMES_MAX: Final = 60  # for encoders that take no wish for a keyframe
_BUFFER_BYTES: Final = 1 << 20


class EncoderUnusable(Exception):
    """The encoder is not there, or cannot encode a frame on this machine."""


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


def render(original: Path, part: Path, encoding: Encoding, disk: Disk | None = None) -> Rendition:
    """Write the rendition of `original` to `part`, durably.

    `Unreadable` when the original has no picture, `WriteFailed` for the disk, `av.FFmpegError` for the encoder.
    """
    file = OutputFile(disk or Disk(), part)
    try:
        with Pictures(original, encoding.decoders) as pictures:
            rendition = _render(pictures, file, encoding)
        with translated("sync", part):
            file.sync_all()
    except Exception as err:
        if file.failure is not None and err is not file.failure:
            raise file.failure from err
        raise
    finally:
        file.close()
    return rendition


def probe(encoding: Encoding) -> None:
    """Encode one frame; `EncoderUnusable` when that fails."""
    try:
        context = av.CodecContext.create(encoding.encoder, "w")
        if not isinstance(context, av.VideoCodecContext):
            raise EncoderUnusable(f"encoder {encoding.encoder} is not for video")
        context.width, context.height = 320, 192
        context.pix_fmt = _pixel_format(encoding)
        context.time_base = TICK
        context.framerate = Fraction(30, 1)
        context.bit_rate = encoding.bit_rate(320, 192)
        context.options = encoding.options()
        frame = VideoFrame(320, 192, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = 0, TICK
        if not [*context.encode(frame), *context.encode(None)]:
            raise EncoderUnusable(f"encoder {encoding.encoder} gave no packet for a frame")
    except (av.FFmpegError, ValueError, RuntimeError) as err:
        raise EncoderUnusable(f"encoder {encoding.encoder} cannot be used: {err}") from err


def _render(pictures: Pictures, file: OutputFile, encoding: Encoding) -> Rendition:
    options = {
        "movflags": "hybrid_fragmented",
        "video_track_timescale": str(TICKS_PER_S),
        # Where the first frames cannot be decoded, the clip keeps its times and begins later.
        "movie_timescale": str(TICKS_PER_S),
        "avoid_negative_ts": "disabled",
    }
    next_keyframe = 0
    frames = 0
    with av.open(file, "w", format="mp4", options=options, buffer_size=_BUFFER_BYTES) as target:
        stream = _stream_of(target, pictures, encoding)
        for picture in itertools.chain(pictures, [None]):
            if picture is not None:
                frames += 1
                assert picture.pts is not None
                if picture.pts >= next_keyframe:
                    picture.pict_type = PictureType.I
                    next_keyframe = picture.pts + KEYFRAME_EVERY_TICKS - KEYFRAME_GRACE_TICKS
            for packet in stream.encode(picture):
                if packet.pts is not None:
                    packet.duration = pictures.durations.pop(packet.pts, 0) or packet.duration or 0
                target.mux(packet)
    return Rendition(frames, pictures.undecodable, pictures.width, pictures.height)


def _stream_of(target: av.container.OutputContainer, pictures: Pictures, encoding: Encoding) -> VideoStream:
    stream = target.add_stream(encoding.encoder, options=encoding.options())
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = pictures.width, pictures.height
    stream.pix_fmt = _pixel_format(encoding)
    stream.time_base = stream.codec_context.time_base = TICK
    context = stream.codec_context
    context.framerate = Fraction(30, 1)
    context.bit_rate = encoding.bit_rate(pictures.width, pictures.height)
    context.gop_size = KEYFRAME_EVERY_FRAMES_MAX
    context.max_b_frames = 0
    context.thread_count = encoding.threads
    context.thread_type = "FRAME"  # several frames at once: slices of one wait for one another at its end
    context.color_range = LIMITED
    context.colorspace = BT601
    context.color_primaries = BT709
    context.color_trc = BT709
    return stream


def _pixel_format(encoding: Encoding) -> str:
    return "nv12" if encoding.encoder == "h264_qsv" else "yuv420p"
