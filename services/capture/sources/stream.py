"""Everything that PyAV opens: RTSP over TCP, other streams over HTTP, and files, looped in real time.

JPEG packets pass through untouched; everything else is decoded and encoded as JPEG.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from preroll.addresses import without_password
from preroll.clock import NS_PER_S, Clock
from preroll.process import Shutdown
from services.capture.address import RTSP
from services.capture.sources.anchor import LiveAnchor, PlaybackAnchor
from services.capture.sources.frame_encoding import FrameEncoder
from services.capture.sources.source import Picture, SourceLost

# What a live stream had queued while it was opened comes in a burst; a pause this long is its end.
BURST_GAP_NS: Final = 5_000_000
BURST_MAX_NS: Final = NS_PER_S // 2
BURST_MAX_FRAMES: Final = 300
_SLICE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Shot:
    """A picture with its time on the stream's clock, in nanoseconds, and when it arrived."""

    jpeg: bytes = field(repr=False)
    stream_ns: int
    arrived_ns: int


class PacketReader:
    """Shots out of one open container, in the order of presentation."""

    def __init__(self, container: InputContainer, shown: str, jpeg_quality: int, clock: Clock) -> None:
        if not container.streams.video:
            raise SourceLost(f"{shown}: there is no video in it")
        self._stream: VideoStream = container.streams.video[0]
        self._stream.thread_type = "SLICE"  # threads by frame would hold frames back
        self._shown = shown
        self._clock = clock
        self._is_jpeg = self._stream.codec_context.name == "mjpeg"
        self._encoder = FrameEncoder(jpeg_quality)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._frame_ns = round(NS_PER_S / rate) if rate else NS_PER_S // 25
        self._next_ns = 0
        self._has_keyframe = False
        self._shots = self._all(container)

    def next_shot(self) -> _Shot | None:
        """The next one, `None` at the stream's end, or `SourceLost`."""
        try:
            return next(self._shots, None)
        except (av.FFmpegError, OSError) as err:
            raise SourceLost(f"{self._shown}: {without_password(str(err))}") from err

    def _all(self, container: InputContainer) -> Iterator[_Shot]:
        for packet in container.demux(self._stream):
            arrived_ns = self._clock.monotonic_ns()
            if not self._is_jpeg:
                yield from self._decoded(packet, arrived_ns)
            elif packet.size:
                yield _Shot(bytes(packet), self._stream_ns(packet), arrived_ns)

    def _decoded(self, packet: "Packet[VideoStream]", arrived_ns: int) -> Iterator[_Shot]:
        # A stream that is joined in the middle of a group of pictures has nothing to show before the next keyframe.
        self._has_keyframe |= packet.is_keyframe
        try:
            frames = self._stream.decode(packet) if self._has_keyframe or not packet.size else []
        except av.InvalidDataError:
            # A damaged packet is a lost frame: it takes its number, and is refused and counted like a damaged JPEG.
            yield _Shot(b"", self._stream_ns(packet), arrived_ns)
            return
        for frame in frames:
            stream_ns = self._stream_ns(frame)  # before the encoder, which writes its own times into what it is given
            yield _Shot(self._encoder.encode(frame), stream_ns, arrived_ns)

    def _stream_ns(self, timed: "Packet[VideoStream] | VideoFrame") -> int:
        """The packet's or frame's time; where it has none, one frame after the one before."""
        if timed.pts is not None and timed.time_base is not None:
            stream_ns = round(timed.pts * timed.time_base * NS_PER_S)
        else:
            stream_ns = self._next_ns
        self._next_ns = stream_ns + self._frame_ns
        return stream_ns


class LiveStreamSource:
    """A stream that sends at its own pace."""

    def __init__(self, container: InputContainer, shown: str, jpeg_quality: int, clock: Clock) -> None:
        self._container = container
        self._shown = shown
        self._reader = PacketReader(container, shown, jpeg_quality, clock)
        self._anchor = LiveAnchor()
        self._burst = self._read_burst(clock)

    def read(self, seq: int) -> Picture | None:
        del seq
        if self._burst:
            shot = self._burst.popleft()
        else:
            shot = self._next_shot()
            self._anchor.see(shot.stream_ns, shot.arrived_ns)
        return Picture(shot.jpeg, self._anchor.time_of(shot.stream_ns))

    def close(self) -> None:
        self._container.close()

    def _read_burst(self, clock: Clock) -> deque[_Shot]:
        """The frames up to the first that had to be waited for. The least delay is known only after it."""
        burst: deque[_Shot] = deque()
        began_ns = asked_ns = clock.monotonic_ns()
        while len(burst) < BURST_MAX_FRAMES:
            shot = self._next_shot()
            self._anchor.see(shot.stream_ns, shot.arrived_ns)
            burst.append(shot)
            if shot.arrived_ns - asked_ns > BURST_GAP_NS or shot.arrived_ns - began_ns > BURST_MAX_NS:
                break
            asked_ns = clock.monotonic_ns()
        return burst

    def _next_shot(self) -> _Shot:
        shot = self._reader.next_shot()
        if shot is None:
            raise SourceLost(f"{self._shown}: the stream has ended")
        return shot


class PlaybackSource:
    """A recording, played in real time, over and over."""

    def __init__(
        self,
        container: InputContainer,
        url: str,
        jpeg_quality: int,
        timeouts_s: tuple[float, float],
        clock: Clock,
        shutdown: Shutdown,
    ) -> None:
        self._container = container
        self._url = url
        self._jpeg_quality = jpeg_quality
        self._timeouts_s = timeouts_s
        self._clock = clock
        self._shutdown = shutdown
        self._anchor = PlaybackAnchor()
        self._reader = PacketReader(container, without_password(url), jpeg_quality, clock)
        self._due: tuple[_Shot, int] | None = None
        self._has_shown = False

    def read(self, seq: int) -> Picture | None:
        del seq
        shot, due_ns = self._due = self._due or self._next_due()
        while (ahead_ns := due_ns - self._clock.monotonic_ns()) > 0:
            if self._shutdown.wait(min(ahead_ns / NS_PER_S, _SLICE_S)) or ahead_ns > _SLICE_S * NS_PER_S:
                return None
        self._due = None
        return Picture(shot.jpeg, due_ns)

    def close(self) -> None:
        self._container.close()

    def _next_due(self) -> tuple[_Shot, int]:
        shot = self._reader.next_shot()
        if shot is None:
            if not self._has_shown:
                raise SourceLost(f"{without_password(self._url)}: there is no picture in it")
            self._begin_again()
            shot = self._reader.next_shot()
            if shot is None:
                raise SourceLost(f"{without_password(self._url)}: there is no picture in it any more")
        self._has_shown = True
        return shot, self._anchor.due_ns(shot.stream_ns, self._clock.monotonic_ns())

    def _begin_again(self) -> None:
        # Opened anew, not rewound: not every format can be rewound, and the decoder begins afresh too.
        self._container.close()
        self._container = _open_container(self._url, self._timeouts_s)
        self._reader = PacketReader(self._container, without_password(self._url), self._jpeg_quality, self._clock)
        self._anchor.begin_pass()


def open_stream(
    url: str, jpeg_quality: int, timeouts_s: tuple[float, float], clock: Clock, shutdown: Shutdown
) -> LiveStreamSource | PlaybackSource:
    """The source at `url` (or path), or `SourceLost`. `timeouts_s` are for opening and for every read.

    A file, and whatever over HTTP has an end, is a recording and is paced here; RTSP servers pace what they send.
    """
    shown = without_password(url)
    container = _open_container(url, timeouts_s)
    try:
        if "://" not in url or (container.duration and not url.startswith(RTSP)):
            return PlaybackSource(container, url, jpeg_quality, timeouts_s, clock, shutdown)
        return LiveStreamSource(container, shown, jpeg_quality, clock)
    except BaseException:
        container.close()
        raise


def _open_container(url: str, timeouts_s: tuple[float, float]) -> InputContainer:
    options = {"fflags": "nobuffer"} if "://" in url else {}
    if url.startswith(RTSP):
        # Over UDP a full buffer anywhere would be a lost picture; `timeout` (microseconds) is for its own sockets.
        options |= {"rtsp_transport": "tcp", "timeout": str(round(max(timeouts_s) * 1_000_000))}
    try:
        return av.open(url if "://" in url else f"file:{url}", options=options, timeout=timeouts_s)
    except (av.FFmpegError, OSError, ValueError) as err:
        raise SourceLost(f"{without_password(url)}: {without_password(str(err))}") from err
