"""The N-th write, sync or rename fails; the disk is full: what is on disk is kept, the rest is stated, nothing hangs."""

import errno
from pathlib import Path

import pytest

from services.recorder.clips import sidecar
from services.recorder.clips.mp4_boxes import measure
from services.recorder.clips.original import read_frames
from services.recorder.clips.result import Failed, Written
from services.recorder.store.files import ClipsDir
from tests.support.clips import Take, Writing
from tests.support.disks import Call, FailingDisk, FullDisk
from tests.support.frames import frames

COUNT = 30
CALLS: list[Call] = ["create", "write", "sync", "sync_data", "sync_folder", "replace"]


def check_outcome(take: Take, root: Path, outcome: Written | Failed) -> None:
    """What must hold whatever failed: the file has the first frames, untouched, and every other one is stated lost."""
    paths = take.paths(root)
    if isinstance(outcome, Failed):
        assert outcome.shortfall
        assert not paths.original.exists()
        return
    stored = [frame.jpeg for frame in read_frames(paths.original)]
    assert stored == [bytes(frame.jpeg) for frame in take.frames[: outcome.frames]]
    assert outcome.frames + outcome.verdict.lost == len(take.frames)
    assert outcome.verdict.is_complete == (outcome.frames == len(take.frames))
    assert measure(paths.original).size_bytes == paths.original.stat().st_size
    for fact in outcome.files.values():
        assert (root / fact.path).stat().st_size == fact.size_bytes
    if "sidecar" in outcome.files:
        document = sidecar.parse(paths.sidecar.read_bytes())
        assert len(document.frames) == outcome.frames
        assert document.clip.shortfall == outcome.verdict.shortfall


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_one_failed_call_costs_no_frame_that_is_not_stated(tmp_path: Path, call: Call, error: int) -> None:
    take = Take.of(frames(COUNT))
    for number in range(1, 60):
        root = tmp_path / str(number)
        disk = FailingDisk(call, range(number, number + 1), error)
        outcome = Writing(take, take.over(), root, disk).outcome()
        check_outcome(take, root, outcome)
        if disk.calls[call] < number:
            break  # there is no such call any more: all of them have failed once


@pytest.mark.parametrize("call", CALLS)
def test_disk_that_fails_for_good_ends_the_clip_with_what_it_has(tmp_path: Path, call: Call) -> None:
    take = Take.of(frames(COUNT))
    for number in range(1, 60):
        root = tmp_path / str(number)
        disk = FailingDisk(call, range(number, 1_000_000))
        check_outcome(take, root, Writing(take, take.over(), root, disk).outcome())
        if disk.calls[call] < number:
            break


def test_failed_disk_frees_the_memory_of_frames_that_still_come(tmp_path: Path) -> None:
    take = Take.of(frames(100))
    recording = take.begun(40)
    outcome = Writing(take, recording, tmp_path, FailingDisk("write", range(10, 1_000_000))).outcome()
    assert recording.is_over
    for frame in take.frames[40:]:
        recording.offer(frame)
    assert recording.waiting_frames == 0
    check_outcome(Take(take.frames[:40], take.plan, take.event), tmp_path, outcome)


def test_full_disk_ends_the_clip_playable_and_says_so(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    total = sum(len(frame.jpeg) for frame in take.frames)
    disk = FullDisk(free_bytes=total // 2)
    written = Writing(take, take.over(), tmp_path, disk).written()
    check_outcome(take, tmp_path, written)
    assert COUNT // 3 < written.frames < COUNT
    assert any("taken, but not on disk" in text for text in written.verdict.shortfall)
    assert any(
        text.startswith("the disk is full: cannot write cam1.original.mp4.part") for text in written.verdict.shortfall
    )


def test_next_clip_is_whole_when_space_has_come_back(tmp_path: Path) -> None:
    first, second = Take.of(frames(COUNT)), Take.of(frames(COUNT), event_id="ev2")
    disk = FullDisk(free_bytes=20_000)
    Writing(first, first.over(), tmp_path, disk).outcome()
    disk.make_space(1 << 30)
    assert Writing(second, second.over(), tmp_path, disk).written().verdict.is_complete


def test_failed_background_sync_is_not_forgotten(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    recording = take.begun(10)
    disk = FailingDisk("sync_data", range(1, 1_000_000))
    writing = Writing(take, recording, tmp_path, disk)
    recording_ended = writing  # the syncer meets the failure; the next write must fail, not succeed on lost pages
    for frame in take.frames[10:]:
        recording.offer(frame)
    recording.expire(take.plan.window.to_ns + 2_000_000_000)
    check_outcome(take, tmp_path, recording_ended.outcome())


@pytest.mark.parametrize("call", ["create", "write", "sync", "replace"])
def test_file_is_replaced_whole_or_not_at_all(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "event.json"
    ClipsDir(tmp_path).write_durably(path, b"before")
    with pytest.raises(Exception, match="the disk failed"):
        ClipsDir(tmp_path, FailingDisk(call, range(1, 100))).write_durably(path, b"after")
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["event.json"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errno.ENOMEM, "the system has no memory left"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ESTALE, "the network file system has lost the file"),
    ],
)
def test_clip_states_the_cause_that_ended_it(tmp_path: Path, error: int, cause: str) -> None:
    take = Take.of(frames(COUNT))
    written = Writing(take, take.over(), tmp_path, FailingDisk("write", range(10, 1_000_000), error)).outcome()
    stated = written.verdict.shortfall if isinstance(written, Written) else written.shortfall
    assert any(line.startswith(f"{cause}: cannot write cam1.") for line in stated), stated
    assert not any("the disk failed" in line for line in stated)
