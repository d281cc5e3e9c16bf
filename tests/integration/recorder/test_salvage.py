"""Parts that were cut anywhere, journals that are gone, sidecars that are damaged."""

import errno
import itertools
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import msgspec
import pytest

from preroll import wire
from services.recorder.clips import original, sidecar
from services.recorder.clips.describe import UNKNOWN_RUN, hashed, restate
from services.recorder.clips.mp4_boxes import measure
from services.recorder.clips.original import OriginalWriter, StoredFrame, read_frames, ticks
from services.recorder.clips.repair import reclaim, size_of
from services.recorder.events import clip_life
from services.recorder.recovery import salvage as salvage_module
from services.recorder.recovery.salvage import found_ready, salvage, salvage_again
from services.recorder.store.files import ClipsDir
from tests.support.clips import Take, Writing
from tests.support.clocks import HandClock
from tests.support.disks import FailingDisk, FullDisk
from tests.support.frames import frames, jpeg

COUNT = 12


def leave_part(take: Take, root: Path) -> Path:
    """An original that nobody closed, with all but the last frame."""
    clips = ClipsDir(root)
    paths = take.paths(root)
    clips.make_folder(paths.folder)
    writer = OriginalWriter(clips.disk, paths.original_part, 320, 180)
    for frame in take.frames:
        writer.write(frame.jpeg, ticks(frame.t_ns - take.frames[0].t_ns))
    kept = shutil.copyfile(paths.original_part, root / "kept")
    writer.abandon()
    kept.replace(paths.original_part)
    return paths.original_part


def test_part_cut_at_any_byte_gives_its_whole_frames(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    paths = take.paths(tmp_path)
    whole = leave_part(take, tmp_path).read_bytes()
    counts = []
    for size_bytes in range(0, len(whole) + 1, 371):
        paths.original_part.write_bytes(whole[:size_bytes])
        counts.append(reclaim(ClipsDir(tmp_path), paths))
        if counts[-1]:
            stored = [frame.jpeg for frame in read_frames(paths.original)]
            assert stored == [bytes(frame.jpeg) for frame in take.frames[: counts[-1]]]
            assert measure(paths.original).is_closed
            paths.original.unlink()
        assert not paths.original_part.exists()
    assert counts == sorted(counts)
    assert set(counts) >= set(range(COUNT - 2))


def test_part_is_cut_in_place_where_there_is_no_space_to_write_it_anew(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    paths = take.paths(tmp_path)
    part = leave_part(take, tmp_path)
    part.write_bytes(part.read_bytes()[:-700])
    count = reclaim(ClipsDir(tmp_path, FullDisk(0)), paths)
    stored = [frame.jpeg for frame in read_frames(paths.original)]
    assert len(stored) == count >= COUNT - 4
    assert stored == [bytes(frame.jpeg) for frame in take.frames[:count]]
    assert not paths.salvaged_part.exists()


def test_zeros_at_the_end_after_a_power_cut_are_left_out(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    paths = take.paths(tmp_path)
    part = leave_part(take, tmp_path)
    data = part.read_bytes()
    part.write_bytes(data[:-1000] + bytes(1000))
    count = reclaim(ClipsDir(tmp_path), paths)
    assert COUNT - 4 <= count < COUNT
    assert [frame.jpeg for frame in read_frames(paths.original)] == [bytes(f.jpeg) for f in take.frames[:count]]


@pytest.mark.parametrize("rubbish", [b"", b"\0" * 5000, b"not a film at all " * 100, b"\0\0\0\x08ftyp" * 50])
def test_part_without_a_frame_is_a_failed_clip(tmp_path: Path, rubbish: bytes) -> None:
    take = Take.of(frames(COUNT))
    leave_part(take, tmp_path).write_bytes(rubbish)
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert clip.state == "failed"
    assert clip.complete is False
    assert sorted(path.name for path in take.paths(tmp_path).folder.iterdir()) == ["cam1.json"]


def test_clip_of_which_nothing_was_written_is_a_failed_clip(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert (clip.state, clip.shortfall[-1]) == ("failed", "the recorder was ended while recording")


def test_part_without_journal_keeps_times_and_says_that_numbers_are_unknown(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    leave_part(take, tmp_path)
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    document = sidecar.parse(take.paths(tmp_path).sidecar.read_bytes())
    assert document.runs == (UNKNOWN_RUN,)
    expected = [round((frame.t_ns - take.frames[0].t_ns) / 1000) for frame in take.frames]
    stored = [us for _, _, us in document.frames]
    assert all(abs(ours - theirs) <= 12 for ours, theirs in zip(stored, expected, strict=False))  # 1/90000 s
    assert clip.delivered is not None
    assert clip.delivered.frames >= COUNT - 2


def test_part_that_cannot_be_saved_is_kept_for_a_better_day(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    part = leave_part(take, tmp_path)
    disk = FailingDisk("replace", range(1, 1000))
    (clip,) = salvage(ClipsDir(tmp_path, disk), take.plan.folder, take.event, HandClock())
    assert clip.state == "failed"
    assert "the disk failed" in clip.shortfall[0]
    assert part.exists()


def test_stray_parts_of_other_clips_are_removed(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    Writing(take, take.over(), tmp_path).written()
    paths = take.paths(tmp_path)
    paths.clip_part.write_bytes(b"half a rendition")
    saved = take.event.clips[0].model_copy(update={"state": "saved"})
    event = take.event.model_copy(update={"clips": (saved,)})
    assert salvage(ClipsDir(tmp_path), take.plan.folder, event, HandClock()) == ()
    assert not paths.clip_part.exists()
    assert paths.original.exists()


def make_ready(take: Take, root: Path) -> wire.Clip:
    """The clip once its rendition is on disk and its sidecar says so; the original is still there."""
    written = Writing(take, take.over(), root).written()
    clips, paths = ClipsDir(root), take.paths(root)
    shutil.copyfile(paths.original, paths.clip)
    saved = written.applied_to(take.event.clips[0])
    files = {kind: fact for kind, fact in saved.files.items() if kind != "original"} | {
        "clip": clips.hashed_fact(paths.clip)
    }
    ready = saved.model_copy(update={"state": "ready", "files": files, "ready_after_s": 0.4})
    return restate(clips, take.plan.folder, take.event, ready)


@pytest.mark.parametrize("known", ["saved", "recording"])
@pytest.mark.parametrize("is_original_gone", [False, True])
def test_clip_that_became_ready_before_the_index_knew_is_ready(
    tmp_path: Path, known: wire.ClipState, is_original_gone: bool
) -> None:
    take = Take.of(frames(COUNT))
    ready = make_ready(take, tmp_path)
    clips, paths, folder = ClipsDir(tmp_path), take.paths(tmp_path), take.plan.folder
    if is_original_gone:
        paths.original.unlink()
    if known == "saved":
        found = found_ready(clips, folder, ready.model_copy(update={"state": known}))
    else:
        (found,) = salvage(clips, folder, take.event, HandClock())
    assert found == ready
    assert not paths.original.exists()


def test_clip_whose_rendition_is_not_there_is_not_found_ready(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    ready = make_ready(take, tmp_path)
    clips, paths, folder = ClipsDir(tmp_path), take.paths(tmp_path), take.plan.folder
    paths.clip.unlink()
    assert found_ready(clips, folder, ready.model_copy(update={"state": "saved"})) is None
    (clip,) = salvage(clips, folder, take.event, HandClock())
    assert (clip.state, clip.complete) == ("saved", True)
    assert paths.original.exists()


def test_original_stays_where_the_rendition_is_not_the_one_that_the_sidecar_describes(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    ready = make_ready(take, tmp_path)
    clips, paths, folder = ClipsDir(tmp_path), take.paths(tmp_path), take.plan.folder
    whole = paths.clip.read_bytes()
    for spoilt in (b"", whole[:-100], bytes(len(whole))):
        paths.clip.write_bytes(spoilt)
        assert found_ready(clips, folder, ready.model_copy(update={"state": "saved"})) is None
        (clip,) = salvage(clips, folder, take.event, HandClock())
        assert (clip.state, paths.original.exists()) == ("saved", True)


def without_descriptors(do: Callable[[], object]) -> object:
    """What `do` gives while the process can open no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    held: list[int] = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return do()
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_part_that_cannot_be_read_for_want_of_descriptors_is_kept(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    part = leave_part(take, tmp_path)
    data = part.read_bytes()
    clips = ClipsDir(tmp_path)
    clip = without_descriptors(lambda: salvage(clips, take.plan.folder, take.event, HandClock()))[0]  # type: ignore[index]
    assert clip.state == "failed"
    assert "Too many open files" in clip.shortfall[0]
    assert part.read_bytes() == data
    failed = clip_life.with_clips(take.event, clip)
    again = without_descriptors(lambda: salvage_again(clips, take.plan.folder, failed, clip, HandClock()))
    assert (again, part.read_bytes()) == (None, data)
    now = salvage_again(clips, take.plan.folder, failed, clip, HandClock())
    assert now is not None
    assert (now.state, now.delivered is not None, part.exists()) == ("saved", True, False)
    assert now.shortfall[-1] == "the recorder was ended while recording"


def test_failure_that_is_settled_is_not_salvaged_again(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    clips = ClipsDir(tmp_path)
    (clip,) = salvage(clips, take.plan.folder, take.event, HandClock())
    assert clip.state == "failed"
    assert salvage_again(clips, take.plan.folder, clip_life.with_clips(take.event, clip), clip, HandClock()) is None
    without = clip_life.with_files(clip, {})
    assert salvage_again(clips, take.plan.folder, take.event, without, HandClock()) is None


@pytest.mark.parametrize("after", [0, 5])
def test_part_that_the_disk_does_not_give_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    take = Take.of(frames(COUNT))
    part = leave_part(take, tmp_path)
    data = part.read_bytes()

    def failing(path: Path) -> Iterator[StoredFrame]:
        yield from itertools.islice(read_frames(path), after)
        original._raise_if_of_the_system(path, av.error.OSError(errno.EIO, "Input/output error", str(path)))

    with monkeypatch.context() as patched:
        patched.setattr("services.recorder.clips.repair.read_frames", failing)
        (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert (clip.state, part.read_bytes()) == ("failed", data)
    assert not take.paths(tmp_path).salvaged_part.exists()


def test_part_with_pictures_that_is_no_film_any_more_is_kept(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    part = leave_part(take, tmp_path)
    headless = bytes(1000) + part.read_bytes()[1000:]
    part.write_bytes(headless)
    clips = ClipsDir(tmp_path)
    for _ in range(2):
        (clip,) = salvage(clips, take.plan.folder, take.event, HandClock())
        assert (clip.state, part.read_bytes()) == ("failed", headless)
    failed = take.event.model_copy(update={"clips": (clip,)})
    assert salvage(clips, take.plan.folder, failed, HandClock()) == ()
    assert part.read_bytes() == headless


def test_half_written_record_of_the_event_goes(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    leave_part(take, tmp_path)
    part = take.paths(tmp_path).folder / "event.json.part"
    part.write_bytes(b"{")
    salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert not part.exists()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    written = Writing(take, take.over(), tmp_path).written()
    folder = take.paths(tmp_path).folder
    mine = [folder / name for name in ("notes.part", "cam9.mp4.part", "download.zip.part")]
    for path in mine:
        path.write_bytes(b"mine")
    saved = written.applied_to(take.event.clips[0])
    salvage(ClipsDir(tmp_path), take.plan.folder, take.event.model_copy(update={"clips": (saved,)}), HandClock())
    assert all(path.read_bytes() == b"mine" for path in mine)


def test_one_clip_that_cannot_be_judged_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Take.of(frames(COUNT))
    leave_part(take, tmp_path)
    other = take.event.clips[0].model_copy(update={"camera_id": "cam2"})
    event = take.event.model_copy(update={"clips": (other, *take.event.clips)})
    judge = salvage_module._salvaged

    def failing(clips: ClipsDir, folder: str, event: wire.Event, clip: wire.Clip, clock: HandClock) -> wire.Clip:
        if clip.camera_id == "cam2":
            raise RuntimeError("a bug")
        return judge(clips, folder, event, clip, clock)

    monkeypatch.setattr(salvage_module, "_salvaged", failing)
    states = {clip.camera_id: clip.state for clip in salvage(ClipsDir(tmp_path), take.plan.folder, event, HandClock())}
    assert states == {"cam1": "saved", "cam2": "failed"}


def test_saved_clip_is_not_found_ready(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    written = Writing(take, take.over(), tmp_path).written()
    clip = written.applied_to(take.event.clips[0])
    assert found_ready(ClipsDir(tmp_path), take.plan.folder, clip) is None
    assert take.paths(tmp_path).original.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"v":1}', b"\xff\xfe"])
def test_damaged_sidecar_is_described_anew_from_the_film(tmp_path: Path, damage: bytes) -> None:
    take = Take.of(frames(COUNT))
    written = Writing(take, take.over(), tmp_path).written()
    paths = take.paths(tmp_path)
    paths.sidecar.write_bytes(damage)
    clips = ClipsDir(tmp_path)
    clip = hashed(clips, take.plan.folder, written.applied_to(take.event.clips[0]))
    clip = restate(clips, take.plan.folder, take.event, clip)
    document = sidecar.parse(paths.sidecar.read_bytes())
    assert len(document.frames) == COUNT
    assert document.clip == sidecar.without_sidecar(clip)


@pytest.mark.parametrize("damage", [b"", b'{"v":2}', None])
def test_ready_clip_that_neither_index_nor_sidecar_knows_is_ready_and_not_complete(
    tmp_path: Path, damage: bytes | None
) -> None:
    take = Take.of(frames(COUNT))
    make_ready(take, tmp_path)
    paths = take.paths(tmp_path)
    paths.original.unlink()
    film = paths.clip.read_bytes()
    paths.sidecar.unlink() if damage is None else paths.sidecar.write_bytes(damage)
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert (clip.state, clip.complete, clip.shortfall[-1]) == ("ready", False, salvage_module.UNDESCRIBED)
    assert clip.delivered is not None
    assert (clip.delivered.frames, paths.clip.read_bytes()) == (COUNT, film)
    assert sidecar.parse(paths.sidecar.read_bytes()).clip == sidecar.without_sidecar(clip)
    kept = paths.sidecar.with_name("cam1.json.damaged")
    assert (kept.read_bytes() if kept.exists() else None) == damage


def test_sidecar_of_another_event_describes_no_clip_here(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    make_ready(take, tmp_path)
    paths = take.paths(tmp_path)
    paths.original.unlink()
    own = paths.sidecar.read_bytes()
    paths.sidecar.write_bytes(own.replace(take.event.event_id.encode(), b"another"))
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert (clip.state, clip.complete, clip.shortfall[-1]) == ("ready", False, salvage_module.UNDESCRIBED)


def test_original_that_nothing_describes_is_not_called_complete(tmp_path: Path) -> None:
    take = Take.of(frames(COUNT))
    Writing(take, take.over(), tmp_path).written()
    take.paths(tmp_path).sidecar.write_bytes(b"{")
    (clip,) = salvage(ClipsDir(tmp_path), take.plan.folder, take.event, HandClock())
    assert (clip.state, clip.complete, clip.shortfall[-1]) == ("saved", False, salvage_module.UNDESCRIBED)


def test_size_of_a_jpeg_is_read_from_its_header() -> None:
    assert size_of(jpeg(1, 640, 360)) == (640, 360)
    assert size_of(b"\xff\xd8\xff\xd9") == (16, 16)
    assert size_of(b"") == (16, 16)


def test_camera_padding_behind_a_picture_does_not_hide_it(tmp_path: Path) -> None:
    padded = [msgspec.structs.replace(frame, jpeg=bytes(frame.jpeg) + bytes(1000)) for frame in frames(COUNT)]
    take = Take.of(padded)
    Writing(take, take.over(), tmp_path).written()
    assert len(list(read_frames(take.paths(tmp_path).original))) == COUNT
