"""The index of a running recorder is locked, overwritten, removed: it records on, and every event that it accepted is there."""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.recorder.store.names import INDEX_NAME
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

PRE_S, POST_S = 0.5, 1.5


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=10)
        system.wait_ring(PRE_S, "cam1")
        yield system


def index_of(system: System) -> Path:
    return system.clips_dir / INDEX_NAME


def assert_complete(event: Json) -> None:
    (clip,) = event["clips"]
    assert (clip["complete"], clip["shortfall"]) == (True, [])


def test_another_programs_lock_costs_the_triggers_of_its_time_and_nothing_more(system: System) -> None:
    system.trigger(event_id="before", pre_s=PRE_S, post_s=POST_S)
    with contextlib.closing(sqlite3.connect(index_of(system), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        answer = system.http.post("/trigger", json={"event_id": "meanwhile"})
        assert time.monotonic() - began < 2
        assert (answer.status_code, answer.json()["code"]) == (503, "index_unavailable")
        assert f"(process {os.getpid()})" in answer.json()["detail"]
        assert system.http.get("/readyz").status_code == 503
        assert_complete(system.wait_state("before", "ready"))
        assert system.http.get("/events").status_code == 200
        other.execute("ROLLBACK")
    system.trigger(event_id="after", pre_s=PRE_S, post_s=POST_S)
    assert_complete(system.wait_state("after", "ready"))
    recorder = system.services["recorder"]
    assert recorder.stop() == 0
    recorder.start()
    system.wait_ready()
    assert {event["event_id"] for event in system.http.get("/events").json()["events"]} == {"before", "after"}


@pytest.mark.parametrize("loss", ["overwritten", "removed"])
def test_index_that_is_lost_is_back_while_a_clip_is_recorded(system: System, loss: str) -> None:
    system.trigger(event_id="before", pre_s=PRE_S, post_s=POST_S)
    wait_until(lambda: list(system.clips_dir.glob("*/before/event.json")), 10, "the event's file")
    path = index_of(system)
    if loss == "overwritten":
        path.write_bytes(os.urandom(path.stat().st_size))
    else:
        for file in system.clips_dir.glob(f"{INDEX_NAME}*"):
            file.unlink()

    def is_taken() -> bool:
        answer = system.http.post("/trigger", json={"event_id": "after", "pre_s": PRE_S, "post_s": POST_S})
        return answer.status_code in {200, 202}

    wait_until(is_taken, 20, "a trigger is taken again")
    for event_id in ("before", "after"):
        assert_complete(system.wait_state(event_id, "ready"))
    recorder = system.services["recorder"]
    assert recorder.stop() == 0
    recorder.start()
    system.wait_ready()
    for event_id in ("before", "after"):
        assert_complete(system.event(event_id))


def test_recorder_starts_beside_what_it_cannot_read_and_keeps_what_it_does_not_know(system: System) -> None:
    system.trigger(event_id="kept", pre_s=PRE_S, post_s=0.5)
    system.trigger(event_id="foldless", pre_s=PRE_S, post_s=0.5)
    system.wait_state("kept", "ready")
    system.wait_state("foldless", "ready")
    recorder = system.services["recorder"]
    assert recorder.stop() == 0
    date = next(system.clips_dir.glob("*/kept")).parent
    shutil.rmtree(date / "foldless")
    (date / "loop").symlink_to("loop")
    (system.clips_dir / "2020-01-01").write_bytes(b"a file")
    os.mkdir(os.path.join(os.fsencode(date), b"\xff\xfe"))
    (date / "mine").mkdir()
    (date / "mine" / "event.json").write_bytes(b"{}")
    (date / "mine" / "film.mp4").write_bytes(b"mine")
    recorder.start()
    system.wait_ready()
    assert {event["event_id"] for event in system.http.get("/events").json()["events"]} == {"kept", "foldless"}
    assert system.event("foldless")["state"] == "ready"
    assert (date / "mine" / "film.mp4").read_bytes() == b"mine"
    assert system.http.delete("/events/foldless").status_code == 204
    assert system.http.get("/events/foldless").status_code == 404
