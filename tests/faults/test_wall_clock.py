"""Fault 9: the wall clock is set: by an hour while clips are recorded, by years and weeks beside what is kept."""

import os
import time
from pathlib import Path

import pytest

from tests.support.explaining import shown
from tests.support.judging import Window, judge, window_of
from tests.support.processes import Json, System
from tests.support.waiting import wait_until
from tests.support.wall_clock import COMPILER, WallClock

pytestmark = pytest.mark.timeout(120)

HOUR_S = 3600

needs_a_compiler = pytest.mark.skipif(
    not COMPILER and not os.environ.get("PREROLL_TEST_EVERYTHING"), reason="no C compiler"
)


@needs_a_compiler
def test_a_wall_clock_that_is_set_removes_no_event(tmp_path: Path) -> None:
    to_1970_s = 100 - round(time.time())
    clock = WallClock(tmp_path, to_1970_s)
    with System(tmp_path) as system:
        system.start("api", within=clock.within)
        system.start("recorder", within=clock.within, pre_s=0.2, post_s=0.2, format="mjpeg", retention_days=1)
        system.start_capture("cam1", within=clock.within)
        system.wait_ready()
        system.wait_live("cam1")
        system.trigger(event_id="of-1970")
        wait_until(lambda: system.event("of-1970")["state"] == "ready", 20, "it is ready")
        # The date comes; then a leap of forty days, for two rounds of housekeeping, and back.
        for steps, offset_s in enumerate([0, 40 * 86_400, 0], start=1):
            clock.step_to(offset_s)
            wait_for_steps(system, steps)
        assert retention(system)["held_s"] > 3_000
        # Another step, between two lives of the recorder.
        system.services["recorder"].kill()
        clock.step_to(to_1970_s)
        system.services["recorder"].start()
        wait_for_steps(system, 1)
        assert [event["event_id"] for event in system.http.get("/events").json()["events"]] == ["of-1970"]


def retention(system: System) -> Json:
    recorder = system.http.get("/status").json()["recorder"]
    return recorder["retention"] if recorder else {"wall_steps": -1}


def wait_for_steps(system: System, steps: int) -> None:
    wait_until(lambda: retention(system)["wall_steps"] == steps, 20, f"{steps} steps of the clock are found")


@needs_a_compiler
def test_a_wall_clock_set_while_recording_moves_no_window(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    step_to, within = clock.step_to, clock.within
    with System(tmp_path) as system:
        system.start("api", within=within)
        system.start("recorder", within=within, pre_s=0.5, post_s=1.5, format="mjpeg")
        system.start_capture("cam1", within=within)
        system.wait_ready()
        system.wait_live("cam1")
        system.wait_ring(2, "cam1")
        runs_on = 0
        for number, (to_s, step_s) in enumerate([(HOUR_S, HOUR_S), (0, -HOUR_S)]):
            event_id = f"step-{number}"
            event = system.trigger(event_id=event_id)
            system.wait_frames(10, "cam1")
            step_to(to_s)
            clip = shown(system, event_id)
            assert clip.clip["complete"], clip.clip
            assert clip.sidecar["clock"]["wall_stepped_s"] == pytest.approx(step_s, abs=0.5)
            window = window_of(event)
            judge(clip.file, Window(window.from_ms - runs_on * 1000, window.to_ms - runs_on * 1000))
            runs_on = to_s
            # On the wall's new time, a moment in the past is the one that it names now.
            past = system.trigger(event_id=f"past-{number}", at=time.time() + runs_on - 1, post_s=0.5)
            clip = shown(system, f"past-{number}")
            assert clip.clip["complete"], clip.clip
            assert clip.sidecar["clock"]["wall_stepped_s"] is None
            window = window_of(past)
            judge(clip.file, Window(window.from_ms - runs_on * 1000, window.to_ms - runs_on * 1000))
        assert set(system.cameras()["cam1"]["losses"].values()) == {0}
        ids = {event["event_id"] for event in system.http.get("/events").json()["events"]}
        assert ids == {"step-0", "step-1", "past-0", "past-1"}
