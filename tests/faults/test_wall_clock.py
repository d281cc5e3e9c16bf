"""Fault 9: the wall clock is set by an hour, forth and back, while clips are recorded."""

import os
import time
from pathlib import Path

import pytest

from tests.support.explaining import shown
from tests.support.judging import Window, judge, window_of
from tests.support.processes import System

pytestmark = pytest.mark.timeout(120)

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOUR_S = 3600


@pytest.mark.skipif(
    not LIBRARIES and not os.environ.get("PREROLL_TEST_EVERYTHING"), reason="no libfaketime: apt install faketime"
)
def test_a_wall_clock_set_while_recording_moves_no_window(tmp_path: Path) -> None:
    offset = tmp_path / "offset"

    def step_to(offset_s: int) -> None:
        beside = tmp_path / "offset.new"
        beside.write_text(f"{offset_s:+d}\n")
        beside.replace(offset)

    step_to(0)
    # The library may answer a wait for the interpreter's lock at once, for its clock. A thread
    # that has real-time priority then asks for it without end, and the one that holds the lock never comes to let go.
    within = (
        "setpriv",
        "--bounding-set=-sys_nice",
        "env",
        f"LD_PRELOAD={LIBRARIES[0]}",
        f"FAKETIME_TIMESTAMP_FILE={offset}",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_NO_CACHE=1",
    )
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
