"""Deleting: a command that is sent twice is done once, nothing waits for files or for a disk that stands, nothing returns."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from preroll import wire
from services.recorder.answers.commands import REMEMBERED, CarriedOut, Commands
from services.recorder.events.rules import CommandRejected
from services.recorder.store.database import IndexFull, IndexLocked
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.event_records import event
from tests.support.living import Living, QuickDisk
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


class FrozenDisk(QuickDisk):
    """Creates no file while `goes` is clear."""

    def __init__(self) -> None:
        self.goes, self.stands = threading.Event(), threading.Event()
        self.goes.set()

    def create(self, path: Path) -> int:
        if not self.goes.is_set() and path.name.startswith("event.json"):
            self.stands.set()
            assert self.goes.wait(20)
        return super().create(path)


class FaultyIndex(Index):
    """`fault` is raised by `put`, after the row was stored where `is_stored_all_the_same`; deleting fails as `cannot_forget`."""

    fault: Exception | None = None
    is_stored_all_the_same = False
    cannot_forget: Exception | None = None

    def put(self, event: wire.Event, plan: dict[str, Any] | None = None) -> None:
        if self.fault is None or self.is_stored_all_the_same:
            super().put(event, plan)
        if self.fault is not None:
            raise self.fault

    def forget(self, event_id: str) -> None:
        if self.cannot_forget is not None:
            raise self.cannot_forget
        super().forget(event_id)


@pytest.fixture
def living(tmp_path: Path, context: Context) -> Iterator[Living]:
    with Living(tmp_path, context, "cam1", disk=FrozenDisk(), index_class=FaultyIndex) as made:
        made.send(range(40))
        yield made


def recorded(living: Living, event_id: str = "ev1", first: int = 40) -> wire.Event:
    living.start(event_id, pre_s=0.3, post_s=0.1)
    living.send(range(first, first + 20))
    event = living.saved(event_id)
    wait_until(living.clips.event_file(folder_of(event)).exists, 5)
    return event


def folder_of(event: wire.Event) -> str:
    return ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)


def delete(living: Living, event_id: str = "ev1") -> None:
    living.events.delete(wire.DeleteEvent(event_id=event_id))


# --- a command that is sent twice


def test_deletion_that_is_asked_for_twice_by_one_command_is_done_for_both(living: Living) -> None:
    recorded(living)
    commands = Commands(living.cameras, living.events, living.index, living.clock, 1_000)
    asked = wire.encode(wire.DeleteEvent(event_id="ev1", command_id="command-1"))
    assert commands.answer(asked) == commands.answer(asked) == wire.Done()
    with pytest.raises(CommandRejected, match="does not exist"):
        commands.answer(wire.encode(wire.DeleteEvent(event_id="ev1", command_id="command-2")))
    with pytest.raises(CommandRejected, match="does not exist"):
        commands.answer(wire.encode(wire.DeleteEvent(event_id="ev1")))  # of a caller of before


def test_camera_that_is_forgotten_twice_by_one_command_is_forgotten(living: Living) -> None:
    commands = Commands(living.cameras, living.events, living.index, living.clock, 1_000)
    living.cameras.remember("gone", 0)
    asked = wire.encode(wire.ForgetCamera(camera_id="gone", command_id="command-1"))
    assert commands.answer(asked) == commands.answer(asked) == wire.Done()
    with pytest.raises(CommandRejected, match="not known"):
        commands.answer(wire.encode(wire.ForgetCamera(camera_id="gone", command_id="command-2")))


def test_camera_that_the_index_could_not_forget_is_forgotten_the_next_time(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(living.cameras, living.events, living.index, living.clock, 1_000)
    living.cameras.remember("gone", 0)
    living.index.remember_cameras(["gone"])

    def fail(_: str) -> None:
        raise IndexLocked("index.sqlite is locked")

    asked = wire.encode(wire.ForgetCamera(camera_id="gone", command_id="command-1"))
    with monkeypatch.context() as patched:
        patched.setattr(living.index, "forget_camera", fail)
        with pytest.raises(IndexLocked):
            commands.answer(asked)
    assert commands.answer(asked) == wire.Done()
    assert "gone" not in living.index.cameras()


def test_what_was_refused_is_tried_again() -> None:
    carried_out = CarriedOut()

    def refuse() -> wire.Reply:
        raise CommandRejected("busy", "the disk stands")

    with pytest.raises(CommandRejected):
        carried_out.once("command-1", refuse)
    assert carried_out.once("command-1", wire.Done) == wire.Done()


def test_commands_that_were_carried_out_are_remembered_to_a_bound() -> None:
    carried_out = CarriedOut()
    for number in range(REMEMBERED + 10):
        carried_out.once(str(number), wire.Done)
    assert len(carried_out._replies) == REMEMBERED


# --- nothing waits


def test_deletion_is_answered_before_the_files_are_gone(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    event = recorded(living)
    goes, begun = threading.Event(), threading.Event()
    remove = ClipsDir.remove_doomed

    def slow(doomed: Path) -> None:
        begun.set()
        assert goes.wait(10)
        remove(doomed)

    monkeypatch.setattr(living.clips, "remove_doomed", slow)
    delete(living)
    assert not living.clips.folder(folder_of(event)).exists()
    with pytest.raises(CommandRejected, match="does not exist"):
        living.events.get("ev1")
    assert begun.wait(5)
    recorded(living, "ev2", first=60)  # the next event is recorded meanwhile
    goes.set()
    wait_until(lambda: [path.name for path in living.clips.root.glob("*/.deleted*")] == [], 5)


def test_retention_waits_for_the_room(living: Living) -> None:
    event = recorded(living)
    assert living.events.retire("ev1")
    assert list(living.clips.folder(folder_of(event)).parent.glob(".deleted*")) == []
    assert not living.events.retire("ev1")


def test_an_event_whose_file_the_disk_does_not_take_is_busy_and_stays(living: Living) -> None:
    disk = living.clips.disk
    assert isinstance(disk, FrozenDisk)
    event = recorded(living)
    disk.goes.clear()
    living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=False))
    assert disk.stands.wait(5)
    with pytest.raises(CommandRejected, match="being written") as refused:
        delete(living)
    assert refused.value.refusal.code == "busy"
    assert living.events.get("ev1").event_id == "ev1"
    assert not living.index.is_being_deleted("ev1")
    disk.goes.set()
    wait_until(lambda: living.events._records.wait_written(5), 5)
    delete(living)
    assert not living.clips.folder(folder_of(event)).exists()


def test_an_event_that_is_being_changed_for_long_is_busy(living: Living) -> None:
    living.start(post_s=5)
    opened = living.events.opened("ev1")
    assert opened is not None
    held, goes = threading.Event(), threading.Event()

    def hold() -> None:
        with opened.lock:
            held.set()
            assert goes.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    for command in (
        lambda: delete(living),
        lambda: living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=True)),
    ):
        with pytest.raises(CommandRejected) as refused:
            command()
        assert refused.value.refusal.code == "busy"
    goes.set()
    holder.join(5)


# --- nothing returns


def test_event_that_is_deleted_while_it_is_recorded_goes_with_its_files(living: Living) -> None:
    living.start(post_s=5)
    living.send(range(40, 60))
    delete(living)
    with pytest.raises(CommandRejected, match="does not exist"):
        living.events.get("ev1")
    wait_until(lambda: list(living.clips.folders()) == [], 5)
    wait_until(lambda: not living.events.is_open("ev1"), 5)
    assert living.events.wait_stored(5)
    assert living.index.get("ev1") is None


def test_removal_that_fails_is_tried_again(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    living.start(post_s=5)
    living.send(range(40, 60))

    def fail(_: str) -> None:
        raise WriteFailed("the disk failed")

    with monkeypatch.context() as patched:
        patched.setattr(living.clips, "doom", fail)
        delete(living)
        wait_until(lambda: living.events._keeping._ending.failures, 5)
    assert len(list(living.clips.folders())) == 1
    living.clock.advance(2)
    living.events.tick()
    wait_until(lambda: list(living.clips.folders()) == [], 5)


def test_protected_meanwhile_is_not_removed(living: Living) -> None:
    recorded(living)
    living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=True))
    assert not living.events.retire("ev1")
    with pytest.raises(CommandRejected, match="is protected"):
        delete(living)
    assert living.events.get("ev1").is_protected


def test_protection_that_cannot_be_stored_is_refused_and_changes_nothing(living: Living) -> None:
    index = living.index
    assert isinstance(index, FaultyIndex)
    living.start(post_s=5)
    index.fault = IndexLocked("index.sqlite is locked by backup.sh")
    with pytest.raises(CommandRejected, match=r"locked by backup\.sh"):
        living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=True))
    assert not living.events.get("ev1").is_protected
    index.fault = None


# --- a trigger that cannot be stored


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (IndexFull("no space for index.sqlite"), "storage_full", "no space"),
        (IndexLocked("index.sqlite is locked by backup.sh"), "index_unavailable", "locked by backup.sh"),
        (KeyError("a bug"), "internal", "KeyError: 'a bug'"),
        (OSError(24, "Too many open files"), "internal", "Too many open files"),
    ],
)
def test_trigger_that_cannot_be_stored_names_the_cause_and_leaves_nothing(
    living: Living, fault: Exception, code: str, words: str
) -> None:
    index = living.index
    assert isinstance(index, FaultyIndex)
    index.fault = fault
    with pytest.raises(CommandRejected, match=words) as refused:
        living.start()
    assert refused.value.refusal.code == code
    assert living.events.active() == []
    track = living.cameras.get("cam1")
    assert track is not None
    living.send(range(40, 42))
    assert track.recordings == []
    assert list(living.clips.folders()) == []
    index.fault = None
    assert living.start().event_id == "ev1"


def test_row_that_a_failed_commit_has_left_is_not_shown_and_goes_before_the_next_event(living: Living) -> None:
    index = living.index
    assert isinstance(index, FaultyIndex)
    index.fault, index.is_stored_all_the_same = sqlite3.OperationalError("disk I/O error"), True
    index.cannot_forget = IndexLocked("index.sqlite is locked")
    with pytest.raises(CommandRejected, match="could not be stored"):
        living.start()
    assert index.get("ev1") is not None
    with pytest.raises(CommandRejected, match="does not exist"):
        living.events.get("ev1")
    index.fault = None
    with pytest.raises(CommandRejected, match="no event can be stored") as refused:
        living.start("ev2")
    assert refused.value.refusal.code == "index_unavailable"
    index.cannot_forget = None
    living.clock.advance(2)
    living.events.tick()
    assert index.get("ev1") is None
    assert living.start("ev1").state == "recording"


def test_a_command_waits_for_no_files_that_retention_removes(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        living.index.put(event(f"old-{number}"))
        living.clips.write_event(folder_of(event(f"old-{number}")), event(f"old-{number}"))
    protected: list[wire.EventReply] = []
    real = living.clips.remove_doomed

    def slow(remains: Path) -> None:
        protected.append(living.events.protect(wire.ProtectEvent(event_id="old-1", is_protected=True)))
        real(remains)

    monkeypatch.setattr(living.clips, "remove_doomed", slow)
    assert living.events.retire("old-0")
    assert [reply.event.is_protected for reply in protected] == [True]
    assert not living.clips.folder(folder_of(event("old-0"))).exists()


def test_what_is_being_deleted_is_not_protected_any_more(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(living)

    def locked(_event_id: str) -> bool:
        raise IndexLocked("index.sqlite is locked")

    with monkeypatch.context() as failing:
        failing.setattr(living.index, "is_being_deleted", locked)
        with pytest.raises(CommandRejected):
            delete(living)
    with pytest.raises(CommandRejected, match="is being deleted") as refusal:
        living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=True))
    assert refusal.value.refusal.code == "conflict"


def test_a_deletion_that_fails_loses_no_change_that_waits_to_be_written(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recorded(living)
    file = living.clips.event_file(folder_of(made))

    def fails(*_: object) -> None:
        raise WriteFailed("the disk failed")

    with monkeypatch.context() as failing:
        failing.setattr(living.clips, "write_event", fails)
        failing.setattr(living.clips, "doom", fails)
        living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=True))
        living.events.protect(wire.ProtectEvent(event_id="ev1", is_protected=False))
        with pytest.raises(CommandRejected):
            delete(living)
    living.clock.advance(2)
    living.events.tick()
    wait_until(lambda: wire.Event.model_validate_json(file.read_bytes()).revision == made.revision + 2, 5)
