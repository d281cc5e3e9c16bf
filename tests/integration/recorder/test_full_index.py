"""The disk is too full for a row of the index: the event goes on, and its row follows when there is room."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from services.recorder.events.rules import CommandRejected, Limits
from services.recorder.store import running_notes
from services.recorder.store.database import IndexFull, IndexLocked, IndexUnavailable
from services.recorder.store.disk import Disk
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.clocks import HandClock
from tests.support.disks import FailingDisk, FullDisk
from tests.support.waiting import wait_until

BOOT = "boot-of-the-test"


class FullIndex(Index):
    is_full = False

    def put(self, event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        if self.is_full:
            raise IndexFull("no space for index.sqlite")
        super().put(event, plan)


class NoStage:
    def write(self, opened: OpenEvent, recording: Recording) -> None:
        """Nothing is written here."""

    def needs(self, event_id: str) -> bool:
        return False


class Recorder:
    def __init__(self, root: Path, context: "zmq.Context[zmq.Socket[bytes]]", disk: Disk | None = None) -> None:
        self.clock = HandClock()
        self.clips = ClipsDir(root, disk)
        self.index = FullIndex.open(root / "index.sqlite")
        cameras = Cameras(10, 100_000_000, 10_000_000, 4, BOOT)
        cameras.remember("cam1", self.clock.monotonic_ns())
        bus = BusSender(context, "inproc://nobody", "recorder", "here", self.clock)
        running = running_notes.go_on(self.clips, self.index, self.clock, BOOT)
        limits = Limits(5, 10, 60, 60, 10, "separate")
        self.events = Events(
            cameras, self.index, self.clips, limits, bus, self.clock, BOOT, running, Threads(Shutdown())
        )
        self.events.stage = NoStage()

    def start(self, event_id: str = "ev1") -> wire.Event:
        received = wire.InstantRecord(
            boot_id=BOOT, monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns()
        )
        return self.events.start(wire.StartEvent(event_id=event_id, fingerprint="f", received=received, age_ns=0)).event


@pytest.fixture
def recorder(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Recorder]:
    made = Recorder(tmp_path, context)
    yield made
    made.events.close(1)
    made.index.close()


def ready(clip: wire.Clip) -> wire.Clip:
    return clip.model_copy(update={"state": "ready"})


def test_row_follows_a_change_of_a_clip(recorder: Recorder) -> None:
    recorder.start()
    recorder.events.change_clip("ev1", "cam1", ready)
    assert recorder.events.wait_stored(5)
    stored = recorder.index.get("ev1")
    assert stored is not None
    assert stored.state == "ready"
    assert recorder.events.opened("ev1") is None


def test_clip_that_ends_while_the_disk_is_full_is_stored_later(recorder: Recorder) -> None:
    recorder.start()
    recorder.index.is_full = True
    recorder.events.change_clip("ev1", "cam1", ready)
    assert not recorder.events.wait_stored(5)
    assert recorder.events.get("ev1").state == "ready"
    stored = recorder.index.get("ev1")
    assert stored is not None
    assert stored.state == "recording"
    recorder.index.is_full = False
    recorder.clock.advance(2)
    recorder.events.tick()
    assert recorder.events.wait_stored(5)
    stored = recorder.index.get("ev1")
    assert stored is not None
    assert stored.state == "ready"
    assert recorder.events.opened("ev1") is None


def test_row_is_tried_again_once_a_second_and_no_oftener(recorder: Recorder) -> None:
    recorder.start()
    recorder.events.tick()
    recorder.index.is_full = True
    recorder.events.change_clip("ev1", "cam1", ready)
    assert not recorder.events.wait_stored(5)
    recorder.index.is_full = False
    recorder.clock.advance(0.5)
    recorder.events.tick()
    assert not recorder.events.wait_stored(5)
    assert recorder.events.opened("ev1") is not None
    recorder.clock.advance(NS_PER_S / 1e9)
    recorder.events.tick()
    assert recorder.events.wait_stored(5)
    assert recorder.events.opened("ev1") is None


def test_trigger_whose_row_is_refused_is_not_accepted_and_leaves_nothing(recorder: Recorder) -> None:
    recorder.index.is_full = True
    with pytest.raises(CommandRejected, match="could not be stored"):
        recorder.start()
    assert list(recorder.clips.folders()) == []
    recorder.index.is_full = False
    assert recorder.start().event_id == "ev1"


def test_file_of_the_event_follows_the_answer(recorder: Recorder) -> None:
    event = recorder.start()
    folder = ClipsDir.folder_of("ev1", event.triggered_unix_ns)
    recorder.events.follow_up()
    wait_until(recorder.clips.event_file(folder).exists, 5)
    assert wire.Event.model_validate_json(recorder.clips.event_file(folder).read_bytes()).event_id == "ev1"


def test_an_event_deleted_before_its_writers_began_is_gone_at_once(recorder: Recorder) -> None:
    recorder.start()
    recorder.events.delete(wire.DeleteEvent(event_id="ev1"))
    recorder.events.follow_up()
    assert recorder.events.opened("ev1") is None
    assert recorder.events.active() == []
    assert recorder.start().event_id == "ev1"


def test_file_that_the_disk_refused_is_written_later(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    disk = FullDisk(0)
    recorder = Recorder(tmp_path, context, disk)
    file = recorder.clips.event_file(ClipsDir.folder_of("ev1", recorder.start().triggered_unix_ns))
    recorder.events.follow_up()
    recorder.events.close(0.5)
    assert not file.exists()
    disk.make_space(1 << 20)
    recorder.clock.advance(2)
    recorder.events.tick()
    wait_until(file.exists, 5)
    recorder.index.close()


def test_file_of_an_event_that_goes_is_not_written_any_more(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    disk = FullDisk(0)
    recorder = Recorder(tmp_path, context, disk)
    recorder.start()
    recorder.events.follow_up()
    recorder.events.change_clip("ev1", "cam1", ready)
    recorder.events.delete(wire.DeleteEvent(event_id="ev1"))
    disk.make_space(1 << 20)
    recorder.clock.advance(2)
    recorder.events.tick()
    recorder.events.close(5)
    assert list(recorder.clips.folders()) == []
    recorder.index.close()


def test_trigger_whose_folder_is_somebody_elses_is_refused(recorder: Recorder) -> None:
    theirs = recorder.clips.folder(ClipsDir.folder_of("ev1", recorder.clock.unix_ns()))
    theirs.mkdir(parents=True)
    (theirs / "cam1.mp4").write_bytes(b"mine")
    with pytest.raises(CommandRejected, match=r"event_id=ev1 cannot be used: .*/ev1 is there already") as refused:
        recorder.start()
    assert refused.value.refusal.code == "conflict"
    assert [path.read_bytes() for path in theirs.iterdir()] == [b"mine"]
    assert recorder.start("ev2").event_id == "ev2"


def test_ids_that_differ_in_case_alone_are_two_events_where_the_disk_tells_them_apart(recorder: Recorder) -> None:
    assert {recorder.start(event_id).event_id for event_id in ("A1", "a1")} == {"A1", "a1"}


def test_ids_that_differ_in_case_alone_are_not_mixed_where_the_disk_does_not(recorder: Recorder) -> None:
    recorder.clips.__dict__["_tells_case"] = False
    recorder.start("A1")
    with pytest.raises(CommandRejected, match=r"this disk cannot tell .*/a1 from .*/A1"):
        recorder.start("a1")


def test_id_of_an_event_that_is_being_deleted_waits_for_its_end(recorder: Recorder) -> None:
    recorder.start()
    recorder.events.change_clip("ev1", "cam1", ready)
    assert recorder.events.wait_stored(5)
    recorder.index.begin_deletion("ev1", "2027-01-15/ev1")
    recorder.index.forget("ev1")
    with pytest.raises(CommandRejected, match="event ev1 is being deleted"):
        recorder.start()
    recorder.events.end_deletions()
    assert recorder.start().event_id == "ev1"


def test_event_whose_folder_cannot_be_removed_stays(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    disk = FailingDisk("replace", range(2, 3))
    recorder = Recorder(tmp_path, context, disk)
    event = recorder.start()
    folder = ClipsDir.folder_of("ev1", event.triggered_unix_ns)
    recorder.clips.write_event(folder, event)
    recorder.events.change_clip("ev1", "cam1", ready)
    assert recorder.events.wait_stored(5)
    with pytest.raises(CommandRejected, match="cannot rename") as refused:
        recorder.events.delete(wire.DeleteEvent(event_id="ev1"))
    assert refused.value.refusal.code == "storage_failed"
    assert recorder.events.get("ev1").state == "ready"
    assert list(recorder.clips.folders()) == [folder]
    assert recorder.index.deletions() == []
    recorder.events.delete(wire.DeleteEvent(event_id="ev1"))
    assert (list(recorder.clips.folders()), recorder.index.count()) == ([], 0)
    recorder.events.close(1)
    recorder.index.close()


@pytest.mark.parametrize(("error", "code"), [(IndexFull, "storage_full"), (IndexLocked, "index_unavailable")])
def test_refusal_names_what_is_wrong_with_the_index(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, error: type[IndexUnavailable], code: str
) -> None:
    def failing(event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        raise error("no")

    monkeypatch.setattr(recorder.index, "put", failing)
    with pytest.raises(CommandRejected) as refused:
        recorder.start()
    assert refused.value.refusal.code == code
