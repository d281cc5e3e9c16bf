"""From a camera that is not ours to the clip: the very bytes that it sent, and pictures without a hole."""

import socket
import subprocess
from pathlib import Path

import av
import pytest

from tests.support.numbered import Pictures
from tests.support.pictures import read_codes
from tests.support.processes import System

FPS = 25


@pytest.mark.timeout(120)
def test_an_http_cameras_own_bytes_are_in_the_original(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictures = Pictures.drawn(folder, 250, FPS)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    reading = ["-re", "-loop", "1", "-framerate", str(FPS), "-i", pictures.pattern]
    writing = ["-c", "copy", "-f", "mpjpeg", "-listen", "1", url]
    with System(tmp_path) as system:
        system.start("api")
        system.start("recorder", keep_original=True, min_free_mb=100)
        camera = subprocess.Popen(["ffmpeg", "-nostdin", "-loglevel", "quiet", *reading, *writing])
        try:
            system.start("capture", "cam1", camera_id="cam1", source=url)
            system.wait_ready()
            system.wait_ring(1.5, "cam1")
            event = system.wait_state(system.trigger(pre_s=1, post_s=1)["event_id"], "ready")
        finally:
            camera.kill()
            camera.wait()
        (clip,) = event["clips"]
        assert clip["shortfall"] == []
        original = system.download(clip["files"]["original"]["url"], tmp_path / "original.mp4")
        rendition = system.download(clip["files"]["clip"]["url"], tmp_path / "clip.mp4")
    with av.open(str(original)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    first = pictures.jpegs.index(packets[0])
    count = len(pictures.jpegs)
    assert packets == [pictures.jpegs[(first + number) % count] for number in range(len(packets))]
    assert 2 * FPS - 2 <= len(packets) <= 2 * FPS + 2
    assert [code.number for code in read_codes(rendition)] == [
        (first + number) % count for number in range(len(packets))
    ]
