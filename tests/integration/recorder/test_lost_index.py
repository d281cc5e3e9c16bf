"""Somebody removes, replaces or overwrites the index of a running recorder: it is made anew, and nothing is lost."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from preroll import wire
from services.recorder.recovery.mend import mend
from services.recorder.recovery.reconcile import take_in
from services.recorder.store.database import IndexLocked, IndexUnavailable
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.event_records import event

NO_FILES = event("no-files", at_s=1, state="failed")
WITH_FILES = event("with-files", at_s=2, labels={"line": "4"})
RUNNING = event("running", at_s=3, state="recording")


@pytest.fixture
def clips(tmp_path: Path) -> ClipsDir:
    clips = ClipsDir(tmp_path)
    for each in (WITH_FILES, RUNNING):
        clips.write_event(ClipsDir.folder_of(each.event_id, each.triggered_unix_ns), each)
    return clips


@pytest.fixture
def index(clips: ClipsDir) -> Iterator[Index]:
    index = Index.open(clips.root / "index.sqlite")
    index.put_all([NO_FILES, WITH_FILES])
    index.put(RUNNING, {"boot_id": "b"})
    index.remember_cameras(["cam9"])
    index.settle()
    yield index
    index.close()


def overwrite(root: Path) -> None:
    path = root / "index.sqlite"
    path.write_bytes(os.urandom(path.stat().st_size))


def remove(root: Path) -> None:
    for path in root.glob("index.sqlite*"):
        path.unlink()


def replace(root: Path) -> None:
    remove(root)
    (root / "index.sqlite").write_bytes(b"rubbish" * 1000)


def remove_log(root: Path) -> None:
    (root / "index.sqlite-wal").unlink()


def remove_shared_memory(root: Path) -> None:
    (root / "index.sqlite-shm").unlink()


LOSSES: dict[str, Callable[[Path], None]] = {
    "overwritten": overwrite,
    "truncated": lambda root: os.truncate(root / "index.sqlite", 0),
    "removed": remove,
    "replaced": replace,
    "without its log": remove_log,
    "without its shared memory": remove_shared_memory,
}


def notice(index: Index) -> None:
    """What the recorder does all the time."""
    with suppress(IndexUnavailable):
        index.put(RUNNING)
    with suppress(IndexUnavailable):
        index.get("with-files")


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_index_is_made_anew_while_the_recorder_runs(clips: ClipsDir, index: Index, loss: str) -> None:
    LOSSES[loss](clips.root)
    notice(index)
    assert index.loss() is not None
    mend(clips, index, lambda: index.put(RUNNING, {"boot_id": "b"}))
    assert index.loss() is None
    known = {each.event_id: each for each in index.all_events()}
    assert known["with-files"] == WITH_FILES
    assert known["running"] == RUNNING
    assert index.plan("running") == {"boot_id": "b"}
    if loss not in {"overwritten", "truncated"}:  # what is open is whole, wherever its name went
        assert known["no-files"] == NO_FILES
        assert index.cameras() == ["cam9"]
    index.put(event("new"))
    assert [each.event_id for each in index.page(wire.ListEvents(label="line=4")).events] == ["with-files"]
    index.close()
    again = Index.open(clips.root / "index.sqlite")
    assert again.get("new") is not None
    again.close()
    aside = list(clips.root.glob("index.sqlite.damaged-1"))
    assert len(aside) == (0 if loss == "removed" else 1)
    assert not list(clips.root.glob("*.renewed*"))


def test_index_that_is_well_is_left_as_it_is(clips: ClipsDir, index: Index) -> None:
    before = (clips.root / "index.sqlite").stat().st_ino
    mend(clips, index, lambda: pytest.fail("nothing was lost"))
    assert (clips.root / "index.sqlite").stat().st_ino == before


def test_nothing_is_written_into_an_index_that_is_being_made_anew(clips: ClipsDir, index: Index) -> None:
    def fill(fresh: Index) -> None:
        with pytest.raises(IndexLocked):
            index.put(event("meanwhile"))
        take_in(clips, fresh)

    remove(clips.root)
    index.renew(fill)
    assert (index.get("meanwhile"), index.count()) == (None, 3)


def test_renewal_that_failed_leaves_what_was_there(clips: ClipsDir, index: Index) -> None:
    def fill(fresh: Index) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        index.renew(fill)
    index.put(event("new"))
    assert index.count() == 4
    index.renew(lambda fresh: take_in(clips, fresh))
    assert index.count() == 4


def test_folder_that_is_another_one_now_is_not_given_a_new_index(clips: ClipsDir, index: Index) -> None:
    elsewhere = clips.root.with_name("elsewhere")
    clips.root.rename(elsewhere)
    for is_mount_point_there in (False, True):
        if is_mount_point_there:
            clips.root.mkdir()
        assert index.misplaced() is not None
        mend(clips, index, lambda: pytest.fail("it was made anew"))
    assert list(clips.root.iterdir()) == []
    clips.root.rmdir()
    elsewhere.rename(clips.root)
    assert index.misplaced() is None
    index.put(event("new"))
    assert index.count() == 4
