"""The whole, on real processes: a camera's frames, a trigger, a clip that is judged by its pictures."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.judging import codec_of, judge, monotonic_ms, window_of
from tests.support.processes import System
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as made:
        yield made


def test_a_trigger_gives_the_seconds_before_and_after_it(system: System, tmp_path: Path) -> None:
    system.start_all("cam1")
    system.wait_ring(6, "cam1")
    before_ms = time.monotonic() * 1000
    accepted = system.trigger(event_id="press-7", labels={"line": "3"})
    after_ms = time.monotonic() * 1000

    assert accepted["event_id"] == "press-7"
    assert accepted["labels"] == {"line": "3"}
    assert (accepted["pre_s"], accepted["post_s"]) == (5, 10)
    assert before_ms - 2 <= monotonic_ms(accepted["triggered_at"]) <= after_ms + 2

    event = system.wait_state("press-7", "ready")
    (clip,) = event["clips"]
    assert clip["complete"] is True, clip
    assert clip["shortfall"] == []
    assert clip["delivered"]["lost"] == 0
    url = clip["files"]["clip"]["url"]
    file = system.download(url, tmp_path / "cam1.mp4")
    assert file.stat().st_size == clip["files"]["clip"]["size_bytes"]
    assert codec_of(file) == ("h264", "yuv420p")
    codes = judge(file, window_of(event))
    assert len(codes) == clip["delivered"]["frames"]


def test_the_same_trigger_again_is_the_same_event(system: System) -> None:
    system.start_all("cam1")
    body = {"event_id": "once", "post_s": 1, "pre_s": 0.5}
    assert system.http.post("/trigger", json=body).status_code == 202
    again = system.http.post("/trigger", json=body)
    assert again.status_code == 200
    assert again.json()["event_id"] == "once"
    other = system.http.post("/trigger", json={**body, "post_s": 2})
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"
    assert len(system.http.get("/events").json()["events"]) == 1


def test_an_empty_body_of_any_type_is_a_trigger(system: System) -> None:
    system.start_all("cam1", pre_s=0.5, post_s=0.5)
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "application/json"):
        headers = {"content-type": content_type} if content_type else {}
        answer = system.http.post("/trigger", headers=headers, content=b"")
        assert answer.status_code == 202, (content_type, answer.text)


def test_one_trigger_over_three_cameras_is_one_event_over_one_window(system: System, tmp_path: Path) -> None:
    cameras = ("cam1", "cam2", "cam3")
    system.start_all(*cameras)
    system.wait_ring(3, *cameras)
    event_id = system.trigger(pre_s=2, post_s=2)["event_id"]
    event = system.wait_state(event_id, "ready")
    assert sorted(clip["camera_id"] for clip in event["clips"]) == list(cameras)
    assert len({(clip["requested"]["from"], clip["requested"]["to"]) for clip in event["clips"]}) == 1
    for clip in event["clips"]:
        file = system.download(clip["files"]["clip"]["url"], tmp_path / f"{clip['camera_id']}.mp4")
        judge(file, window_of(event))


def test_every_viewer_gets_every_record_also_over_a_restart_of_the_recorder(system: System) -> None:
    system.start_all("cam1", pre_s=0.5, post_s=0.5)
    with SseClient(f"{system.url}/logs") as first, SseClient(f"{system.url}/logs") as second:
        system.wait_state(system.trigger(event_id="before")["event_id"], "ready")
        assert system.services["recorder"].stop() == 0
        system.services["recorder"].start()
        system.wait_ready()
        system.wait_live("cam1")
        system.wait_state(system.trigger(event_id="after")["event_id"], "ready")
        restarted = system.services["cam1"]
        run_id = system.cameras()["cam1"]["run_id"]
        assert restarted.stop() == 0
        restarted.start()
        system.wait_new_run("cam1", run_id)

        def heard(client: SseClient) -> set[str]:
            return {record["service"] for record in client.records()}

        wait_until(lambda: {"capture", "recorder", "api"} <= heard(first) | {"api"}, 10)
        wait_until(lambda: len(first.records()) == len(second.records()), 10)
        # Both opened before the first trigger, so from the first record that both have, all must be equal.
        common = [record for record in first.records() if record in second.records()]
        begin = first.records().index(common[0])
        assert first.records()[begin:][: len(common)] == common
        assert {"capture", "recorder"} <= heard(first)
        assert {"capture", "recorder"} <= heard(second)


@pytest.mark.parametrize("restarted", ["cam1", "recorder", "api"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restarting_one_service_heals_within_five_seconds(system: System, restarted: str, how: str) -> None:
    system.start_all("cam1", "cam2", pre_s=0.5, post_s=0.5)
    runs = {name: system.cameras()[name]["run_id"] for name in ("cam1", "cam2")}
    others = {name: service.pid for name, service in system.services.items() if name != restarted}
    service = system.services[restarted]
    if how == "stop":
        assert service.stop() == 0
    else:
        service.kill()
    began_s = time.monotonic()
    service.start()

    def flows() -> bool:
        cameras = system.cameras()
        return all(
            cameras.get(name, {}).get("state") == "live"
            and cameras[name]["age_s"] < 0.5
            and (name != restarted or cameras[name]["run_id"] != runs[name])
            for name in runs
        )

    wait_until(flows, 5, f"frames flow again after {restarted} was restarted")
    assert time.monotonic() - began_s < 5
    assert {name: system.services[name].pid for name in others} == others
    system.wait_frames(30, "cam1", "cam2")
    event = system.wait_state(system.trigger()["event_id"], "ready")
    assert [clip["complete"] for clip in event["clips"]] == [True, True], event


def test_the_end_comes_within_seconds_with_a_clip_and_a_stream_open(system: System) -> None:
    system.start_all("cam1")
    system.trigger(event_id="cut-short", post_s=60)
    with SseClient(f"{system.url}/logs"):
        began_s = time.monotonic()
        assert set(system.stop_all().values()) == {0}
        assert time.monotonic() - began_s < 10
