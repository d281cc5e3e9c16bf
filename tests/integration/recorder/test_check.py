"""`check` finds every difference between the files and what the index says of them, and nothing where all is well."""

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from preroll import wire
from services.recorder.clips.describe import hashed, restate
from services.recorder.recovery import check
from services.recorder.recovery.reconcile import reconcile
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.names import ClipPaths
from tests.support.clips import Take, Writing
from tests.support.frames import frames


def saved_event(root: Path) -> tuple[Take, wire.Event]:
    take = Take.of(frames(10))
    clips = ClipsDir(root)
    clips.write_durably(clips.event_file(take.plan.folder), b"{}")
    written = Writing(take, take.over(), root).written()
    clip = hashed(clips, take.plan.folder, written.applied_to(take.event.clips[0]))
    clip = clip.model_copy(update={"state": "ready"})
    clip = restate(clips, take.plan.folder, take.event, clip)
    return take, take.event.model_copy(update={"state": "ready", "clips": (clip,)})


def test_nothing_differs_after_a_clip_was_saved_and_restated(tmp_path: Path) -> None:
    _, event = saved_event(tmp_path)
    assert list(check.differences(ClipsDir(tmp_path), [event])) == []


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda paths: paths.original.unlink(), "cam1.original.mp4: missing, the index lists it as original"),
        (lambda paths: flip_a_byte(paths.original), "cam1.original.mp4: its SHA-256 is not"),
        (lambda paths: flip_a_byte(paths.poster), "cam1.jpg: its SHA-256 is not"),
        (lambda paths: paths.original.write_bytes(b"short"), "cam1.original.mp4: 5 bytes, the index says"),
        (lambda paths: paths.sidecar.write_bytes(b"{}"), "cam1.json: damaged"),
        (lambda paths: paths.sidecar.unlink(), "cam1.json: missing, the index lists it as sidecar"),
        (lambda paths: (paths.folder / "event.json").unlink(), "event.json: missing"),
        (lambda paths: paths.clip_part.write_bytes(b""), "cam1.mp4.part: left behind by a crash"),
        (lambda paths: (paths.folder / "x.txt").write_bytes(b""), "x.txt: not in the index"),
    ],
)
def test_difference_is_named(tmp_path: Path, spoil: Callable[[ClipPaths], object], said: str) -> None:
    take, event = saved_event(tmp_path)
    spoil(take.paths(tmp_path))
    found = list(check.differences(ClipsDir(tmp_path), [event]))
    assert any(said in line for line in found), found


def test_index_that_says_otherwise_than_the_sidecar_is_named(tmp_path: Path) -> None:
    _, event = saved_event(tmp_path)
    other = event.clips[0].model_copy(update={"complete": False})
    found = list(check.differences(ClipsDir(tmp_path), [event.model_copy(update={"clips": (other,)})]))
    assert found == ["2027-01-15/ev1/cam1.json: complete is True, the index says False"]


def test_events_that_are_on_one_side_alone_are_named(tmp_path: Path) -> None:
    take, event = saved_event(tmp_path)
    assert list(check.differences(ClipsDir(tmp_path), [])) == [
        f"{take.plan.folder}: the index does not have this event"
    ]
    found = list(check.differences(ClipsDir(tmp_path / "elsewhere"), [event]))
    assert found == [f"{take.plan.folder}: missing, the index has this event"]


def test_clips_that_are_being_recorded_are_left_out(tmp_path: Path) -> None:
    take = Take.of(frames(10))
    clips = ClipsDir(tmp_path)
    clips.write_durably(clips.event_file(take.plan.folder), b"{}")
    take.paths(tmp_path).original_part.write_bytes(b"being written")
    assert list(check.differences(clips, [take.event])) == []


def run_check(clips_dir: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "services.recorder", "check"],
        env={**os.environ, "PREROLL_RECORDER_CLIPS_DIR": str(clips_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_command_exits_with_0_where_all_is_well_and_1_where_not(tmp_path: Path) -> None:
    take, event = saved_event(tmp_path)
    index = Index.open(tmp_path / "index.sqlite")
    index.put(event)
    index.close()
    assert run_check(tmp_path) == (0, "1 events, 0 differences\n")
    flip_a_byte(take.paths(tmp_path).original)
    code, said = run_check(tmp_path)
    assert code == 1
    assert "cam1.original.mp4: its SHA-256 is not" in said


def test_command_says_that_the_index_is_missing_or_damaged(tmp_path: Path) -> None:
    code, said = run_check(tmp_path)
    assert (code, "index.sqlite: missing" in said) == (1, True)
    (tmp_path / "index.sqlite").write_bytes(b"no database" * 1000)
    code, said = run_check(tmp_path)
    assert (code, "index.sqlite: damaged" in said) == (1, True)
    assert (tmp_path / "index.sqlite").read_bytes() == b"no database" * 1000


def test_nothing_differs_from_an_index_that_was_rebuilt(tmp_path: Path) -> None:
    take, event = saved_event(tmp_path)
    ClipsDir(tmp_path).write_durably(take.paths(tmp_path).folder / "event.json", event.model_dump_json().encode())
    index = Index.open(tmp_path / "index.sqlite")
    reconcile(ClipsDir(tmp_path), index)
    index.close()
    assert run_check(tmp_path) == (0, "1 events, 0 differences\n")


def test_command_calls_no_index_damaged_that_is_of_another_version_or_locked(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    Index.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 2")
    code, said = run_check(tmp_path)
    assert (code, "is of version 2, not 3" in said, "damaged" in said) == (1, True, False)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 3")
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        code, said = run_check(tmp_path)
    assert (code, "not checked" in said, "is locked by" in said, "damaged" in said) == (1, True, True, False)


def test_folder_that_cannot_be_read_is_named_and_the_others_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event = saved_event(tmp_path)
    other = event.model_copy(update={"event_id": "ev2"})
    clips = ClipsDir(tmp_path)
    clips.write_event(ClipsDir.folder_of("ev2", other.triggered_unix_ns), other)

    def failing(clips: ClipsDir, folder: str, event: wire.Event) -> Iterator[str]:
        if event.event_id == "ev2":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return iter(["looked at"])

    monkeypatch.setattr(check, "_event_differences", failing)
    assert list(check.differences(clips, [other, event])) == [
        "2027-01-15/ev2: cannot be read: Permission denied",
        "looked at",
    ]
