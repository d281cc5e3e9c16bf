"""A trigger is one promise: the question whether one would be accepted has the answer that a trigger gets."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.events.admission import RESERVED_THREADS, Descriptors, Supply
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.rules import CommandRejected, Limits
from services.recorder.store import running_notes
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.clocks import HandClock

BOOT = "boot-of-the-test"
GIVEN: dict[str, Any] = {
    "pre_s": 5,
    "post_s": 10,
    "max_clip_s": 60,
    "max_ahead_s": 60,
    "max_active_events": 3,
    "overlap": "separate",
}


class NoStage:
    def write(self, opened: OpenEvent, recording: Recording) -> None:
        """Nothing is written here."""

    def needs(self, event_id: str) -> bool:
        return False


class Recorder:
    """Events over a real index and a real folder; what there is to record with is as a test says."""

    def __init__(self, root: Path, context: "zmq.Context[zmq.Socket[bytes]]", **limits: Any) -> None:
        self.root = root
        self.clock = HandClock()
        self.clips = ClipsDir(root)
        self.index = Index.open(root / "index.sqlite")
        self.supply: Supply | None = None
        self._bus = BusSender(context, "inproc://nobody", "recorder", "here", self.clock)
        self.limit(**limits)

    def limit(self, cameras: int = 1, **limits: Any) -> None:
        """Begin anew with these limits; the index stays."""
        table = Cameras(10, 100_000_000, 10_000_000, 4, BOOT)
        for number in range(cameras):
            table.remember(f"cam{number + 1}", self.clock.monotonic_ns())
        limited = Limits(**{**GIVEN, **limits})
        running = running_notes.go_on(self.clips, self.index, self.clock, BOOT)
        self.events = Events(
            table,
            self.index,
            self.clips,
            limited,
            self._bus,
            self.clock,
            BOOT,
            running,
            Threads(Shutdown()),
            self._supply,
        )
        self.events.stage = NoStage()

    def close(self) -> None:
        self.events.close(0.1)
        self.index.close()

    def checked(self) -> wire.Refused | None:
        return self.events.check(wire.CheckTrigger(received=self._now(), age_ns=0)).refused

    def triggered(self, event_id: str) -> wire.Refused | None:
        """What a trigger with default settings is refused by."""
        command = wire.StartEvent(event_id=event_id, fingerprint="f", received=self._now(), age_ns=0)
        try:
            self.events.start(command)
        except CommandRejected as err:
            return err.refusal
        return None

    def _now(self) -> wire.InstantRecord:
        return wire.InstantRecord(boot_id=BOOT, monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns())

    def _supply(self) -> Supply:
        return self.supply or Supply(self.clips.usage(0, 0), self.index.misplaced())


@pytest.fixture
def recorder(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Recorder]:
    root = tmp_path / "clips"
    root.mkdir()
    made = Recorder(root, context)
    yield made
    made.close()


def check_and_trigger_agree(recorder: Recorder, event_id: str = "ev1") -> str | None:
    """The code of both refusals, and `None` where both accept."""
    checked = recorder.checked()
    assert recorder.events.opened(event_id) is None, "asking records nothing"
    triggered = recorder.triggered(event_id)
    if checked is None or triggered is None:
        assert checked == triggered
        return None
    assert checked.code == triggered.code
    assert checked.message == triggered.message.replace(f"event {event_id} could", "the event could")
    return checked.code


def test_both_accept(recorder: Recorder) -> None:
    assert check_and_trigger_agree(recorder) is None


def test_both_refuse_more_events_than_may_be_active(recorder: Recorder) -> None:
    for number in range(3):
        assert check_and_trigger_agree(recorder, f"ev{number}") is None
    assert check_and_trigger_agree(recorder, "ev3") == "too_many_events"


def test_both_count_the_thread_of_a_scheduled_clip(recorder: Recorder) -> None:
    recorder.supply = Supply(threads_free=RESERVED_THREADS + 2)
    command = wire.StartEvent(
        event_id="later", fingerprint="f", received=recorder._now(), age_ns=0, offset_ns=30 * NS_PER_S
    )
    assert recorder.events.start(command).event.state == "scheduled"
    recorder.events.follow_up()
    assert check_and_trigger_agree(recorder) is None
    recorder.events.follow_up()
    recorder.supply = Supply(threads_free=RESERVED_THREADS + 1)
    assert check_and_trigger_agree(recorder, "ev2") == "out_of_threads"


def test_both_refuse_where_no_camera_is_known(recorder: Recorder) -> None:
    recorder.limit(cameras=0)
    assert check_and_trigger_agree(recorder) == "unknown_camera"


def test_both_refuse_an_overlap_where_the_recorder_is_set_to(recorder: Recorder) -> None:
    recorder.limit(overlap="reject")
    assert check_and_trigger_agree(recorder, "ev1") is None
    assert check_and_trigger_agree(recorder, "ev2") == "overlapping"


def test_both_refuse_defaults_that_are_longer_than_a_clip_may_be(recorder: Recorder) -> None:
    recorder.limit(max_clip_s=12)
    assert check_and_trigger_agree(recorder) == "window_out_of_bounds"


def test_both_refuse_a_date_that_no_folder_can_be_named_by(recorder: Recorder) -> None:
    recorder.clock.step_wall(-100 * 365 * 86_400)
    assert check_and_trigger_agree(recorder) == "out_of_reach"


def test_both_refuse_when_the_recorder_ends(recorder: Recorder) -> None:
    recorder.events.close(0.1)
    assert check_and_trigger_agree(recorder) == "shutting_down"


def test_both_refuse_while_another_program_holds_the_index(recorder: Recorder) -> None:
    other = sqlite3.connect(recorder.root / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert check_and_trigger_agree(recorder) == "index_unavailable"
    finally:
        other.close()
    assert check_and_trigger_agree(recorder) is None


def test_both_refuse_when_the_clips_folder_is_gone_or_another(recorder: Recorder) -> None:
    aside = recorder.root.with_name("aside")
    recorder.root.rename(aside)
    assert check_and_trigger_agree(recorder) in {"storage_failed", "index_unavailable"}
    recorder.root.mkdir()
    Index.open(recorder.root / "index.sqlite").close()
    assert check_and_trigger_agree(recorder, "ev2") == "storage_failed"
    (recorder.root / "index.sqlite").unlink()
    for beside in recorder.root.iterdir():
        beside.unlink()
    recorder.root.rmdir()
    aside.rename(recorder.root)
    assert check_and_trigger_agree(recorder, "ev3") is None


def test_after_a_write_that_failed_something_is_written_to_know(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To begin a transaction writes nothing: by that alone, a full disk would take events."""

    def refuse(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with contextlib.closing(sqlite3.connect(recorder.root / "index.sqlite")) as other:

        def is_written_to_by_asking() -> bool:
            before = other.execute("PRAGMA data_version").fetchone()
            assert recorder.checked() is None
            return bool(other.execute("PRAGMA data_version").fetchone() != before)

        assert not is_written_to_by_asking()
        with monkeypatch.context() as full:
            full.setattr("services.recorder.store.rows.put", refuse)
            refused = recorder.triggered("ev1")
        assert refused is not None
        assert refused.code == "storage_full"
        assert is_written_to_by_asking()
        assert not is_written_to_by_asking(), "once is enough"


def disk(free_bytes: int, *, is_full: bool, error: str | None, files_free: int | None) -> wire.Disk:
    return wire.Disk(
        total_bytes=1 << 40,
        free_bytes=free_bytes,
        clips_bytes=0,
        is_full=is_full,
        error=error,
        files_free=files_free,
    )


supplies = st.builds(
    Supply,
    disk=st.none()
    | st.builds(
        disk,
        st.sampled_from([0, 1 << 30]),
        is_full=st.sampled_from([False, False, True]),
        error=st.sampled_from([None, None, "read-only"]),
        files_free=st.sampled_from([None, 3]),
    ),
    storage_error=st.sampled_from([None, None, None, "misplaced"]),
    descriptors=st.none() | st.builds(Descriptors, st.integers(60, 200), st.integers(10, 90), st.integers(0, 12)),
    threads_free=st.none() | st.integers(10, 60),
    threads_owed=st.integers(0, 30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(supplies, min_size=1, max_size=6),
    cameras=st.integers(0, 4),
    overlap=st.sampled_from(["separate", "reject"]),
    max_clip_s=st.sampled_from([60, 60, 10]),
)
def test_both_agree_in_whatever_state_it_is(
    recorder: Recorder, steps: list[Supply], cameras: int, overlap: str, max_clip_s: int
) -> None:
    recorder.limit(cameras=cameras, overlap=overlap, max_clip_s=max_clip_s)
    for supply in steps:
        recorder.supply = supply
        check_and_trigger_agree(recorder, f"ev{os.urandom(8).hex()}")
    recorder.supply = None
