"""What a trigger may ask for, and what it gets: anchors, coverage, limits, and changes to a running window."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.explaining import drawn, shown
from tests.support.judging import judge, monotonic_ms, window_of
from tests.support.pictures import CLOCK_WRAP_MS
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)

RING_S = 4.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("triggers")) as made:
        made.start_all("cam1", ring_s=RING_S, pre_s=0.5, post_s=0.5, format="mjpeg", max_ahead_s=30)
        made.wait_ring(RING_S - 0.5, "cam1")
        yield made


def test_a_moment_in_the_past_is_taken_from_memory(system: System) -> None:
    event = system.trigger(event_id="past", at=time.time() - 1.5)
    assert event["clips"][0]["coverage"] == "full"
    clip = shown(system, "past")
    assert clip.clip["complete"], clip.clip
    judge(clip.file, window_of(event))


def test_a_moment_to_come_is_scheduled_until_then(system: System) -> None:
    at = time.time() + 2.5
    event = system.trigger(event_id="future", at=at)
    assert event["state"] == "scheduled"
    assert abs(monotonic_ms(event["triggered_at"]) - monotonic_ms(event["received_at"]) - 2500) < 500
    clip = shown(system, "future")
    assert clip.clip["complete"], clip.clip
    judge(clip.file, window_of(event))


def test_a_moment_too_far_ahead_is_refused_with_the_limit(system: System) -> None:
    answer = system.http.post("/trigger", json={"at": time.time() + 100})
    assert answer.status_code == 422
    assert answer.json()["code"] == "out_of_reach"
    assert "max_ahead_s=30" in answer.json()["detail"]


def test_a_frame_that_was_seen_is_the_anchor_itself(system: System) -> None:
    system.trigger(event_id="seen")
    before = shown(system, "seen").sidecar
    run_id = before["runs"][0]
    seq = before["frames"][-1][1]
    frame = {"camera_id": "cam1", "run_id": run_id, "seq": seq}
    event = system.trigger(event_id="at-frame", at_frame=frame)
    clip = shown(system, "at-frame")
    assert clip.clip["complete"], clip.clip
    assert clip.sidecar["frames"][clip.sidecar["trigger_frame"]][1] == seq
    assert clip.sidecar["trigger_us"] == clip.sidecar["frames"][clip.sidecar["trigger_frame"]][2]
    judge(clip.file, window_of(event))
    answer = system.http.post("/trigger", json={"at_frame": {**frame, "run_id": "nobody"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "out_of_reach")


def test_a_window_that_begins_before_the_ring_says_how_much_is_missing(system: System) -> None:
    event = system.trigger(event_id="long", pre_s=RING_S + 3)
    (clip,) = event["clips"]
    assert clip["coverage"] == "partial"
    assert 2.5 <= clip["missing_s"] <= 4
    ended = shown(system, "long")
    assert ended.clip["complete"] is False
    (line,) = ended.clip["shortfall"]
    assert line.startswith("begins ")
    assert float(line.split()[1]) == pytest.approx(clip["missing_s"], abs=0.1)
    drawn(ended)


def test_a_window_before_the_ring_has_no_coverage_and_fails_with_a_word(system: System) -> None:
    event = system.trigger(event_id="gone", at=time.time() - 60)
    assert event["clips"][0]["coverage"] == "none"
    assert event["clips"][0]["missing_s"] == pytest.approx(1.0)
    failed = system.wait_state("gone", "failed")
    assert "no frame of the window could be had" in failed["clips"][0]["shortfall"]
    assert failed["clips"][0]["complete"] is False


def test_a_camera_that_nobody_knows_is_refused_by_name(system: System) -> None:
    answer = system.http.post("/trigger", json={"cameras": ["cam1", "cam9"]})
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_camera"
    assert "cam9" in answer.json()["detail"]
    assert "cam1" in answer.json()["detail"]


def test_a_window_longer_than_a_clip_may_be_is_refused_with_the_limit(system: System) -> None:
    answer = system.http.post("/trigger", json={"pre_s": 100, "post_s": 100})
    assert answer.status_code == 422
    assert "max_clip_s=120" in answer.json()["detail"]


def test_a_trigger_that_may_not_overlap_is_refused_while_its_camera_is_recorded(system: System) -> None:
    system.trigger(event_id="first", post_s=30)
    answer = system.http.post("/trigger", json={"event_id": "second", "overlap": "reject"})
    assert (answer.status_code, answer.json()["code"]) == (409, "overlapping")
    assert "first" in answer.json()["detail"]
    assert system.http.get("/events/second").status_code == 404
    system.trigger(event_id="third", overlap="separate")
    assert shown(system, "third").clip["complete"]
    assert system.http.patch("/events/first", json={"post_s": 0}).status_code == 200
    assert shown(system, "first").clip["complete"]
    system.trigger(event_id="fourth", overlap="reject")
    assert shown(system, "fourth").clip["complete"]


@pytest.mark.parametrize(("which", "before_s", "after_s"), [("out", 0.8, 2.0), ("in", 20.0, 1.5)])
def test_the_end_of_a_running_window_moves(system: System, which: str, before_s: float, after_s: float) -> None:
    event_id = f"moved-{which}"
    event = system.trigger(event_id=event_id, post_s=before_s)
    answer = system.http.patch(f"/events/{event_id}", json={"post_s": after_s})
    assert answer.status_code == 200, answer.text
    assert answer.json()["post_s"] == after_s
    clip = shown(system, event_id)
    assert clip.clip["complete"], clip.clip
    judge(clip.file, window_of({**event, "post_s": after_s}))


def test_the_end_of_a_running_window_can_be_now(system: System) -> None:
    event = system.trigger(event_id="now", post_s=60)
    system.wait_frames(15, "cam1")
    asked_ms = time.monotonic() * 1000
    amended = system.http.patch("/events/now", json={"post_s": 0})
    answered_ms = time.monotonic() * 1000
    assert amended.status_code == 200
    clip = shown(system, "now")
    assert clip.clip["complete"], clip.clip
    assert amended.json()["triggered_at"] == event["triggered_at"]
    codes = judge(clip.file, window_of(system.event("now")))
    last_ms = codes[-1].clock_ms
    assert (last_ms - asked_ms + 60) % CLOCK_WRAP_MS < answered_ms - asked_ms + 70
    again = system.http.patch("/events/now", json={"post_s": 5})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_an_event_deleted_while_it_is_recorded_is_gone_with_its_files(system: System) -> None:
    system.trigger(event_id="doomed", post_s=60)
    assert system.http.delete("/events/doomed").status_code == 204
    assert system.http.get("/events/doomed").status_code == 404
    wait_until(lambda: not list(system.clips_dir.glob("*/doomed")), 10, "the files of the deleted event are gone")
    assert "doomed" not in {event["event_id"] for event in system.http.get("/events").json()["events"]}
    event = system.trigger(event_id="doomed")
    clip = shown(system, "doomed")
    judge(clip.file, window_of(event))


def test_many_windows_over_one_camera_each_have_all_their_frames(system: System) -> None:
    events = [system.trigger(event_id=f"many-{number}", pre_s=1, post_s=0.5) for number in range(10)]
    for event in events:
        clip = shown(system, event["event_id"])
        assert clip.clip["complete"], clip.clip
        judge(clip.file, window_of(event))
    assert set(system.cameras()["cam1"]["losses"].values()) == {0}


def test_nothing_of_this_was_written_twice_or_left_over(system: System) -> None:
    parts: list[Path] = []

    def none_left() -> bool:
        parts[:] = list(system.clips_dir.rglob("*.part"))
        return not parts

    wait_until(none_left, 20, "no unfinished file is left")
