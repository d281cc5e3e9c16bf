"""`check` finds every difference between the files and what the index says of them, and nothing where all is well."""

from collections.abc import Callable
from pathlib import Path

import pytest

from preroll import wire
from services.recorder import check
from services.recorder.describe import hashed, restate
from services.recorder.files import ClipPaths, ClipsDir
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
