"""A clip on disk: what is in the files, by PyAV, by ffprobe and by the bytes."""

import errno
import json
import subprocess
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import pytest

from preroll.clock import NS_PER_S
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.clips import sidecar
from services.recorder.clips.mp4_boxes import measure
from services.recorder.clips.original import read_frames
from services.recorder.clips.result import Failed
from tests.support.clips import UNIX_OFFSET_NS, Take, Writing
from tests.support.clocks import HandClock
from tests.support.disks import FailingDisk, StandingDisk
from tests.support.frames import frames, jpeg
from tests.support.pictures import clock_error_ms, missing_numbers, read_codes
from tests.support.waiting import wait_until


def jitter_ns(index: int) -> int:
    return index * 7_919_017 % 9_000_000


def test_original_holds_the_very_bytes_of_the_camera(tmp_path: Path) -> None:
    take = Take.of(frames(90, jitter_ns=jitter_ns))
    Writing(take, take.over(), tmp_path).written()
    stored = list(read_frames(take.paths(tmp_path).original))
    assert [frame.jpeg for frame in stored] == [bytes(frame.jpeg) for frame in take.frames]


def test_times_are_the_capture_times_to_a_tick(tmp_path: Path) -> None:
    take = Take.of(frames(300, fps=59.94, jitter_ns=jitter_ns, first_ns=123_456_789_012))
    Writing(take, take.over(), tmp_path).written()
    first_ns = take.frames[0].t_ns
    with av.open(str(take.paths(tmp_path).original)) as container:
        assert container.streams.video[0].time_base == Fraction(1, 90_000)
        stored = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stored == [round((frame.t_ns - first_ns) * 90_000 / NS_PER_S) for frame in take.frames]


def test_pictures_carry_every_number_and_the_clock_that_is_drawn(tmp_path: Path) -> None:
    take = Take.of(frames(60, first_seq=1000, jitter_ns=jitter_ns))
    Writing(take, take.over(), tmp_path).written()
    codes = read_codes(take.paths(tmp_path).original)
    assert [code.number for code in codes] == list(range(1000, 1060))
    assert missing_numbers(codes) == []
    assert clock_error_ms(codes) <= 1.1


def test_ffprobe_sees_an_ordinary_mp4_whose_last_frame_lasts(tmp_path: Path) -> None:
    take = Take.of(frames(45, fps=30))
    Writing(take, take.over(), tmp_path).written()
    original = take.paths(tmp_path).original
    assert measure(original).is_closed
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(original)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert probe.stderr == ""
    (stream,) = json.loads(probe.stdout)["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 320, 180)
    assert (stream["nb_frames"], stream["nb_read_frames"]) == ("45", "45")
    assert float(stream["duration"]) == pytest.approx(45 / 30, abs=1e-4)


def test_poster_is_the_frame_in_force_at_the_trigger(tmp_path: Path) -> None:
    take = Take.of(frames(40))
    Writing(take, take.over(), tmp_path).written()
    assert take.paths(tmp_path).poster.read_bytes() == take.frames[20].jpeg


def test_poster_is_the_first_frame_when_all_come_after_the_trigger(tmp_path: Path) -> None:
    take = Take.of(frames(40))
    late = Take(take.frames[30:], take.plan, take.event)
    Writing(late, late.over(), tmp_path).written()
    assert late.paths(tmp_path).poster.read_bytes() == take.frames[30].jpeg


def test_poster_is_the_last_frame_when_none_comes_after_the_trigger(tmp_path: Path) -> None:
    take = Take.of(frames(40))
    early = Take(take.frames[:5], take.plan, take.event)
    Writing(early, early.over(), tmp_path).written()
    assert early.paths(tmp_path).poster.read_bytes() == take.frames[4].jpeg


def test_sidecar_names_every_frame_the_trigger_and_the_holes(tmp_path: Path) -> None:
    first, second = frames(20), frames(20, first_ns=3 * NS_PER_S, run_id="run-b")
    take = Take.of([*first, *second])
    hole = Hole("restarted", first[-1].t_ns, second[0].t_ns, "run-a", 20, None)
    written = Writing(take, take.over([hole]), tmp_path).written()
    document = sidecar.parse(take.paths(tmp_path).sidecar.read_bytes())
    assert document.runs == ("run-a", "run-b")
    assert [(run, seq) for run, seq, _ in document.frames] == [(0, n) for n in range(20)] + [(1, n) for n in range(20)]
    first_ns = take.frames[0].t_ns
    assert [us for _, _, us in document.frames] == [round((frame.t_ns - first_ns) / 1000) for frame in take.frames]
    assert (document.trigger_frame, document.trigger_us) == (20, 2_000_000)
    assert document.first_frame_at == sidecar.rfc3339(first_ns + UNIX_OFFSET_NS)
    assert [(hole.cause, hole.missing, hole.first_seq) for hole in document.holes] == [("restarted", None, 20)]
    assert (
        document.clip.shortfall
        == written.verdict.shortfall
        == ("capture restarted, 1.367 s without a frame, count unknown",)
    )
    assert document.clip.complete is False


def test_whole_clip_is_complete_and_leaves_no_part(tmp_path: Path) -> None:
    take = Take.of(frames(30))
    written = Writing(take, take.over(), tmp_path).written()
    assert written.verdict.is_complete
    assert sorted(path.name for path in take.paths(tmp_path).folder.iterdir()) == [
        "cam1.jpg",
        "cam1.json",
        "cam1.original.mp4",
    ]
    assert {kind: fact.size_bytes for kind, fact in written.files.items()} == {
        kind: path.stat().st_size for kind, path in take.paths(tmp_path).by_kind().items() if path.exists()
    }


def test_frames_that_change_size_are_kept_as_they_came(tmp_path: Path) -> None:
    small = [Frame("run-a", 10 + n, 2 * NS_PER_S + n * 33_000_000, 160, 120, jpeg(10 + n, 160, 120)) for n in range(10)]
    take = Take.of([*frames(10), *small])
    Writing(take, take.over(), tmp_path).written()
    stored = list(read_frames(take.paths(tmp_path).original))
    assert [frame.jpeg for frame in stored] == [bytes(frame.jpeg) for frame in take.frames]


def test_clip_of_one_frame_can_be_read(tmp_path: Path) -> None:
    take = Take.of(frames(1))
    Writing(take, take.over(), tmp_path).written()
    assert len(read_codes(take.paths(tmp_path).original)) == 1


def test_views_of_a_receive_buffer_are_written_as_bytes_are(tmp_path: Path) -> None:
    take = Take.of([msgspec.structs.replace(frame, jpeg=memoryview(bytes(frame.jpeg))) for frame in frames(10)])
    Writing(take, take.over(), tmp_path).written()
    stored = list(read_frames(take.paths(tmp_path).original))
    assert [frame.jpeg for frame in stored] == [bytes(frame.jpeg) for frame in take.frames]


def test_clip_without_a_frame_has_failed_and_says_so(tmp_path: Path) -> None:
    take = Take.of(frames(10))
    empty = Take((), take.plan, take.event)
    outcome = Writing(empty, empty.over(), tmp_path).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.shortfall == ("no frame of the window could be had",)
    assert sidecar.parse(take.paths(tmp_path).sidecar.read_bytes()).clip.state == "failed"
    assert not take.paths(tmp_path).original.exists()


def test_frames_that_come_while_it_writes_are_written(tmp_path: Path) -> None:
    take = Take.of(frames(90))
    recording = take.begun(30)
    writing = Writing(take, recording, tmp_path)
    wait_until(lambda: recording.waiting_frames == 0, 5)
    for frame in take.frames[30:]:
        recording.offer(frame)
    recording.expire(take.plan.window.to_ns + 2 * NS_PER_S)
    assert writing.written().frames == 90


def test_wall_clock_set_while_recording_is_stated_and_moves_nothing(tmp_path: Path) -> None:
    take = Take.of(frames(30))
    clock = HandClock()
    recording = take.begun()
    writing = Writing(take, recording, tmp_path, clock=clock)
    clock.step_wall(-3600)
    recording.expire(take.plan.window.to_ns + 2 * NS_PER_S)
    written = writing.written()
    document = sidecar.parse(take.paths(tmp_path).sidecar.read_bytes())
    assert document.clock.wall_stepped_s == -3600
    assert written.applied_to(take.event.clips[0]).delivered is not None
    assert document.times.delivered_from == document.times.requested_from


def test_saved_soon_after_the_window_is_over(tmp_path: Path) -> None:
    take = Take.of(frames(300))
    recording = take.begun()
    writing = Writing(take, recording, tmp_path)
    wait_until(lambda: recording.waiting_frames == 0, 5)
    began = time.perf_counter()
    recording.expire(take.plan.window.to_ns + 2 * NS_PER_S)
    writing.written()
    assert time.perf_counter() - began < 0.5  # about 10 ms on an idle machine


def test_slow_disk_drops_frames_states_them_and_frees_their_memory(tmp_path: Path) -> None:
    take = Take.of(frames(200))
    backlog = Backlog(60_000)
    recording = take.begun(50, backlog=backlog)
    disk = StandingDisk(stands_from=20)
    writing = Writing(take, recording, tmp_path, disk)
    assert disk.stands.wait(10)
    in_hand_bytes = sum(frame.held_bytes for frame in take.frames[:50])
    dropped = 0
    for frame, leaving in zip(take.frames[50:], take.frames[30:], strict=False):
        recording.offer(frame)
        dropped += recording.leave_ring(leaving.t_ns)
        assert backlog.size_bytes <= max(backlog.max_bytes, in_hand_bytes)
    recording.expire(take.plan.window.to_ns + 2 * NS_PER_S)
    assert recording.dropped == dropped > 0
    disk.go_on()
    written = writing.written()
    assert backlog.size_bytes == 0
    assert written.frames + dropped == 200
    assert written.verdict.lost == dropped
    assert f"{dropped} frames dropped, the disk being too slow" in written.verdict.shortfall
    numbers = [code.number for code in read_codes(take.paths(tmp_path).original)]
    assert sorted(numbers) == numbers
    assert len(numbers) == written.frames


def test_standing_disk_lets_other_clips_be_written(tmp_path: Path) -> None:
    slow, quick = Take.of(frames(60)), Take.of(frames(60), event_id="ev2")
    disk = StandingDisk(stands_from=5)
    standing = Writing(slow, slow.over(), tmp_path / "slow", disk)
    assert disk.stands.wait(10)
    assert Writing(quick, quick.over(), tmp_path / "quick").written().verdict.is_complete
    disk.go_on()
    assert standing.written().verdict.is_complete


class NoThreads(Threads):
    def start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        raise RuntimeError("can't start new thread")


def test_clip_for_which_no_thread_could_be_had_is_written_when_there_is_one(tmp_path: Path) -> None:
    take = Take.of(frames(10))
    writing = Writing(take, take.over(), tmp_path, is_begun=False)
    with pytest.raises(RuntimeError):
        writing.writer.start(NoThreads(Shutdown()))
    writing.writer.start(Threads(Shutdown()))
    assert writing.written().verdict.is_complete


def test_clip_for_which_no_descriptor_is_free_waits_for_one_and_loses_nothing(tmp_path: Path) -> None:
    take = Take.of(frames(60))
    disk = FailingDisk("create", range(1, 3), errno.EMFILE)
    assert Writing(take, take.over(), tmp_path, disk).written().verdict.is_complete
