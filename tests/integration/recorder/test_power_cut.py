"""The power is cut: only what was synced is there. At worst; most systems keep more."""

from pathlib import Path

from preroll import wire
from services.recorder.clips import sidecar
from services.recorder.clips.original import read_frames
from services.recorder.recovery.salvage import salvage
from services.recorder.store.files import ClipsDir
from tests.support.clips import Take, Writing
from tests.support.clocks import HandClock
from tests.support.disks import PowerCutDisk, Survivors
from tests.support.frames import frames
from tests.support.waiting import wait_until

COUNT = 30


def clip_after(cut: Survivors, take: Take, root: Path, into: Path) -> wire.Clip:
    cut.lay_out(root, into)
    (clip,) = salvage(ClipsDir(into), take.plan.folder, take.event, HandClock())
    if clip.state == "saved":
        stored = [frame.jpeg for frame in read_frames(take.paths(into).original)]
        assert stored == [bytes(frame.jpeg) for frame in take.frames[: len(stored)]]
        document = sidecar.parse(take.paths(into).sidecar.read_bytes())
        assert [seq for _, seq, _ in document.frames] == list(range(len(stored)))
    return clip


def accepted(take: Take, root: Path, disk: PowerCutDisk) -> None:
    """As the recorder does before it answers a trigger."""
    root.mkdir()
    clips = ClipsDir(root, disk)
    clips.write_durably(clips.event_file(take.plan.folder), b"{}")


def test_power_cut_at_any_moment_leaves_the_accepted_event_and_whole_frames(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    disk, root = PowerCutDisk(), tmp_path / "clips"
    accepted(take, root, disk)
    accepted_at = len(disk.cuts)
    Writing(take, take.over(), root, disk).written()
    states = []
    for number, cut in enumerate(disk.cuts[accepted_at:]):
        into = tmp_path / str(number)
        states.append(clip_after(cut, take, root, into).state)
        assert (into / take.plan.folder / "event.json").read_bytes() == b"{}"
    assert "saved" in states
    first_saved = states.index("saved")
    assert set(states[first_saved:]) == {"saved"}


def test_power_cut_after_saved_costs_nothing(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    disk, root = PowerCutDisk(), tmp_path / "clips"
    accepted(take, root, disk)
    written = Writing(take, take.over(), root, disk).written()
    clip = clip_after(disk.now, take, root, tmp_path / "after")
    assert clip.complete is True
    assert clip.delivered == written.applied_to(take.event.clips[0]).delivered
    assert take.paths(tmp_path / "after").poster.read_bytes() == take.frames[COUNT // 2].jpeg


def test_power_cut_while_recording_keeps_what_was_written_before_the_last_sync(tmp_path: Path) -> None:
    take = Take.of(frames(3 * COUNT))
    disk, root = PowerCutDisk(), tmp_path / "clips"
    accepted(take, root, disk)
    recording = take.begun(2 * COUNT)
    writing = Writing(take, recording, root, disk)
    wait_until(lambda: recording.waiting_frames == 0, 5)
    written_at = disk.calls["sync_data"]
    wait_until(lambda: disk.calls["sync_data"] >= written_at + 6, 5)  # two files: three whole rounds
    cut = disk.now.copy()
    recording.end("the test is over")
    writing.written()
    clip = clip_after(cut, take, root, tmp_path / "after")
    assert clip.delivered is not None
    assert clip.delivered.frames >= 2 * COUNT - 2
