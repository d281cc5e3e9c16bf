"""kill -9 at every call of the disk and in the middle of a live clip: what was written is there after the salvage."""

import subprocess
import sys
from pathlib import Path

import pytest

from preroll import wire
from services.recorder.clips import sidecar
from services.recorder.clips.mp4_boxes import measure
from services.recorder.clips.original import read_frames
from services.recorder.recovery.salvage import ENDED, salvage
from services.recorder.store.files import ClipsDir
from tests.support.clips import Take
from tests.support.clocks import HandClock
from tests.support.frames import frames
from tests.support.pictures import read_codes

COUNT = 30
LIVE_COUNT = 240
FPS = 30
# Not yet in the file is what gathers for a quarter of a second and the two newest frames: about ten. On a machine that is
# busy with other tests the writer may come later; docs/durability.md has the figures of an idle one.
LIVE_LOSS_MAX = FPS


def run_until_killed(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.recorder.killing", *arguments], check=True, timeout=60
    )


def salvaged(take: Take, root: Path) -> wire.Clip:
    (clip,) = salvage(ClipsDir(root), take.plan.folder, take.event, HandClock())
    return clip


def check_salvaged(take: Take, root: Path, clip: wire.Clip) -> int:
    """What must hold wherever the kill came; how many frames were saved."""
    paths = take.paths(root)
    assert not [path.name for path in paths.folder.glob("*.part")]
    if clip.state == "failed":
        assert clip.shortfall
        assert not paths.original.exists()
        return 0
    assert clip.state == "saved"
    stored = [frame.jpeg for frame in read_frames(paths.original)]
    assert stored == [bytes(frame.jpeg) for frame in take.frames[: len(stored)]]
    assert measure(paths.original).is_closed
    document = sidecar.parse(paths.sidecar.read_bytes())
    assert [seq for _, seq, _ in document.frames] == list(range(len(stored)))
    assert clip.delivered is not None
    assert clip.delivered.frames == len(stored)
    assert clip.complete == (len(stored) == len(take.frames) and not clip.shortfall)
    assert document.clip.shortfall == clip.shortfall
    if len(stored) < len(take.frames):
        assert ENDED in clip.shortfall
    return len(stored)


def test_killed_at_every_call_of_the_disk_nothing_written_is_lost(tmp_path: Path) -> None:
    run_until_killed("points", str(tmp_path), str(COUNT))
    take = Take.of(frames(COUNT))
    saved = []
    for number in range(1, len(list(tmp_path.iterdir())) + 1):
        root = tmp_path / str(number)
        saved.append(check_salvaged(take, root, salvaged(take, root)))
    assert len(saved) > 20
    assert saved[0] == 0
    assert saved[-1] == COUNT
    assert set(range(2, COUNT)) <= set(saved), "a kill between two frames costs no frame before them"


def test_salvaged_clip_has_its_poster(tmp_path: Path) -> None:
    run_until_killed("points", str(tmp_path), str(COUNT))
    take = Take.of(frames(COUNT))
    for folder in tmp_path.iterdir():
        clip = salvaged(take, folder)
        if clip.state == "saved":
            assert clip.delivered is not None
            nearest = take.frames[min(COUNT // 2, clip.delivered.frames - 1)]
            # The very trigger frame may have been put on disk before the film got that far.
            assert take.paths(folder).poster.read_bytes() in (nearest.jpeg, take.frames[COUNT // 2].jpeg)


@pytest.mark.parametrize("kill_at", [1, 40, 111])
def test_live_clip_killed_loses_the_newest_frames_alone(tmp_path: Path, kill_at: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.recorder.killing", "live", str(tmp_path), str(LIVE_COUNT)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    handed_over = 0
    for line in process.stdout:
        handed_over = int(line) + 1
        if handed_over > kill_at:
            break
    process.kill()
    handed_over = max([handed_over, *(int(line) + 1 for line in process.stdout)])
    process.wait()
    process.stdout.close()
    take = Take.of(frames(LIVE_COUNT))
    clip = salvaged(take, tmp_path)
    saved = check_salvaged(take, tmp_path, clip)
    assert saved >= handed_over - LIVE_LOSS_MAX
    if saved:
        assert [code.number for code in read_codes(take.paths(tmp_path).original)] == list(range(saved))


def test_salvage_after_salvage_changes_nothing(tmp_path: Path) -> None:
    run_until_killed("points", str(tmp_path), "5")
    take = Take.of(frames(5))
    for folder in tmp_path.iterdir():
        first = salvaged(take, folder)
        second = salvaged(take, folder)
        assert (second.state, second.delivered, second.complete) == (first.state, first.delivered, first.complete)
        assert second.shortfall == first.shortfall
