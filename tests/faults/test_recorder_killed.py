"""Fault 1: kill -9 of the recorder at 20 points of a clip's life. No accepted event vanishes, none lies."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.recorder.store.index import Index
from services.recorder.store.names import INDEX_NAME
from tests.support.judging import apart_ms, monotonic_ms
from tests.support.pictures import clock_error_ms, missing_numbers, read_codes
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

POINTS = 20
PRE_S, POST_S = 0.5, 1.5
SPAN_S = 2.4  # from the answer to beyond `ready` on a quick machine
ENDED = "the recorder was ended while recording"
LOSS_MAX_MS = 1000  # docs/durability.md: a third of a second on an idle machine


def settled(system: System, event_id: str) -> Json:
    def is_settled() -> Json | None:
        event = system.event(event_id)
        return event if event["state"] in ("ready", "failed") else None

    return wait_until(is_settled, 60, f"{event_id} is ready or failed") or {}


def check_clip(system: System, event: Json, killed_ms: float, into: Path) -> None:
    """The clip has every frame from its window's begin until shortly before the kill, and says what it lacks."""
    (clip,) = event["clips"]
    from_ms, to_ms = monotonic_ms(clip["requested"]["from"]), monotonic_ms(clip["requested"]["to"])
    if clip["state"] == "failed":
        assert clip["shortfall"]
        assert killed_ms - monotonic_ms(event["triggered_at"]) < LOSS_MAX_MS
        return
    codes = read_codes(system.download(clip["files"]["clip"]["url"], into))
    assert len(codes) == clip["delivered"]["frames"]
    assert missing_numbers(codes) == []
    assert clock_error_ms(codes) < 2
    # What is drawn is cut to whole milliseconds: the first frame may seem to lie before its window.
    assert -2 < apart_ms(codes[0].clock_ms, from_ms) < 100
    assert apart_ms(codes[-1].clock_ms, min(to_ms - 100, killed_ms - LOSS_MAX_MS)) >= 0
    ends_early = apart_ms(codes[-1].clock_ms, to_ms) < -60
    assert clip["complete"] != ends_early
    assert (ENDED in clip["shortfall"]) == ends_early


def checked(system: System) -> str:
    """What `check` says of the clips' directory."""
    check = subprocess.run(
        [sys.executable, "-m", "services.recorder", "check"],
        env={**os.environ, "PREROLL_RECORDER_CLIPS_DIR": str(system.clips_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    return check.stdout


def test_recorder_killed_at_twenty_points_of_a_clip_loses_no_event(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=10)
        recorder = system.services["recorder"]
        killed_ms: dict[str, float] = {}
        for point in range(POINTS):
            system.wait_unbroken(PRE_S + 0.2, "cam1")
            event_id = f"point-{point}"
            system.trigger(event_id=event_id, pre_s=PRE_S, post_s=POST_S)
            answered = time.monotonic()
            wait_until(lambda due=answered + point * SPAN_S / POINTS: time.monotonic() >= due, 10)  # type: ignore[misc]
            killed_ms[event_id] = time.monotonic() * 1000
            recorder.stop(signal.SIGKILL)
            recorder.start()
            system.wait_ready()
        for event_id, killed in killed_ms.items():
            check_clip(system, settled(system, event_id), killed, tmp_path / f"{event_id}.mp4")
        listed = {event["event_id"] for event in system.http.get("/events").json()["events"]}
        assert listed == set(killed_ms)
        recorder.stop()
        assert checked(system) == f"{POINTS} events, 0 differences\n"


def test_recorder_killed_when_the_original_is_gone_and_the_index_does_not_know_has_the_clip_ready(
    tmp_path: Path,
) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=10)
        recorder = system.services["recorder"]
        system.wait_ring(PRE_S + 0.2, "cam1")
        system.trigger(event_id="ev1", pre_s=PRE_S, post_s=POST_S)
        ready = system.wait_state("ev1", "ready")
        recorder.stop(signal.SIGKILL)
        with contextlib.closing(Index(system.clips_dir / INDEX_NAME)) as index:
            event = index.get("ev1")
            assert event is not None
            clip = event.clips[0].model_copy(update={"state": "saved", "ready_after_s": None})
            index.put(event.model_copy(update={"state": "saved", "clips": (clip,)}), index.plan("ev1"))
            assert len(index.waiting()) == 1
        recorder.start()
        system.wait_ready()
        again = system.wait_state("ev1", "ready")
        assert again["clips"][0]["files"] == ready["clips"][0]["files"]
        recorder.stop()
        assert checked(system) == "1 events, 0 differences\n"
