"""What cameras, networks and drivers do to a capture."""

import base64
import itertools
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import zmq

from preroll import sockets, wire
from preroll.runtime.threads import WEDGED_EXIT_CODE
from services.capture.sources.http_body import open_body
from services.capture.sources.source import SourceLost
from tests.support.capturing import CaptureProcess, Subscriber
from tests.support.frames import jpeg
from tests.support.mjpeg_server import HEAD, CameraServer, part
from tests.support.pictures import read_jpeg
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]

PACE_S: Final = 0.02


class Camera:
    """A camera that sends numbered pictures until `go_on` is set, and then what it was told."""

    def __init__(self, last_words: tuple[bytes, ...] = ()) -> None:
        self.go_on = threading.Event()
        self._last_words = last_words

    def answer(self, _request: bytes) -> Iterator[bytes]:
        yield HEAD
        for number in itertools.count():
            yield part(jpeg(number % 1000))
            if self.go_on.wait(PACE_S):
                break
        yield from self._last_words


def test_a_camera_that_dies_comes_back_and_the_numbers_go_on(subscriber: Subscriber, tmp_path: Path) -> None:
    def answer(_request: bytes) -> Iterator[bytes]:
        yield HEAD
        yield from (part(jpeg(number)) for number in range(5))

    with (
        CameraServer(answer, closes=True) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url(), frames_connect=subscriber.address) as capture,
    ):
        wait_until(lambda: subscriber.numbers and subscriber.numbers[-1] >= 14, 20)
        assert "the server closed the connection" in capture.output
        assert capture.end()[0] == 0
    assert subscriber.numbers == list(range(subscriber.numbers[0], subscriber.numbers[-1] + 1))


def test_a_camera_that_falls_silent_is_lost_after_the_read_timeout(tmp_path: Path) -> None:
    def answer(_request: bytes) -> Iterator[bytes]:
        yield HEAD + part(jpeg(1)) + b"--frame\r\nContent-Length: 1000\r\n\r\nhalf a picture"

    with (
        CameraServer(answer) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url(), read_timeout_s=0.5) as capture,
    ):
        camera.wait_for_requests(2)
        assert "silent for 0.5 s" in capture.output


def test_a_camera_that_answers_nothing_is_lost_after_the_open_timeout(tmp_path: Path) -> None:
    with (
        CameraServer(lambda _: iter(())) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url(), open_timeout_s=0.3) as capture,
    ):
        camera.wait_for_requests(2)
        assert "no answer within the open timeout" in capture.output


def test_an_rtsp_camera_that_answers_nothing_is_lost_after_the_open_timeout(tmp_path: Path) -> None:
    with (
        CameraServer(lambda _: iter(())) as camera,
        CaptureProcess(
            tmp_path / "log",
            source=camera.url("/stream").replace("http:", "rtsp:"),
            open_timeout_s=0.5,
            read_timeout_s=0.5,
        ) as capture,
    ):
        camera.wait_for_requests(2)
        capture.wait_for_output("camera lost")


def test_corrupt_pictures_take_their_numbers_and_are_counted(subscriber: Subscriber, tmp_path: Path) -> None:
    padded = jpeg(5002) + b"\0" * 512
    bad = [b"", jpeg(1)[:100], b"no picture", jpeg(3)[: len(jpeg(3)) // 2]]
    script = Camera((*(part(data) for data in (*bad[:3], jpeg(5001), padded, bad[3], jpeg(5003))),))
    with (
        CameraServer(script.answer) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url(), frames_connect=subscriber.address) as capture,
    ):
        subscriber.wait_for(1)
        script.go_on.set()
        wait_until(lambda: subscriber.frames[-1].jpeg == jpeg(5003), 10)
        assert capture.end()[0] == 0
    last = subscriber.frames[-4:]
    begin = last[0].header.seq
    assert [frame.header.seq - begin for frame in last] == [0, 4, 5, 7]
    assert [frame.header.rejected for frame in last] == [0, 3, 3, 4]
    assert last[2].jpeg == padded
    assert [read_jpeg(frame.jpeg)[0] for frame in last[1:]] == [5001, 5002, 5003]


def test_a_stream_without_bounds_is_lost_and_not_hoarded(tmp_path: Path) -> None:
    def answer(_request: bytes) -> Iterator[bytes]:
        yield HEAD + b"--frame\r\nContent-Length: 99999999999\r\n\r\n"

    with CameraServer(answer) as camera, CaptureProcess(tmp_path / "log", source=camera.url()) as capture:
        camera.wait_for_requests(2)
        assert "limit 33554432" in capture.output


@pytest.mark.parametrize("challenge", ['Basic realm="camera"', 'Digest realm="camera", nonce="abc", qop="auth"'])
def test_a_camera_that_asks_who_is_there_is_told_and_no_log_is(
    subscriber: Subscriber, tmp_path: Path, challenge: str
) -> None:
    script = Camera()

    def answer(request: bytes) -> Iterator[bytes]:
        if b"\r\nAuthorization: " in request:
            yield from script.answer(request)
        else:
            yield b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + challenge.encode() + b"\r\n\r\n"

    with (
        CameraServer(answer) as camera,
        CaptureProcess(
            tmp_path / "log",
            source=camera.url("/video?x=1", user="admin:open%20sesame@"),
            frames_connect=subscriber.address,
            log_level="DEBUG",
        ) as capture,
    ):
        subscriber.wait_for(3)
        script.go_on.set()
        capture.end()
        first, second = camera.requests
        assert b"Authorization" not in first
        if challenge.startswith("Basic"):
            assert b"Authorization: Basic " + base64.b64encode(b"admin:open sesame") in second
        else:
            assert b'uri="/video?x=1"' in second
        assert "sesame" not in capture.output
        assert "admin:***@" in capture.output


@pytest.mark.parametrize("sign", list("#/?["))
def test_an_address_that_cannot_be_read_is_lost_and_no_part_of_its_password_is_told(sign: str) -> None:
    with pytest.raises(SourceLost, match=r"is no address.*%23") as lost:
        open_body(f"http://admin:open{sign}sesame@127.0.0.1:1/video", 1, 1)
    assert "open" not in str(lost.value).partition("is no address")[0]
    assert lost.value.__suppress_context__


def test_a_redirect_is_followed(subscriber: Subscriber, tmp_path: Path) -> None:
    script = Camera()

    def answer(request: bytes) -> Iterator[bytes]:
        if request.startswith(b"GET /real "):
            yield from script.answer(request)
        else:
            yield b"HTTP/1.1 302 Found\r\nLocation: /real\r\n\r\n"

    with (
        CameraServer(answer) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url("/old"), frames_connect=subscriber.address),
    ):
        subscriber.wait_for(3)
        script.go_on.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_within_2_s_while_a_read_blocks(tmp_path: Path, number: signal.Signals) -> None:
    with (
        CameraServer(lambda _: iter(())) as camera,
        CaptureProcess(tmp_path / "log", source=camera.url("/x").replace("http:", "rtsp:")) as capture,
    ):
        camera.wait_for_requests(1)
        code, took_s = capture.end(number)
    assert code == 0, capture.output
    assert took_s < 2
    assert "capture ends" in capture.output


def test_a_signal_ends_it_while_it_waits_to_open_again(tmp_path: Path) -> None:
    with CaptureProcess(tmp_path / "log", source="http://127.0.0.1:9/") as capture:
        capture.wait_for_output("camera lost")
        code, took_s = capture.end()
    assert code == 0
    assert took_s < 2


def test_a_driver_call_that_hangs_ends_the_process(tmp_path: Path) -> None:
    never_written = tmp_path / "fifo"
    os.mkfifo(never_written)  # to open it blocks until somebody opens it for writing, whatever the timeouts
    with CaptureProcess(
        tmp_path / "log", source=str(never_written), open_timeout_s=0.1, read_timeout_s=0.1, watchdog_s=1.2
    ) as capture:
        assert capture.process.wait(20) == WEDGED_EXIT_CODE
        assert "watchdog: capture loop silent" in capture.output


def test_a_setting_that_cannot_work_ends_it_with_2_and_says_why(tmp_path: Path) -> None:
    with CaptureProcess(tmp_path / "log", camera_id="Front Door") as capture:
        assert capture.process.wait(20) == 2
        assert "PREROLL_CAPTURE_CAMERA_ID='Front Door'" in capture.output


def test_two_subscribers_get_the_same_frames(context: Context, subscriber: Subscriber, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/frames"
    with (
        CaptureProcess(
            tmp_path / "log", width=320, height=180, frames_connect=subscriber.address, frames_bind=address
        ) as capture,
        Subscriber(context, connect=address) as other,
    ):
        subscriber.wait_for(10)
        other.wait_for(10)
        assert capture.end()[0] == 0
    ours = {frame.header.seq: frame.jpeg for frame in subscriber.frames}
    theirs = {frame.header.seq: frame.jpeg for frame in other.frames}
    both = ours.keys() & theirs.keys()
    assert len(both) >= 9
    assert all(ours[seq] == theirs[seq] for seq in both)


def test_a_recorder_that_comes_back_gets_frames_again(context: Context, tmp_path: Path) -> None:
    with Subscriber(context) as before:
        capture = CaptureProcess(tmp_path / "log", width=320, height=180, frames_connect=before.address)
        before.wait_for(5)
    with capture, Subscriber(context, bind=before.address) as after:
        after.wait_for(5, 10)
        assert after.numbers[0] > before.numbers[-1]
        assert after.frames[0].header.run_id == before.frames[0].header.run_id


def test_a_name_that_does_not_resolve_stops_nothing(context: Context, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/frames"
    nowhere = "tcp://no-such-host.invalid:5550"
    with (
        CaptureProcess(
            tmp_path / "log", width=320, height=180, frames_connect=nowhere, bus_connect=nowhere, frames_bind=address
        ) as capture,
        Subscriber(context, connect=address) as other,
    ):
        other.wait_for(30)
        assert capture.end()[0] == 0


def test_a_recorder_at_another_address_is_found_by_its_name(context: Context, tmp_path: Path) -> None:
    # A mount namespace of its own gives the process a hosts file that the test can change.
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.2 recorder\n")
    probe = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", hosts, "/etc/hosts"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("a mount namespace needs privileges")
    command = ("unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")
    with Subscriber(context, bind="tcp://127.0.0.2:0") as before:
        capture = CaptureProcess(
            tmp_path / "log", command=command, width=320, height=180, frames_connect=f"tcp://recorder:{before.port}"
        )
        before.wait_for(5)
    with hosts.open("w") as file:  # in place: the mount is of the file, not of its name
        file.write("127.0.0.3 recorder\n")
    with capture, Subscriber(context, bind=f"tcp://127.0.0.3:{before.port}") as after:
        after.wait_for(5, 10)


def test_the_status_is_on_the_bus_every_second(context: Context, tmp_path: Path) -> None:
    with sockets.bus_receiver(context) as bus:
        bus.bind("tcp://127.0.0.1:0")
        address = f"tcp://127.0.0.1:{sockets.bound_port(bus)}"
        with CaptureProcess(tmp_path / "log", width=320, height=180, fps=20, bus_connect=address) as capture:
            messages: list[wire.BusMessage] = []

            def statuses() -> list[wire.CaptureStatus]:
                while sockets.poll(bus, 0):
                    messages.append(wire.decode_bus(bus.recv()))
                return [message for message in messages if isinstance(message, wire.CaptureStatus)]

            wait_until(lambda: len(statuses()) >= 3, 20)
            last = statuses()[-1]
            assert capture.end()[0] == 0
            wait_until(lambda: statuses() and any(getattr(m, "message", "") == "capture ends" for m in messages), 5)
    assert last.camera_id == last.instance == "cam1"
    assert last.is_open
    assert last.source == "synthetic:"
    assert 15 < last.fps < 25
    assert [message.number for message in messages] == list(range(len(messages)))
