"""Faults 17 and 22, and what must outlive the recorder's process: events, their names, their plans, their jobs."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.explaining import drawn, shown
from tests.support.judging import codec_of, judge, window_of
from tests.support.processes import Json, ServiceProcess, System
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("restarts")) as made:
        made.start_all("cam1", ring_s=10, pre_s=0.5, post_s=0.5)
        made.wait_ring(1, "cam1")
        yield made


def restart(system: System, number: int) -> None:
    recorder = system.services["recorder"]
    if number == signal.SIGKILL:
        recorder.kill()
    else:
        assert recorder.stop(number) == 0
    recorder.start()
    system.wait_ready()
    system.wait_live("cam1")
    system.wait_ring(1, "cam1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_event_is_the_same_event_after_a_restart(system: System, number: int) -> None:
    event_id = f"same-{number}"
    body: Json = {"event_id": event_id, "labels": {"line": "3"}}
    first = system.http.post("/trigger", json=body)
    assert first.status_code == 202
    restart(system, number)
    again = system.http.post("/trigger", json=body)
    assert again.status_code == 200, again.text
    assert again.json()["triggered_at"] == first.json()["triggered_at"]
    other = system.http.post("/trigger", json={**body, "post_s": 2})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    wait_until(lambda: system.event(event_id)["state"] in {"ready", "failed"}, 30, "it is ready or failed")
    if system.event(event_id)["state"] == "ready":
        drawn(shown(system, event_id))
    else:  # killed before a frame was on disk: it says so
        assert number == signal.SIGKILL
        assert "the recorder was ended while recording" in system.event(event_id)["clips"][0]["shortfall"]
    assert system.http.post("/trigger", json=body).status_code == 200
    listed = [event["event_id"] for event in system.http.get("/events").json()["events"]]
    assert listed.count(event_id) == 1


def test_a_scheduled_event_is_recorded_after_restarts(system: System) -> None:
    event = system.trigger(event_id="later", at=time.time() + 12)
    assert event["state"] == "scheduled"
    for number in (signal.SIGTERM, signal.SIGKILL):
        restart(system, number)
        assert system.event("later")["state"] == "scheduled"
    amended = system.http.patch("/events/later", json={"post_s": 0.2})
    assert amended.json()["state"] == "scheduled"
    clip = shown(system, "later")
    assert clip.clip["complete"], clip.clip
    judge(clip.file, window_of({**event, "post_s": 0.2}))


def test_protection_outlives_the_process_and_the_index(system: System) -> None:
    system.trigger(event_id="kept")
    assert system.http.put("/events/kept/protection", json={"protected": True}).json()["protected"] is True
    shown(system, "kept")
    recorder = system.services["recorder"]
    assert recorder.stop() == 0
    for file in system.clips_dir.glob("index.sqlite*"):
        file.unlink()
    recorder.start()
    system.wait_ready()
    system.wait_live("cam1")
    assert system.event("kept")["protected"] is True
    refused = system.http.delete("/events/kept")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    drawn(shown(system, "kept"))


def encoders(recorder: ServiceProcess) -> set[int]:
    """The encoder processes of the recorder, which it starts with multiprocessing's `spawn_main`."""
    found: set[int] = set()
    for line in Path(f"/proc/{recorder.pid}/task").glob("*/children"):
        for pid in line.read_text().split():
            command = Path(f"/proc/{pid}/cmdline")
            if command.exists() and b"spawn_main" in command.read_bytes():
                found.add(int(pid))
    return found


def encodes_running(system: System) -> int:
    running: int = system.http.get("/status").json()["recorder"]["encodes_running"]
    return running


def kill_encoder_at_work(system: System, event_id: str) -> int:
    """Kill the encoder with the job of this event in hand; its process id. It stands still so that it cannot finish."""
    shown(system, system.trigger(event_id=f"{event_id}-warm-up")["event_id"])
    recorder = system.services["recorder"]
    (pid,) = encoders(recorder)
    os.kill(pid, signal.SIGSTOP)
    system.trigger(event_id=event_id)
    wait_until(lambda: encodes_running(system) == 1, 20, "the encoder has a job")
    os.kill(pid, signal.SIGKILL)
    return pid


def test_an_encoder_that_is_killed_costs_one_retry(system: System) -> None:
    kill_encoder_at_work(system, "retried")
    clip = shown(system, "retried")
    assert clip.clip["complete"], clip.clip
    assert codec_of(clip.file) == ("h264", "yuv420p")
    drawn(clip)


def test_an_encoder_killed_twice_leaves_the_original_until_the_next_start(system: System) -> None:
    first = kill_encoder_at_work(system, "twice")
    second = wait_until(lambda: encoders(system.services["recorder"]) - {first}, 20, "another encoder")
    for pid in second:
        os.kill(pid, signal.SIGKILL)

    def is_given_up() -> bool:
        return bool(system.event("twice")["clips"][0]["shortfall"])

    wait_until(is_given_up, 20, "the clip says that it has no rendition")
    (clip,) = system.event("twice")["clips"]
    assert clip["state"] == "saved"
    assert clip["shortfall"] == ["no rendition: the encoder's process died, exit code -9"]
    original = system.http.get("/events/twice/clips/cam1.original.mp4")
    assert (original.status_code, len(original.content)) == (200, clip["files"]["original"]["size_bytes"])
    restart(system, signal.SIGTERM)
    ended = shown(system, "twice")
    assert ended.clip["complete"] is True
    assert ended.clip["shortfall"] == []
    assert codec_of(ended.file) == ("h264", "yuv420p")
    drawn(ended)


def test_sigterm_with_streams_and_a_clip_open_saves_the_clip(system: System) -> None:
    system.trigger(event_id="cut-short", post_s=60)
    system.wait_frames(20, "cam1")
    pictures = threading.Event()

    def watch() -> None:
        try:
            with httpx.stream("GET", f"{system.url}/cameras/cam1/live", timeout=20, trust_env=False) as live:
                for _ in live.iter_bytes():
                    pictures.set()
        except httpx.HTTPError:
            pass  # the end of the stream is what the test is about

    viewer = threading.Thread(target=watch)
    with SseClient(f"{system.url}/logs"):
        viewer.start()
        assert pictures.wait(10)
        began_s = time.monotonic()
        assert set(system.stop_all().values()) == {0}
        assert time.monotonic() - began_s < 10
        viewer.join(10)
    for service in system.services.values():
        service.start()
    system.wait_ready()
    clip = shown(system, "cut-short")
    assert clip.clip["complete"] is False
    assert "the recorder was stopped" in clip.clip["shortfall"]
    assert len(drawn(clip)) >= 20  # those that were waited for; the ring may have been young
