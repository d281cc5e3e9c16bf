"""A crash between a folder and its row in the index: both are brought together at the next start."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from preroll import wire
from services.recorder.recovery.reconcile import reconcile
from services.recorder.store.database import IndexFull
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.clips import Take, Writing
from tests.support.frames import frames

TAKE = Take.of(frames(10))


@pytest.fixture
def clips(tmp_path: Path) -> ClipsDir:
    made = ClipsDir(tmp_path)
    made.write_event(TAKE.plan.folder, TAKE.event)
    return made


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An empty one: beside the clips it would be built from them."""
    made = Index.open(tmp_path_factory.mktemp("index") / "index.sqlite")
    yield made
    made.close()


def test_deletion_that_a_crash_left_is_ended(clips: ClipsDir, index: Index) -> None:
    TAKE.paths(clips.root).original_part.write_bytes(b"being written")
    index.put(TAKE.event)
    assert index.begin_deletion("ev1", TAKE.plan.folder)
    reconcile(clips, index)
    assert list(clips.folders()) == []
    assert (index.count(), index.deletions()) == (0, [])


def test_accepted_event_that_the_index_lost_is_taken_in_before_it_has_a_clip(clips: ClipsDir, index: Index) -> None:
    part = TAKE.paths(clips.root).original_part
    part.write_bytes(b"being written")
    reconcile(clips, index)
    assert index.get("ev1") == TAKE.event
    assert part.exists()


def test_event_that_the_index_lost_is_taken_in_with_its_clips(clips: ClipsDir, index: Index) -> None:
    Writing(TAKE, TAKE.over(), clips.root).written()
    reconcile(clips, index)
    event = index.get("ev1")
    assert event is not None
    assert event.state == "saved"
    assert set(event.clips[0].files) == {"original", "poster", "sidecar"}


@pytest.mark.parametrize("state", ["saved", "ready", "failed"])
def test_event_whose_folder_is_missing_stays(clips: ClipsDir, index: Index, state: wire.ClipState) -> None:
    index.put(TAKE.event.model_copy(update={"state": state}))
    shutil.rmtree(clips.folder(TAKE.plan.folder))
    reconcile(clips, index)
    found = index.get("ev1")
    assert found is not None
    assert found.state == state


def test_events_of_a_date_that_cannot_be_read_stay(
    clips: ClipsDir, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.put(TAKE.event.model_copy(update={"state": "ready"}))
    date = clips.folder(TAKE.plan.folder).parent
    scan = os.scandir

    def failing(path: Path) -> object:
        if Path(path) == date:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scan(path)

    monkeypatch.setattr(os, "scandir", failing)
    reconcile(clips, index)
    assert index.get("ev1") is not None


def test_accepted_event_whose_folder_was_not_made_yet_stays(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event)
    shutil.rmtree(clips.folder(TAKE.plan.folder))
    reconcile(clips, index)
    assert index.get("ev1") == TAKE.event


def test_half_removed_event_does_not_come_back(clips: ClipsDir, index: Index) -> None:
    Writing(TAKE, TAKE.over(), clips.root).written()
    folder = clips.folder(TAKE.plan.folder)
    folder.rename(folder.with_name(".deleted-ev1"))
    reconcile(clips, index)
    assert index.count() == 0
    assert not folder.parent.exists()


def holding(name: str, data: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / name).write_bytes(data)

    return make


def with_a_pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "event.json")


STRANGE: dict[str, Callable[[Path], Any]] = {
    "a users file": lambda folder: folder.write_bytes(b"not a folder"),
    "a users folder": lambda folder: (folder / "notes").mkdir(parents=True),
    "pictures without a record": holding("cam1.mp4", b"film"),
    "a part without a record": holding("cam1.original.mp4.part", b"film"),
    "a record of rubbish": holding("event.json", b"{"),
    "a pipe for a record": with_a_pipe,
    "a folder for a record": lambda folder: (folder / "event.json").mkdir(parents=True),
    "a link to itself": lambda folder: folder.symlink_to(folder.name),
    "a link to nothing": lambda folder: folder.symlink_to("nothing"),
    "a copy of an event": lambda folder: shutil.copytree(folder.with_name("ev1"), folder),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_event_is_left_alone_and_costs_nobody_else(clips: ClipsDir, index: Index, strange: str) -> None:
    folder = clips.folder(TAKE.plan.folder).with_name("strange")
    STRANGE[strange](folder)
    before = sorted(path.name for path in folder.parent.rglob("*"))
    reconcile(clips, index)
    assert [event.event_id for event in index.all_events()] == ["ev1"]
    assert sorted(path.name for path in folder.parent.rglob("*")) == before


def test_copy_of_an_event_does_not_replace_it(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event.model_copy(update={"state": "ready", "is_protected": True}))
    folder = clips.folder(TAKE.plan.folder)
    shutil.copytree(folder, folder.with_name("ev1-copy"))
    shutil.copytree(folder, clips.root / "2020-01-01" / "ev1")
    reconcile(clips, index)
    found = index.get("ev1")
    assert found is not None
    assert (found.state, found.is_protected, index.count()) == ("ready", True, 1)


def test_names_that_are_no_text_are_passed_over(clips: ClipsDir, index: Index) -> None:
    folder = os.fsencode(clips.folder(TAKE.plan.folder))
    os.mkdir(os.path.join(os.path.dirname(folder), b"\xff\xfe"))
    os.mkdir(os.path.join(os.fsencode(clips.root), b"\xff"))
    for name in (b"\xff.json", b"cam1\xff.json"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"{}")
    reconcile(clips, index)
    assert index.count() == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
@pytest.mark.parametrize("closed", ["date", "event"])
def test_folder_without_rights_is_passed_over(clips: ClipsDir, index: Index, closed: str) -> None:
    folder = clips.folder(TAKE.plan.folder)
    shut = folder.with_name("shut") if closed == "event" else clips.root / "2020-01-01"
    shut.mkdir()
    shut.chmod(0)
    try:
        reconcile(clips, index)
    finally:
        shut.chmod(0o700)
    assert index.count() == 1
    assert shut.exists()


def test_ten_thousand_strange_folders_cost_little_and_one_line(
    clips: ClipsDir, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    date = clips.folder(TAKE.plan.folder).parent
    for number in range(10_000):
        (date / f"strange-{number}").mkdir()
    caplog.clear()
    reconcile(clips, index)
    assert index.count() == 1
    assert len(caplog.records) == 2


def test_index_that_takes_nothing_does_not_end_the_start(clips: ClipsDir, index: Index) -> None:
    class Full(Index):
        def put_all(self, events: Iterable[wire.Event]) -> None:
            raise IndexFull("no space for index.sqlite")

    full = Full(index._path)
    reconcile(clips, full)
    full.close()
    assert index.count() == 0


def test_rebuilt_index_does_not_have_a_half_removed_event(clips: ClipsDir, index: Index) -> None:
    folder = clips.folder(TAKE.plan.folder)
    folder.rename(folder.with_name(".deleted-ev1"))
    reconcile(clips, index)
    assert index.count() == 0


def test_cameras_of_a_rebuilt_index_are_those_of_its_events(clips: ClipsDir, index: Index) -> None:
    reconcile(clips, index)
    assert index.cameras() == ["cam1"]


def test_event_that_is_in_both_is_left_as_it_is(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event)
    reconcile(clips, index)
    assert index.get("ev1") == TAKE.event
    assert list(clips.folders()) == [TAKE.plan.folder]
