"""Real input, each with numbered pictures: a file, HTTP from ffmpeg, RTSP from GStreamer."""

import itertools
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from preroll.clock import NS_PER_MS, NS_PER_S
from tests.support.capturing import CaptureProcess, Received, Subscriber
from tests.support.numbered import Pictures
from tests.support.pictures import read_jpeg
from tests.support.waiting import wait_until

FPS: Final = 30
COUNT: Final = 150
SYSTEM_PYTHON: Final = "/usr/bin/python3"
RTSP_SERVER: Final = Path(__file__).parents[2] / "support" / "rtsp_server.py"


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-y", "-loglevel", "error", *arguments], check=True)


def numbers_in(frames: list[Received]) -> list[int]:
    return [read_jpeg(frame.jpeg)[0] for frame in frames]


def assert_without_a_hole(numbers: list[int]) -> None:
    """Each picture follows the one before, or begins the sequence anew."""
    steps = [(later - earlier) % COUNT for earlier, later in itertools.pairwise(numbers)]
    assert set(steps) == {1}, numbers


def assert_times_are_plausible(frames: list[Received], *, jitter_ms: float) -> None:
    """Steady as the source is, and never after receipt."""
    for frame in frames:
        assert frame.header.monotonic_ns <= frame.received_monotonic_ns
        assert frame.received_monotonic_ns - frame.header.monotonic_ns < NS_PER_S
    first = frames[0].header
    for frame in frames:
        steady_ns = first.monotonic_ns + (frame.header.seq - first.seq) * NS_PER_S // FPS
        assert abs(frame.header.monotonic_ns - steady_ns) < jitter_ms * NS_PER_MS, frame


def scan_data(jpeg: bytes) -> bytes:
    """The entropy-coded data, which is what RTP carries of a JPEG: tables and headers are made anew (RFC 2435)."""
    at = jpeg.index(b"\xff\xda")
    return jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") : jpeg.index(b"\xff\xd9", at)]


def test_an_mjpeg_file_is_looped_in_real_time_with_its_very_bytes(
    pictures: Pictures, subscriber: Subscriber, tmp_path: Path
) -> None:
    clip = tmp_path / "short.mp4"
    ffmpeg("-framerate", str(FPS), "-i", pictures.pattern, "-frames:v", "40", "-c", "copy", str(clip))
    with CaptureProcess(tmp_path / "log", source=str(clip), frames_connect=subscriber.address) as capture:
        frames = subscriber.wait_for(100)
        assert capture.end()[0] == 0
    first = numbers_in(frames[:1])[0]
    assert [frame.jpeg for frame in frames] == [pictures.jpegs[(first + number) % 40] for number in range(len(frames))]
    assert subscriber.numbers[:100] == list(range(subscriber.numbers[0], subscriber.numbers[0] + 100))
    assert_times_are_plausible(frames, jitter_ms=2)


def test_an_h264_file_is_decoded_without_a_hole(pictures: Pictures, subscriber: Subscriber, tmp_path: Path) -> None:
    clip = tmp_path / "clip with a space.mp4"
    ffmpeg(
        "-framerate", str(FPS), "-i", pictures.pattern, "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", str(clip)
    )
    with CaptureProcess(tmp_path / "log", source=str(clip), frames_connect=subscriber.address):
        frames = subscriber.wait_for(COUNT + 30)
    assert_without_a_hole(numbers_in(frames))
    assert_times_are_plausible(frames, jitter_ms=2)


@pytest.fixture
def http_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("kind", [(), ("-content_type", "multipart/x-mixed-replace;boundary=ffmpeg")])
def test_http_mjpeg_from_ffmpeg_passes_through_with_its_very_bytes(
    pictures: Pictures, subscriber: Subscriber, tmp_path: Path, http_port: int, kind: tuple[str, ...]
) -> None:
    url = f"http://127.0.0.1:{http_port}/"
    reading = ["-re", "-framerate", str(FPS), "-i", pictures.pattern]
    writing = ["-c", "copy", "-f", "mpjpeg", *kind, "-listen", "1", url]
    server = subprocess.Popen(["ffmpeg", "-nostdin", "-loglevel", "quiet", *reading, *writing])
    try:
        with CaptureProcess(tmp_path / "log", source=url, frames_connect=subscriber.address):
            frames = subscriber.wait_for(100)
    finally:
        server.kill()
        server.wait()
    first = numbers_in(frames[:1])[0]
    assert [frame.jpeg for frame in frames] == pictures.jpegs[first : first + len(frames)]
    assert_times_are_plausible(frames, jitter_ms=100)


@pytest.fixture(scope="module")
def rtsp(pictures: Pictures) -> Iterator[str]:
    if (
        shutil.which(SYSTEM_PYTHON) is None
        or subprocess.run(
            [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"],
            check=False,
            capture_output=True,
        ).returncode
    ):
        pytest.skip("GStreamer's RTSP server is not installed: gir1.2-gst-rtsp-server-1.0 and python3-gi")
    recording = pictures.folder / "pictures.avi"
    ffmpeg("-framerate", str(FPS), "-i", pictures.pattern, "-c", "copy", str(recording))
    server = subprocess.Popen([SYSTEM_PYTHON, str(RTSP_SERVER), str(recording)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server.stdout:
        yield f"rtsp://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()
        server.wait()


def test_rtsp_h264_is_decoded_without_a_hole(rtsp: str, subscriber: Subscriber, tmp_path: Path) -> None:
    with CaptureProcess(tmp_path / "log", source=f"{rtsp}/h264", frames_connect=subscriber.address):
        frames = subscriber.wait_for(100)
    assert_without_a_hole(numbers_in(frames))
    assert_times_are_plausible(frames[20:], jitter_ms=40)


def test_rtsp_mjpeg_passes_through_with_the_data_that_was_sent(
    rtsp: str, subscriber: Subscriber, pictures: Pictures, tmp_path: Path
) -> None:
    with CaptureProcess(tmp_path / "log", source=f"{rtsp}/mjpeg", frames_connect=subscriber.address):
        frames = subscriber.wait_for(100)
    numbers = numbers_in(frames)
    assert_without_a_hole(numbers)
    for number, frame in zip(numbers, frames, strict=True):
        assert scan_data(frame.jpeg) == scan_data(pictures.jpegs[number])
    assert_times_are_plausible(frames[20:], jitter_ms=40)


def test_an_rtsp_stream_that_ends_is_opened_again(rtsp: str, subscriber: Subscriber, tmp_path: Path) -> None:
    with CaptureProcess(tmp_path / "log", source=f"{rtsp}/mjpeg", frames_connect=subscriber.address) as capture:
        frames = subscriber.wait_for(COUNT + 20, 30)
        assert "camera lost" in capture.output
        assert '"reopened": 1' in capture.output
    wait_until(lambda: len(set(subscriber.numbers)) == len(subscriber.numbers), 1)
    assert len({frame.header.run_id for frame in frames}) == 1
