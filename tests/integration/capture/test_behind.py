"""A capture that does not come to its turn says so: its camera may leave pictures out, and does not tell."""

import socket
import threading
from collections.abc import Iterator

import pytest

from preroll.clock import SystemClock
from services.capture.sources import http_body
from services.capture.sources.http_body import open_body
from services.capture.sources.mjpeg_http import BEHIND, MjpegHttpSource

PICTURE = b"\xff\xd8" + bytes(2_000) + b"\xff\xd9"
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(PICTURE), PICTURE)
OPENING = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


class Camera:
    """Answers one GET, and then sends what it is told to."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._connection: socket.socket | None = None
        self._answering = threading.Thread(target=self._answer, daemon=True)
        self._answering.start()

    def _answer(self) -> None:
        self._connection, _ = self._listener.accept()
        self._connection.recv(65_536)
        self._connection.sendall(OPENING)

    def send(self, pictures: int) -> None:
        self._answering.join(5)
        assert self._connection is not None
        self._connection.sendall(PART * pictures)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def camera() -> Iterator[Camera]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        made = Camera(listener)
        yield made
        made.close()


@pytest.fixture
def source(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> Iterator[MjpegHttpSource]:
    monkeypatch.setattr(http_body, "RECEIVE_BYTES", 8 * len(PICTURE))
    made = MjpegHttpSource(open_body(f"http://127.0.0.1:{camera.port}/", 5, 5), SystemClock())
    yield made
    made.close()


def behind(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.message == BEHIND]


def test_pictures_that_waited_are_stated_once(
    camera: Camera, source: MjpegHttpSource, caplog: pytest.LogCaptureFixture
) -> None:
    camera.send(20)
    for number in range(20):
        picture = source.read(number)
        assert picture is not None
        assert picture.jpeg == PICTURE
    assert len(behind(caplog)) == 1


def test_pictures_that_are_read_as_they_come_are_not(
    camera: Camera, source: MjpegHttpSource, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        camera.send(1)
        assert source.read(number) is not None
    assert behind(caplog) == []
