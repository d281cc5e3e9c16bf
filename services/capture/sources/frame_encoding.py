"""JPEGs out of decoded video frames, without a way round through RGB, which would cost three times as much."""

from fractions import Fraction
from typing import Final

from av import CodecContext, VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

_QUANTISER_MIN: Final = 1
_QUANTISER_MAX: Final = 31
_TIME_BASE: Final = Fraction(1, 90_000)


def quantiser_of(jpeg_quality: int) -> int:
    """The encoder's quantiser (1 to 31) for a JPEG quality (1 to 100).

    Quality scales the tables by 5000/q percent below 50 and by 200-2q above (the Independent JPEG Group's rule);
    the encoder scales its own by quantiser/8.
    """
    percent = 5000 / jpeg_quality if jpeg_quality < 50 else 200 - 2 * jpeg_quality
    return min(max(round(8 * percent / 100), _QUANTISER_MIN), _QUANTISER_MAX)


class FrameEncoder:
    """Encodes frames one by one: BT.601, full range, as JFIF wants it. One thread owns it."""

    def __init__(self, jpeg_quality: int) -> None:
        self._quantiser = quantiser_of(jpeg_quality)
        self._reformatter = VideoReformatter()
        self._codec: VideoCodecContext | None = None

    def encode(self, frame: VideoFrame) -> bytes:
        """The frame as a JPEG. A frame of another size makes another encoder."""
        pixels = self._reformatter.reformat(
            frame,
            format="yuvj420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        pixels.pts = None
        codec = self._codec
        if codec is None or (codec.width, codec.height) != (pixels.width, pixels.height):
            codec = self._codec = self._codec_for(pixels.width, pixels.height)
        return b"".join(bytes(packet) for packet in codec.encode(pixels))

    def _codec_for(self, width: int, height: int) -> VideoCodecContext:
        codec = CodecContext.create("mjpeg", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height = width, height
        codec.pix_fmt = "yuvj420p"
        codec.time_base = _TIME_BASE
        codec.thread_count = 1  # threads by frame would hold frames back
        # Both limits the same leave the rate control no choice; its `qscale` would be read off each frame instead.
        quantiser = str(self._quantiser)
        codec.options = {"qmin": quantiser, "qmax": quantiser, "huffman": "default"}
        return codec
