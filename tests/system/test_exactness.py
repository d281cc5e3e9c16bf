"""Every clip is exactly its window: random windows, random moments, many at once, several cameras."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.judging import judge, window_of
from tests.support.pictures import read_jpeg
from tests.support.processes import System

RING_S = 30
KEPT_S = 300  # so that the frames beside a clip are still there when it is judged
AHEAD_S = 2.0


@pytest.mark.parametrize("cameras", [1, 4, 8])
@pytest.mark.timeout(120)
def test_clips_are_exactly_their_windows(tmp_path: Path, cameras: int) -> None:
    record(tmp_path, cameras, mjpeg=9, h264=2)


@pytest.mark.soak
@pytest.mark.parametrize("cameras", [1, 4, 8])
@pytest.mark.timeout(1800)
def test_two_hundred_clips_are_exactly_their_windows(tmp_path: Path, cameras: int) -> None:
    record(tmp_path, cameras, mjpeg=180, h264=20)


def record(folder: Path, cameras: int, mjpeg: int, h264: int) -> None:
    """Trigger so often, and judge every clip. Says what it saw."""
    dice = random.Random(cameras)
    camera_ids = [f"cam{number}" for number in range(1, cameras + 1)]
    for clip_format, count in (("mjpeg", mjpeg), ("h264", h264)):
        of_format = folder / clip_format
        of_format.mkdir()
        with System(of_format) as system:
            system.start_all(*camera_ids, format=clip_format, ring_s=KEPT_S, max_active_events=500, min_free_mb=100)
            system.wait_ring(8, *camera_ids)
            events = [_trigger(system, dice) for _ in range(count)]
            frames = 0
            for event in events:
                ready = system.wait_state(event["event_id"], "ready", timeout_s=300)
                for clip in ready["clips"]:
                    frames += _judge(system, ready, clip, of_format / "clip.mp4")
            losses = {name: camera["losses"] for name, camera in system.cameras().items()}
            assert sum(sum(counted.values()) for counted in losses.values()) == 0, losses
            print(f"{cameras} cameras, {clip_format}: {count} events, {frames} frames, 0 missing, 0 repeated")


def _trigger(system: System, dice: random.Random) -> dict[str, Any]:
    """A window of 1 to 6 s around a moment that the rings can still give, or that is yet to come."""
    length_s = dice.uniform(1, 6)
    pre_s = dice.uniform(0, length_s)
    held_s = min(camera["ring_s"] for camera in system.cameras().values())
    reach_s = max(0.0, min(held_s, RING_S - 2) - pre_s - 1)
    at_s = time.time() + dice.uniform(-reach_s, AHEAD_S)
    return system.trigger(at=at_s, pre_s=round(pre_s, 3), post_s=round(length_s - pre_s, 3))


def _judge(system: System, event: dict[str, Any], clip: dict[str, Any], file: Path) -> int:
    assert clip["complete"] is True, clip
    assert clip["coverage"] == "full", clip
    camera_id = clip["camera_id"]

    def drawn_beside(number: int, steps: int) -> float | None:
        name = {"run_id": system.cameras()[camera_id]["run_id"], "seq": number, "steps": steps}
        answer = system.http.get(f"/cameras/{camera_id}/frames", params=name)
        if answer.status_code != 200:
            return None
        found, clock_ms = read_jpeg(answer.content)
        return clock_ms if found == number + steps else None

    codes = judge(system.download(clip["files"]["clip"]["url"], file), window_of(event), drawn_beside=drawn_beside)
    assert len(codes) == clip["delivered"]["frames"]
    return len(codes)
