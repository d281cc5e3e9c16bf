"""Fifty overlapping clips of one camera share the ring's frames: right clips, and hardly more memory than the ring."""

import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import premade
from tests.support.pictures import read_codes
from tests.support.processes import System
from tests.support.programs import Program

MB = 1_000_000


def overlap(folder: Path, triggers: int, within_s: float, ring_mb: int, jpeg_bytes: int) -> dict[str, float]:
    """Trigger so often within `within_s` seconds, with the ring full; memory in megabytes."""
    pictures = folder / "pictures"
    premade.make(pictures, 900, 1920, 1080, jpeg_bytes)
    with System(folder) as system:
        system.start("api")
        system.start(
            "recorder", ring_s=120, ring_max_mb=ring_mb, format="mjpeg", max_active_events=500, min_free_mb=100
        )
        command = [sys.executable, "-m", "tests.support.premade", system.frames_address, str(pictures), "30", "cam1"]
        with Program(command, folder / "premade.log"):
            system.wait_ready()
            pace = threading.Event()  # never set: memory is looked at some times a second

            def ring_mb_held() -> float:
                return float(system.cameras()["cam1"]["ring_bytes"]) / MB

            while ring_mb_held() < ring_mb * 0.97:
                assert system.services["recorder"].is_running
                pace.wait(0.1)
            highest = 0.0
            events: list[str] = []
            began_s = time.monotonic()
            for number in range(triggers):
                due_s = began_s + within_s * number / triggers
                events.append(system.trigger(pre_s=4, post_s=4)["event_id"])
                while (left_s := due_s - time.monotonic()) > 0:
                    highest = max(highest, memory_mb(system))
                    pace.wait(min(0.05, left_s))
            for event_id in events:
                while system.event(event_id)["state"] != "ready":
                    highest = max(highest, memory_mb(system))
                    pace.wait(0.05)
            for event_id in events:
                (clip,) = system.event(event_id)["clips"]
                assert clip["complete"] is True, clip
                codes = read_codes(system.download(clip["files"]["clip"]["url"], folder / "clip.mp4"))
                numbers = [code.number for code in codes]
                jumps = [(a, b) for a, b in pairwise(numbers) if b != (a + 1) % 900]
                assert jumps == [], jumps
                assert len(numbers) == clip["delivered"]["frames"]
            (camera,) = system.cameras().values()
            losses = {name: count for name, count in camera["losses"].items() if name != "evicted_early"}
    assert sum(losses.values()) == 0, losses
    return {"clips": triggers, "highest_mb": highest, "limit_mb": ring_mb * 1.2 + 70}


def memory_mb(system: System) -> float:
    """Resident memory of the recorder's process."""
    return float(system.http.get("/status").json()["recorder"]["memory_bytes"]) / MB


@pytest.mark.timeout(240)
def test_overlapping_clips_share_the_rings_memory(tmp_path: Path) -> None:
    figures = overlap(tmp_path, triggers=15, within_s=3, ring_mb=96, jpeg_bytes=150 * 1024)
    print(figures)
    assert figures["highest_mb"] < figures["limit_mb"]


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_fifty_overlapping_clips_share_the_rings_memory(tmp_path: Path) -> None:
    figures = overlap(tmp_path, triggers=50, within_s=10, ring_mb=256, jpeg_bytes=289 * 1024)
    print(figures)
    assert figures["highest_mb"] < figures["limit_mb"]
