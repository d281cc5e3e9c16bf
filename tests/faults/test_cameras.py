"""Faults 4, 5, 10, 14 and 25: cameras that stall, restart, send rubbish, come too late, or come twice."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import av
import cv2
import numpy as np
import pytest

from services.recorder.clips.original import read_frames
from tests.support.explaining import Shown, drawn, shown
from tests.support.frames import jpeg
from tests.support.judging import judge, window_of
from tests.support.mjpeg_server import CameraServer, part
from tests.support.pictures import read_jpeg
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)

FPS = 30


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("cameras")) as made:
        made.start("api")
        made.start("recorder", ring_s=12, pre_s=0.5, post_s=0.5, keep_original=True, encoder_preset="ultrafast")
        yield made


def losses(system: System, camera_id: str) -> Json:
    found: Json = system.cameras()[camera_id]["losses"]
    return found


def state(system: System, camera_id: str) -> str | None:
    return system.cameras().get(camera_id, {}).get("state")


def stop(system: System, *names: str) -> None:
    for name in names:
        assert system.services[name].stop() == 0
        del system.services[name]


def paced(
    pictures: Callable[[int], bytes], stalled: threading.Event | None = None
) -> Callable[[bytes], Iterator[bytes]]:
    """A camera's answer: picture after picture, `FPS` a second; none while `stalled` is set."""
    pace = threading.Event()

    def answer(_: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
        number = 0
        while True:
            while stalled is not None and stalled.is_set():
                pace.wait(0.01)
                yield b""
            yield part(pictures(number))
            number += 1
            pace.wait(1 / FPS)

    return answer


def test_a_trigger_in_warm_up_says_what_is_missing(system: System) -> None:
    system.start_capture("warm")
    system.wait_live("warm")
    event = system.trigger(event_id="warm-up", cameras=["warm"], pre_s=8, post_s=0.5)
    (clip,) = event["clips"]
    assert clip["coverage"] == "partial"
    assert 1 < clip["missing_s"] < 8
    ended = shown(system, "warm-up", "warm")
    assert ended.clip["complete"] is False
    (line,) = ended.clip["shortfall"]
    assert abs(float(line.split()[1]) - clip["missing_s"]) < 0.1, (line, clip)
    drawn(ended)
    assert ended.numbers[0] <= losses(system, "warm")["lost_on_wire"] + FPS
    stop(system, "warm")


def test_a_camera_that_stalls_inside_the_window_leaves_a_stated_gap(system: System) -> None:
    stalled = threading.Event()
    with CameraServer(paced(jpeg, stalled)) as camera:
        system.start_capture("stall", source=camera.url(), read_timeout_s=10)
        system.wait_live("stall")
        system.wait_ring(1, "stall")
        event = system.trigger(event_id="stalled", cameras=["stall"], pre_s=0.5, post_s=4)
        system.wait_frames(10, "stall")
        stalled.set()
        wait_until(lambda: state(system, "stall") == "stalled", 10, "the camera counts as stalled")
        stalled.clear()
        clip = shown(system, "stalled", "stall")
        assert clip.causes() == {"stalled"}
        assert clip.clip["complete"] is False
        (line,) = clip.clip["shortfall"]
        assert line.startswith("the camera stalled for 1."), line
        assert [code.number for code in drawn(clip)] == list(range(clip.numbers[0], clip.numbers[-1] + 1))
        gap_us = max(b - a for (_, _, a), (_, _, b) in pairwise(clip.sidecar["frames"]))
        times = [code.time_s for code in drawn(clip)]
        assert max(b - a for a, b in pairwise(times)) == pytest.approx(gap_us / 1e6, abs=0.002)
        assert set(losses(system, "stall").values()) == {0}
        assert event["clips"][0]["coverage"] == "full"

        stalled.set()
        wait_until(lambda: state(system, "stall") == "stalled", 10, "the camera counts as stalled")
        during = system.trigger(event_id="silent", cameras=["stall"], pre_s=6, post_s=0.5)
        assert during["clips"][0]["coverage"] == "partial"
        assert during["clips"][0]["missing_s"] > 0.9
        ended = shown(system, "silent", "stall")  # closed without a frame beyond its end
        assert ended.clip["complete"] is False
        assert any(line.startswith("ends ") and line.endswith(" s early") for line in ended.clip["shortfall"])
        drawn(ended)
        stop(system, "stall")


def test_a_capture_restarted_inside_the_window_is_stated_as_a_restart(system: System) -> None:
    system.start_capture("again")
    system.wait_live("again")
    system.wait_ring(1, "again")
    run_id = system.cameras()["again"]["run_id"]
    system.trigger(event_id="restarted", cameras=["again"], pre_s=0.5, post_s=30)
    system.wait_frames(10, "again")
    system.services["again"].kill()
    system.services["again"].start()
    system.wait_new_run("again", run_id)
    system.wait_frames(15, "again")
    assert system.http.patch("/events/restarted", json={"post_s": 0}).status_code == 200
    clip = shown(system, "restarted", "again")
    assert clip.causes() == {"restarted"}
    assert clip.clip["complete"] is False
    assert any("capture restarted" in line and "count unknown" in line for line in clip.clip["shortfall"])
    assert clip.sidecar["runs"][0] == run_id
    assert len(clip.sidecar["runs"]) == 2
    for run in (0, 1):
        numbers = [seq for index, seq, _ in clip.sidecar["frames"] if index == run]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    first_of_new = next(seq for index, seq, _ in clip.sidecar["frames"] if index == 1)
    counted = losses(system, "again")
    assert counted["restarts"] == 1
    # The new run is refused until the old one has been silent for 2 s, and each refusal is counted; before its
    # first frame arrived, none of its numbers was known here.
    assert 0 < counted["refused_second_run"] <= first_of_new
    assert first_of_new - counted["refused_second_run"] < FPS
    drawn(clip)
    stop(system, "again")


def test_a_second_capture_with_the_same_id_is_refused_until_the_first_is_silent(system: System) -> None:
    system.start_capture("twin")
    system.wait_live("twin")
    run_id = system.cameras()["twin"]["run_id"]
    system.start("capture", "other-twin", camera_id="twin", width=640, height=360)
    wait_until(lambda: losses(system, "twin")["refused_second_run"] > FPS, 20, "frames of the second are refused")
    event = system.trigger(event_id="twins", cameras=["twin"])
    clip = shown(system, "twins", "twin")
    assert clip.clip["complete"], clip.clip
    assert clip.sidecar["runs"] == [run_id]
    judge(clip.file, window_of(event))
    counted = losses(system, "twin")
    assert {name: count for name, count in counted.items() if count} == {
        "refused_second_run": counted["refused_second_run"]
    }
    system.services["twin"].kill()
    system.wait_new_run("twin", run_id)
    assert losses(system, "twin")["restarts"] == 1
    del system.services["twin"]
    stop(system, "other-twin")


def test_a_dead_camera_fails_its_own_clip_only(system: System) -> None:
    system.start_capture("alive")
    system.start_capture("dead")
    system.wait_live("alive", "dead")
    system.wait_ring(1, "alive")
    stop(system, "dead")

    def is_empty() -> bool:
        return bool(system.cameras()["dead"]["age_s"] > 1.2)

    wait_until(is_empty, 10, "the dead camera's last frame is too old for the window")
    event = system.trigger(event_id="widow", cameras=["alive", "dead"])
    coverage = {clip["camera_id"]: clip["coverage"] for clip in event["clips"]}
    assert coverage["alive"] == "full"
    assert coverage["dead"] != "full"
    ended = system.wait_state("widow", "ready")
    clips = {clip["camera_id"]: clip for clip in ended["clips"]}
    assert clips["dead"]["state"] == "failed"
    assert clips["dead"]["shortfall"] == ["no frame of the window could be had"]
    assert clips["alive"]["complete"] is True
    judge(shown(system, "widow", "alive").file, window_of(event))
    stop(system, "alive")


def grey(data: bytes) -> bytes:
    return _encoded(cv2.cvtColor(_decoded(data), cv2.COLOR_BGR2GRAY))


def chroma_422(data: bytes) -> bytes:
    return _encoded(_decoded(data), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422)


def damaged_inside(data: bytes) -> bytes:
    """The header is whole and so is the end; the picture between is not, from three quarters on."""
    at = len(data) * 3 // 4
    return data[:at] + bytes([data[at] ^ 0x55, data[at + 1] ^ 0x2A]) * 20 + data[at + 40 :]


def _decoded(data: bytes) -> Any:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels


def _encoded(pixels: Any, *options: int) -> bytes:
    is_encoded, data = cv2.imencode(".jpg", pixels, options)
    assert is_encoded
    return data.tobytes()


REJECTED: dict[int, Callable[[bytes], bytes]] = {
    3: lambda data: data[: len(data) // 2],
    9: lambda _: b"",
    15: lambda data: data[:4] + bytes(len(data) - 6) + data[-2:],
    21: lambda _: b"not a picture at all",
}
TAKEN: dict[int, Callable[[bytes], bytes]] = {
    6: grey,
    12: chroma_422,
    18: lambda data: _encoded(cv2.resize(_decoded(data), (640, 360), interpolation=cv2.INTER_NEAREST)),
    24: damaged_inside,
}
CYCLE = 27


def strange(number: int) -> bytes:
    """The numbered picture; in every `CYCLE` each of the ways in which cameras fail comes once."""
    change = {**REJECTED, **TAKEN}.get(number % CYCLE)
    return change(jpeg(number)) if change else jpeg(number)


def check_strange(clip: Shown, original: bytes, system: System, cause: str) -> None:
    numbers = range(clip.numbers[0], clip.numbers[-1] + 1)
    rejected = [number for number in numbers if number % CYCLE in REJECTED]
    assert len(rejected) >= len(REJECTED)
    assert clip.numbers == [number for number in numbers if number % CYCLE not in REJECTED]
    assert clip.causes() == {cause}
    # One hole for each, and those right before and behind the clip's own frames.
    stated = [hole["first_seq"] for hole in clip.sidecar["holes"]]
    assert {hole["missing"] for hole in clip.sidecar["holes"]} == {1}
    assert [number for number in stated if number in numbers] == rejected
    assert all(number % CYCLE in REJECTED for number in stated)
    assert len(stated) <= len(rejected) + 2
    assert clip.clip["complete"] is False
    file = system.folder / "strange.original.mp4"
    file.write_bytes(original)
    stored = [bytes(frame.jpeg) for frame in read_frames(file)]
    assert stored == [strange(number) for number in clip.numbers]  # untouched, byte for byte
    assert [read_jpeg(data)[0] for data in stored[:6]] == clip.numbers[:6]
    with av.open(str(clip.file)) as container:
        shown_frames = sum(1 for _ in container.decode(container.streams.video[0]))
    encoder = clip.sidecar["encoder"]
    assert shown_frames == encoder["frames"]
    assert shown_frames + encoder["undecodable"] == len(clip.numbers)
    assert encoder["undecodable"] <= sum(number % CYCLE == 24 for number in clip.numbers)


def test_strange_and_broken_pictures_are_taken_or_counted_and_the_clip_plays(system: System) -> None:
    with CameraServer(paced(strange)) as camera:
        system.start_capture("strange", source=camera.url())
        system.wait_live("strange")
        system.wait_ring(1.5, "strange")
        system.trigger(event_id="strange", cameras=["strange"], pre_s=1, post_s=1)
        clip = shown(system, "strange", "strange")
        original = system.http.get("/events/strange/clips/strange.original.mp4").content
        check_strange(clip, original, system, "rejected_by_capture")
        counted = losses(system, "strange")
        assert counted["rejected_by_capture"] >= clip.lost("rejected_by_capture")
        assert {name for name, count in counted.items() if count} == {"rejected_by_capture"}
        stop(system, "strange")


def test_a_capture_that_is_stopped_ends_with_no_frame_unaccounted(system: System) -> None:
    system.start_capture("brief")
    system.wait_live("brief")
    system.wait_ring(1, "brief")
    began = time.time()
    assert system.services["brief"].stop(signal.SIGINT) == 0
    del system.services["brief"]
    system.trigger(event_id="afterwards", cameras=["brief"], at=began - 0.6, pre_s=0.2, post_s=0.2)
    clip = shown(system, "afterwards", "brief")
    assert clip.clip["complete"], clip.clip
    drawn(clip)
