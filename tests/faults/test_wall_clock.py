"""Fault 9: the wall clock is set by an hour, forth and back, while clips are recorded."""

import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.explaining import shown
from tests.support.judging import Window, judge, window_of
from tests.support.processes import System

pytestmark = pytest.mark.timeout(120)

SOURCE = Path(__file__).parents[1] / "support" / "wall_clock.c"
COMPILER = shutil.which("cc")
HOUR_S = 3600


@pytest.mark.skipif(not COMPILER and not os.environ.get("PREROLL_TEST_EVERYTHING"), reason="no C compiler")
def test_a_wall_clock_set_while_recording_moves_no_window(tmp_path: Path) -> None:
    library, offset = tmp_path / "wall_clock.so", tmp_path / "offset"
    assert COMPILER, "no C compiler"
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)

    def step_to(offset_s: int) -> None:
        with offset.open("r+b" if offset.exists() else "wb") as file:
            file.write(struct.pack("=q", offset_s))

    step_to(0)
    within = ("env", f"LD_PRELOAD={library}", f"WALL_CLOCK_OFFSET_FILE={offset}")
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
