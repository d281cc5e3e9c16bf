"""The cleaner on a real clips directory, with a clock that is set by hand."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import zmq

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.rules import Limits
from services.recorder.recovery.mend import mend
from services.recorder.recovery.reconcile import reconcile
from services.recorder.store import running_notes
from services.recorder.store.cleaner import TRY_AGAIN_NS, Cleaner
from services.recorder.store.disk import Disk
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.retention import RetentionLimits
from tests.support.clocks import HandClock
from tests.support.event_records import event
from tests.support.waiting import wait_until

BOOT = "boot-of-the-test"
DAY_S = 86_400
BY_AGE = RetentionLimits(max_age_ns=30 * DAY_S * NS_PER_S, max_bytes=0, min_free_bytes=0)
BY_SIZE = RetentionLimits(max_age_ns=0, max_bytes=1, min_free_bytes=0)
BY_SPACE = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=1 << 60)


class StuckDisk(Disk):
    """Folders whose names are in `stuck` cannot be renamed, and so not removed. Nothing is synced: power stays on."""

    def __init__(self) -> None:
        self.stuck: set[str] = set()

    def sync(self, _fd: int) -> None: ...

    def sync_folder(self, _path: Path) -> None: ...

    def replace(self, old: Path, new: Path) -> None:
        if old.name in self.stuck:
            raise OSError(errno.EIO, "input/output error")
        super().replace(old, new)


class Life:
    """One life of a recorder's housekeeping, on a folder that outlives it."""

    def __init__(
        self,
        root: Path,
        context: "zmq.Context[zmq.Socket[bytes]]",
        limits: RetentionLimits = BY_AGE,
        clock: HandClock | None = None,
        boot_id: str = BOOT,
    ) -> None:
        self.clock = clock or HandClock()
        self.disk = StuckDisk()
        self.clips = ClipsDir(root, self.disk)
        self.index = Index.open(root / "index.sqlite")
        self.index._writer.execute("PRAGMA synchronous = OFF")
        reconcile(self.clips, self.index)
        self.running = running_notes.go_on(self.clips, self.index, self.clock, boot_id)
        bus = BusSender(context, "inproc://nobody", "recorder", "here", self.clock)
        cameras = Cameras(10, 100_000_000, 10_000_000, 4, boot_id)
        rules = Limits(5, 10, 60, 60, 10, "separate")
        self.events = Events(
            cameras, self.index, self.clips, rules, bus, self.clock, boot_id, self.running, Threads(Shutdown())
        )
        self.cleaner = Cleaner(self.clips, self.index, self.events, limits, self.running, self.clock)

    @property
    def running_ns(self) -> int:
        return self.running.now_ns(self.clock.monotonic_ns())

    def add(self, *names: str, days_ago: float = 0, is_noted: bool = True, **facts: Any) -> None:
        """Events accepted now, dated so many days ago by the wall clock."""
        for name in names:
            made = event(name, **facts).model_copy(
                update={
                    "triggered_unix_ns": self.clock.unix_ns() - round(days_ago * DAY_S * NS_PER_S),
                    "running_ns": self.running_ns if is_noted else None,
                }
            )
            self.clips.write_event(ClipsDir.folder_of(name, made.triggered_unix_ns), made)
            self.index.put(made)

    def run(self, s: float) -> None:
        """Let time pass, with a round at its end."""
        self.clock.advance(s)
        self.cleaner.clean()

    def left(self) -> list[str]:
        left = [each.event_id for each in self.index.all_events()]
        assert sorted(folder.partition("/")[2] for folder in self.clips.folders()) == sorted(left)
        return sorted(left)

    def end(self) -> HandClock:
        self.cleaner.close()
        return self.kill()

    def kill(self) -> HandClock:
        self.events.close(1)
        self.index.close()
        return self.clock


@pytest.fixture(autouse=True)
def _without_the_log_of_an_index_that_is_used_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Index, "_lay_out_log", lambda _: None)


@pytest.fixture
def life(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Life]:
    made = Life(tmp_path, context)
    yield made
    made.end()


def test_a_board_that_learns_the_date_keeps_what_it_recorded_before(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]", caplog: pytest.LogCaptureFixture
) -> None:
    life = Life(tmp_path, context, clock=HandClock(monotonic_ns=5 * NS_PER_S, unix_ns=5 * NS_PER_S))
    life.add(*(f"ev{number}" for number in range(5)))
    life.run(3)
    life.clock.step_wall(1_800_000_000)
    for _ in range(30):
        life.run(240)
    assert len(life.left()) == 5
    figures = life.cleaner.figures()
    assert (figures.wall_steps, figures.last_step_s, figures.overdue_events) == (1, 1_800_000_000, 5)
    assert "the wall clock was set by +1800000000 s" in caplog.text
    life.end()


def test_a_leap_of_the_clock_and_back_removes_nothing(life: Life) -> None:
    life.add("ev1", "ev2")
    life.run(29 * DAY_S)
    life.clock.step_wall(40 * DAY_S)
    life.run(2)
    life.run(3)
    life.clock.step_wall(-40 * DAY_S)
    life.run(2)
    assert life.left() == ["ev1", "ev2"]
    assert life.cleaner.figures().held_s == 3_600


def test_an_event_goes_when_recorders_have_run_for_its_age(life: Life) -> None:
    life.add("ev1")
    life.run(30 * DAY_S)
    assert life.left() == ["ev1"]
    life.run(2)
    assert life.left() == []


def test_time_switched_off_does_not_count(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    life = Life(tmp_path, context)
    life.add("ev1")
    life.run(20 * DAY_S)
    unix_ns = life.end().unix_ns() + 365 * DAY_S * NS_PER_S
    life = Life(tmp_path, context, clock=HandClock(monotonic_ns=NS_PER_S, unix_ns=unix_ns), boot_id="another")
    life.run(9 * DAY_S)
    assert life.left() == ["ev1"]
    assert life.cleaner.figures().overdue_events == 1
    life.run(DAY_S + 2)
    assert life.left() == []
    life.end()


def test_after_a_step_nothing_goes_by_age_for_an_hour_of_running_through_crashes(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context)
    life.add("ev1")
    life.run(31 * DAY_S - 60)
    life.clock.step_wall(70)
    life.add("ev2")
    for _ in range(7):
        life.run(2)
        for _ in range(8):
            life.run(60)
        life = Life(tmp_path, context, clock=life.kill())
    assert life.left() == ["ev2"], "it went before the step"
    life.end()


def test_a_tenth_go_by_age_each_minute(life: Life) -> None:
    life.add(*(f"ev{number:02}" for number in range(40)))
    life.run(31 * DAY_S)
    assert len(life.left()) == 36
    for _ in range(28):
        life.run(2)
    assert len(life.left()) == 36
    life.run(4)
    assert life.left() == [f"ev{number:02}" for number in range(7, 40)]


def test_a_crash_loop_takes_no_more_than_a_tenth_each_minute(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context)
    life.add(*(f"ev{number:02}" for number in range(40)))
    life.run(31 * DAY_S)
    for _ in range(5):
        life = Life(tmp_path, context, clock=life.kill())
        life.run(5)
    assert len(life.left()) == 36
    life.end()


def test_room_is_made_at_once_while_removal_by_age_is_held(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context, BY_SIZE)
    life.add(*(f"ev{number}" for number in range(12)))
    life.clock.step_wall(-DAY_S)
    life.run(2)
    assert life.cleaner.figures().held_s > 0
    assert life.left() == []
    life.end()


def test_room_is_made_of_the_event_that_was_accepted_first_whatever_its_date(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context, RetentionLimits(max_age_ns=0, max_bytes=2_500, min_free_bytes=0))
    life.add("first", days_ago=-3_000)
    life.run(60)
    life.add("second")
    life.run(60)
    life.add("last-by-a-clock-of-1970", days_ago=20_000)
    life.run(2)
    assert life.left() == ["last-by-a-clock-of-1970", "second"]
    life.end()


def test_a_disk_that_cannot_be_asked_costs_no_event(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> NoReturn:
        raise OSError(errno.ESTALE, "stale file handle")

    life = Life(tmp_path, context, BY_SPACE)
    life.add("ev1")
    monkeypatch.setattr(os, "statvfs", fail)
    life.run(2)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((4096, 4096, *(0,) * 9)))
    life.run(2)
    assert life.left() == ["ev1"]
    monkeypatch.undo()
    life.run(2)
    assert life.left() == []
    life.end()


def test_events_that_cannot_be_removed_hold_up_no_other(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    life.add("ev0", "ev1", "ev2", "ev3")
    life.disk.stuck = {"ev0", "ev1"}
    life.run(31 * DAY_S)
    assert life.left() == ["ev0", "ev1", "ev3"]
    assert "event not removed" in caplog.text
    life.run(60)
    assert life.left() == ["ev0", "ev1"]
    life.disk.stuck = set()
    life.run(TRY_AGAIN_NS / NS_PER_S)
    assert life.left() == ["ev1"]


def test_a_locked_index_delays_housekeeping_and_nothing_more(life: Life, tmp_path: Path) -> None:
    life.add("ev1")
    life.index._writer.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "index.sqlite")
    other.execute("BEGIN IMMEDIATE")
    life.run(31 * DAY_S)
    assert life.index.get("ev1") is not None
    other.rollback()
    other.close()
    life.run(2)
    assert life.left() == []


def test_a_protected_event_does_not_go(life: Life) -> None:
    life.add("kept", is_protected=True)
    life.run(100 * DAY_S)
    assert life.left() == ["kept"]
    assert not life.events.retire("kept")


def test_the_file_stands_in_for_a_lost_index_and_the_index_for_a_lost_file(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context)
    life.add("ev1")
    life.run(20 * DAY_S)
    clock = life.end()
    (tmp_path / "index.sqlite").unlink()
    life = Life(tmp_path, context, clock=clock)
    assert life.running_ns == 20 * DAY_S * NS_PER_S
    life.run(2)
    clock = life.end()
    (tmp_path / running_notes.FILE_NAME).write_bytes(b'{"running_ns": 1e999')
    life = Life(tmp_path, context, clock=clock)
    life.run(DAY_S)
    assert life.left() == ["ev1"]
    life.run(9 * DAY_S)
    assert life.left() == []
    life.end()


def test_what_lies_in_the_place_of_the_file_and_is_none_holds_up_no_start(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    os.mkfifo(tmp_path / running_notes.FILE_NAME)  # to open it would wait for its writer
    life = Life(tmp_path, context)
    life.run(1)
    life.end()


def test_where_both_are_lost_it_goes_on_from_the_highest_of_the_events_files(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context)
    life.add("old")
    life.run(29 * DAY_S)
    life.add("new")
    clock = life.end()
    (tmp_path / "index.sqlite").unlink()
    (tmp_path / running_notes.FILE_NAME).unlink()
    life = Life(tmp_path, context, clock=clock)
    life.run(DAY_S)
    assert life.left() == ["new", "old"]
    life.run(3)
    assert life.left() == ["new"]
    life.end()


def test_events_without_a_note_count_from_the_update(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    life = Life(tmp_path, context)
    life.add("of-before", days_ago=1_000, is_noted=False)
    life.run(2)
    assert life.left() == ["of-before"]
    life.run(29 * DAY_S)
    life = Life(tmp_path, context, clock=life.end())
    life.run(DAY_S - 10)
    assert life.left() == ["of-before"]
    life.run(20)
    assert life.left() == []
    life.end()


def test_an_event_from_another_machine_counts_from_its_arrival(life: Life) -> None:
    life.add("native")
    made = event("foreign").model_copy(update={"running_ns": 90 * 365 * DAY_S * NS_PER_S})
    life.clips.write_event(ClipsDir.folder_of("foreign", made.triggered_unix_ns), made)
    life.index.put(made)
    life.run(2)
    life.run(31 * DAY_S)
    life.run(61)
    assert life.left() == []


def test_an_event_that_is_put_back_counts_from_its_return(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context)
    life.add("ev1")
    folder = next(iter(life.clips.folders()))
    shutil.copytree(tmp_path / folder, tmp_path / "backup")
    life.run(31 * DAY_S)
    assert life.left() == []
    clock = life.end()
    shutil.copytree(tmp_path / "backup", tmp_path / folder)
    life = Life(tmp_path, context, clock=clock)
    life.run(61)
    life.run(29 * DAY_S)
    assert life.left() == ["ev1"]
    life.run(DAY_S + 2)
    assert life.left() == []
    life.end()


def test_while_the_index_is_locked_no_newer_event_goes_in_place_of_an_older(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context, RetentionLimits(max_age_ns=0, max_bytes=2_500, min_free_bytes=0))
    life.add("ev0", "ev1", "ev2")
    life.run(2)
    life.add("ev3")
    with sqlite3.connect(tmp_path / "index.sqlite") as other:
        other.execute("BEGIN IMMEDIATE")
        life.run(2)
    other.close()
    life.run(2)
    assert life.left() == ["ev2", "ev3"]
    life.end()


def test_an_index_of_before_the_update_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = Index.open(path)
    index.put(event("ev1"))
    index.close()
    old = sqlite3.connect(path)
    old.executescript(
        "DROP TABLE running; DROP INDEX event_oldest; ALTER TABLE event DROP COLUMN running_ns; "
        "DROP TABLE deletion; PRAGMA user_version = 2;"
    )
    old.close()
    for _ in range(2):
        index = Index.open(path)
        assert index.get("ev1") == event("ev1")
        assert index.running() in {None, "note"}
        index.put_running("note")
        index.close()


def test_the_thread_makes_room(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    life = Life(tmp_path, context, BY_SIZE)
    life.add("ev1")
    shutdown = Shutdown()
    threads = Threads(shutdown)
    life.cleaner.start(threads, 30)
    wait_until(lambda: life.index.get("ev1") is None, 10, "the event goes")
    assert not shutdown.requested
    shutdown.request("the test is over")
    life.end()
    threads.close()
    assert (tmp_path / running_notes.FILE_NAME).exists()


def test_an_event_that_is_not_finished_stays(life: Life) -> None:
    life.add("ev1", state="recording")
    found = life.index.get("ev1")
    assert isinstance(found, wire.Event)
    life.events.adopt(found)
    life.run(31 * DAY_S)
    assert life.left() == ["ev1"]
    assert not life.events.retire("ev1")


def test_a_disk_below_its_minimum_is_not_full_while_events_can_go(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    limits = RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10**9)
    life = Life(tmp_path, context, limits)
    below = wire.Disk(total_bytes=10**12, free_bytes=900_000_000, clips_bytes=0, is_full=True)
    assert not life.cleaner.makes_room(below), "there is no event that could go"
    life.add("old")
    life.index.put(event("large", size_bytes=200_000_000))
    life.clock.advance(2)
    assert life.cleaner.makes_room(below)
    assert not life.cleaner.makes_room(below.model_copy(update={"free_bytes": 10_000_000})), "a clip would not fit"
    life.cleaner.disk = below
    assert not life.cleaner.makes_room(below), "the round before has not helped"
    life.kill()


def test_an_event_that_a_renewed_index_takes_in_counts_from_then(life: Life) -> None:
    def mended() -> bool:
        return mend(life.clips, life.index, life.events.store_all)

    life.cleaner = Cleaner(life.clips, life.index, life.events, BY_AGE, life.running, life.clock, mended)
    life.run(40 * DAY_S)
    triggered_ns = life.clock.unix_ns() - 60 * DAY_S * NS_PER_S
    back = event("back").model_copy(update={"triggered_unix_ns": triggered_ns, "running_ns": 0})
    life.clips.write_event(ClipsDir.folder_of("back", triggered_ns), back)
    (life.clips.root / "index.sqlite").unlink()
    for _ in range(3):
        life.run(120)
        assert life.left() == ["back"]
    life.run(30 * DAY_S)
    assert life.left() == []


class OnlyNeeds:
    """A stage that needs the files of the events named in `needed`."""

    def __init__(self) -> None:
        self.needed: set[str] = set()

    def write(self, opened: OpenEvent, recording: Recording) -> None:
        raise AssertionError("no clip is written")

    def needs(self, event_id: str) -> bool:
        return event_id in self.needed


def test_room_is_counted_on_where_retention_may_have_it(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    life = Life(tmp_path, context, RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10**9))
    life.events.stage = stage = OnlyNeeds()
    below = wire.Disk(total_bytes=10**12, free_bytes=900_000_000, clips_bytes=0, is_full=True)
    saved = event("saved", state="saved", size_bytes=200_000_000)
    life.index.put(saved)
    life.events.adopt(saved)
    stage.needed = {"saved"}
    assert not life.cleaner.makes_room(below), "its rendition is made"
    stage.needed = set()
    life.clock.advance(2)
    assert life.cleaner.makes_room(below), "no encoder works: retention has it, as any other"
    life.kill()


def test_no_more_events_are_looked_at_than_make_the_room(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(tmp_path, context, RetentionLimits(max_age_ns=0, max_bytes=0, min_free_bytes=10**9))
    life.index.put_all(event(f"ev{number}", size_bytes=400_000_000) for number in range(50))
    looked_at: list[str] = []
    monkeypatch.setattr(life.events, "is_open", looked_at.append)
    below = wire.Disk(total_bytes=10**12, free_bytes=900_000_000, clips_bytes=0, is_full=True)
    assert life.cleaner.makes_room(below)
    assert len(looked_at) == 3
    life.kill()
