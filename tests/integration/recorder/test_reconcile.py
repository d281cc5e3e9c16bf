"""A crash between a folder and its row in the index: both are brought together at the next start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.recorder.recovery.reconcile import reconcile
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


def test_folder_with_nothing_but_the_record_of_a_deleted_event_goes(clips: ClipsDir, index: Index) -> None:
    reconcile(clips, index)
    assert list(clips.folders()) == []
    assert index.count() == 0


def test_deletion_of_a_running_event_is_ended(clips: ClipsDir, index: Index) -> None:
    TAKE.paths(clips.root).original_part.write_bytes(b"being written")
    reconcile(clips, index)
    assert list(clips.folders()) == []


def test_event_that_the_index_lost_is_taken_in_with_its_clips(clips: ClipsDir, index: Index) -> None:
    Writing(TAKE, TAKE.over(), clips.root).written()
    reconcile(clips, index)
    event = index.get("ev1")
    assert event is not None
    assert event.state == "saved"
    assert set(event.clips[0].files) == {"original", "poster", "sidecar"}


def test_row_whose_folder_is_gone_is_dropped(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event.model_copy(update={"state": "ready"}))
    clips.remove_event(TAKE.plan.folder)
    reconcile(clips, index)
    assert index.get("ev1") is None


def test_accepted_event_whose_folder_was_not_made_yet_stays(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event)
    clips.remove_event(TAKE.plan.folder)
    reconcile(clips, index)
    assert index.get("ev1") == TAKE.event


def test_half_removed_event_does_not_come_back(clips: ClipsDir, index: Index) -> None:
    Writing(TAKE, TAKE.over(), clips.root).written()
    folder = clips.folder(TAKE.plan.folder)
    folder.rename(folder.with_name(".deleted-ev1"))
    reconcile(clips, index)
    assert index.count() == 0
    assert list(folder.parent.iterdir()) == []


def test_rebuilt_index_does_not_have_a_half_removed_event(clips: ClipsDir) -> None:
    folder = clips.folder(TAKE.plan.folder)
    folder.rename(folder.with_name(".deleted-ev1"))
    index = Index.open(clips.root / "rebuilt.sqlite")
    assert index.count() == 0
    index.close()


def test_event_that_is_in_both_is_left_as_it_is(clips: ClipsDir, index: Index) -> None:
    index.put(TAKE.event)
    reconcile(clips, index)
    assert index.get("ev1") == TAKE.event
    assert list(clips.folders()) == [TAKE.plan.folder]
