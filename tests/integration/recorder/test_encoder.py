"""Renditions: their times, sizes, colours, and what becomes of what cannot be decoded."""

import itertools
import random
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from services.recorder.clips.original import Unreadable
from services.recorder.renditions.encoder import EncoderUnusable, Rendition, probe, render
from services.recorder.renditions.jobs import Encoding
from services.recorder.store.disk import StorageFull
from tests.support.disks import FullDisk
from tests.support.frames import jpeg as coded_jpeg
from tests.support.originals import Picture, colour_card, jpeg_of, mean_difference, picture_of, write_original
from tests.support.pictures import read_code

ENCODING = Encoding("libx264", "superfast", 18, threads=0)
DIFFERENCE_MAX = 3.0


def rendered(tmp_path: Path, encoding: Encoding = ENCODING) -> tuple[Rendition, Path]:
    part = tmp_path / "clip.mp4.part"
    return render(tmp_path / "original.mp4", part, encoding), part


def frames_of(path: Path) -> list[VideoFrame]:
    with av.open(str(path), format="mov") as container:
        return list(container.decode(video=0))


def shown_by(frame: VideoFrame) -> Picture:
    """The frame as BGR."""
    return frame.to_ndarray(format="bgr24").astype(np.uint8)


def by_ffmpeg(path: Path, width: int, height: int) -> Picture:
    """The first frame of the film as the ffmpeg command shows it, BGR."""
    command = ["ffmpeg", "-loglevel", "error", "-f", "mov", "-i", str(path), "-frames:v", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def test_times_and_durations_are_those_of_the_original(tmp_path: Path) -> None:
    rng = random.Random(7)
    times = list(itertools.accumulate((rng.randrange(1, 6000) for _ in range(90)), initial=0))
    write_original(tmp_path / "original.mp4", [coded_jpeg(number) for number in range(len(times))], times, (320, 180))
    rendition, part = rendered(tmp_path)
    assert (rendition.frames, rendition.undecodable) == (len(times), 0)
    with av.open(str(tmp_path / "original.mp4")) as original, av.open(str(part), format="mov") as clip:
        before = [(p.pts, p.duration) for p in original.demux(video=0) if p.size]
        after = [(p.pts, p.dts, p.duration) for p in clip.demux(video=0) if p.size]
        assert clip.streams.video[0].time_base == Fraction(1, 90_000)
    assert [pts for pts, _, _ in after] == times
    assert [dts for _, dts, _ in after] == times, "no B-frames"
    assert [duration for _, _, duration in after] == [duration for _, duration in before]


def test_pictures_come_in_order_each_once(tmp_path: Path) -> None:
    write_original(tmp_path / "original.mp4", [coded_jpeg(number) for number in range(60)], size=(320, 180))
    _, part = rendered(tmp_path)
    assert [read_code(shown_by(frame))[0] for frame in frames_of(part)] == list(range(60))


@pytest.mark.parametrize("fps", [5, 30, 60])
def test_a_player_finds_a_keyframe_every_second(tmp_path: Path, fps: int) -> None:
    times = [number * 90_000 // fps for number in range(4 * fps)]
    write_original(tmp_path / "original.mp4", [coded_jpeg(number) for number in range(4 * fps)], times, (320, 180))
    _, part = rendered(tmp_path)
    with av.open(str(part), format="mov") as clip:
        keys = [p.pts for p in clip.demux(video=0) if p.size and p.is_keyframe and p.pts is not None]
    assert keys[0] == 0
    assert all(after - before <= 90_000 for before, after in itertools.pairwise([*keys, times[-1]])), keys
    assert len(keys) <= 8, "one a second, and where the scene changes"


def test_clip_is_tagged_for_players(tmp_path: Path) -> None:
    write_original(tmp_path / "original.mp4", [jpeg_of(colour_card())] * 3)
    _, part = rendered(tmp_path)
    shown = subprocess.run(
        ["ffprobe", "-loglevel", "error", "-f", "mov", "-show_streams", str(part)],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout.splitlines()  # fmt: skip
    for fact in (
        "codec_name=h264", "pix_fmt=yuv420p", "color_range=tv", "color_space=smpte170m", "color_primaries=bt709",
        "color_transfer=bt709", "has_b_frames=0",
    ):  # fmt: skip
        assert fact in shown


@pytest.mark.parametrize("sampling", ["4:2:0", "4:2:2", "4:4:4", "4:4:0"])
def test_colours_are_right_as_decoded_by_ffmpeg(tmp_path: Path, sampling: str) -> None:
    jpeg = jpeg_of(colour_card(), sampling)
    write_original(tmp_path / "original.mp4", [jpeg] * 5)
    _, part = rendered(tmp_path)
    differences = mean_difference(by_ffmpeg(part, 640, 360), picture_of(jpeg))
    assert max(differences) < DIFFERENCE_MAX, differences


def test_grey_jpeg_is_right(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (360, 1))
    jpeg = jpeg_of(ramp)
    write_original(tmp_path / "original.mp4", [jpeg] * 5)
    _, part = rendered(tmp_path)
    shown = by_ffmpeg(part, 640, 360)
    assert max(mean_difference(shown, picture_of(jpeg))) < DIFFERENCE_MAX
    assert np.ptp(shown.astype(int), axis=2).max() <= 4, "grey has no colour"


def test_sampling_that_changes_inside_a_clip_is_right(tmp_path: Path) -> None:
    grey = np.full((360, 640), 90, np.uint8)
    jpegs = [
        jpeg_of(colour_card(), "4:2:0"),
        jpeg_of(colour_card(), "4:4:4"),
        jpeg_of(grey),
        jpeg_of(colour_card(), "4:2:2"),
    ]
    write_original(tmp_path / "original.mp4", jpegs)
    _, part = rendered(tmp_path)
    for frame, jpeg in zip(frames_of(part), jpegs, strict=True):
        assert max(mean_difference(shown_by(frame), picture_of(jpeg))) < DIFFERENCE_MAX


@pytest.mark.parametrize(("width", "height"), [(641, 361), (639, 360), (640, 359), (17, 9)])
def test_odd_size_loses_a_line_or_column_and_nothing_else(tmp_path: Path, width: int, height: int) -> None:
    jpeg = jpeg_of(colour_card(width, height), "4:4:4")
    write_original(tmp_path / "original.mp4", [jpeg] * 3, size=(width, height))
    rendition, part = rendered(tmp_path)
    assert (rendition.width, rendition.height) == (width & ~1, height & ~1)
    shown = by_ffmpeg(part, rendition.width, rendition.height)
    wanted = picture_of(jpeg)[: rendition.height, : rendition.width]
    # In a picture of a few pixels nearly every one lies on an edge between colours, which 4:2:0 blurs.
    assert max(mean_difference(shown, wanted)) < (DIFFERENCE_MAX if width > 100 else 40)


def test_picture_of_another_size_is_letterboxed(tmp_path: Path) -> None:
    white = np.full((480, 480, 3), 255, np.uint8)
    jpegs = [
        jpeg_of(colour_card()),
        jpeg_of(white),
        jpeg_of(np.full((240, 1280, 3), 255, np.uint8)),
        jpeg_of(colour_card()),
    ]
    write_original(tmp_path / "original.mp4", jpegs)
    rendition, part = rendered(tmp_path)
    assert (rendition.frames, rendition.width, rendition.height) == (4, 640, 360)
    shown = [shown_by(frame) for frame in frames_of(part)]
    assert all(picture.shape == (360, 640, 3) for picture in shown)
    assert shown[1][:, 145:495].min() > 240, "the square fills the height"
    assert max(shown[1][:, :130].max(), shown[1][:, 510:].max()) < 20, "with black beside it"
    assert shown[2][125:235].min() > 240, "the wide one fills the width"
    assert max(shown[2][:110].max(), shown[2][250:].max()) < 20, "with black above and below"
    assert max(mean_difference(shown[3], picture_of(jpegs[3]))) < DIFFERENCE_MAX


@pytest.mark.parametrize("corrupt", [[0], [10], [10, 11, 12], [28], [29], [0, 1, 28, 29]])
def test_frame_that_cannot_be_decoded_is_left_out_alone(tmp_path: Path, corrupt: list[int]) -> None:
    jpegs = [coded_jpeg(number) for number in range(30)]
    for number in corrupt:
        jpegs[number] = b"\xff\xd8\xff\xe0" + bytes(400) + b"\xff\xd9"
    write_original(tmp_path / "original.mp4", jpegs, size=(320, 180))
    rendition, part = rendered(tmp_path)
    good = [number for number in range(30) if number not in corrupt]
    assert (rendition.frames, rendition.undecodable) == (len(good), len(corrupt))
    frames = frames_of(part)
    assert [read_code(shown_by(frame))[0] for frame in frames] == good
    assert [frame.pts for frame in frames] == [number * 3000 for number in good]


def test_original_with_nothing_to_decode_is_unreadable(tmp_path: Path) -> None:
    write_original(tmp_path / "original.mp4", [b"\xff\xd8" + bytes(100) + b"\xff\xd9"] * 5)
    with pytest.raises(Unreadable, match=r"none of its 5 pictures can be decoded"):
        rendered(tmp_path)


@pytest.mark.parametrize("data", [b"", b"no film" * 1000])
def test_file_that_is_no_film_is_unreadable(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "original.mp4").write_bytes(data)
    with pytest.raises(Unreadable, match=r"original\.mp4"):
        rendered(tmp_path)


def test_full_disk_is_named_as_such(tmp_path: Path) -> None:
    write_original(tmp_path / "original.mp4", [coded_jpeg(number) for number in range(60)], size=(320, 180))
    with pytest.raises(StorageFull):
        render(tmp_path / "original.mp4", tmp_path / "clip.mp4.part", ENCODING, FullDisk(1000))


def test_encoder_that_is_not_there_is_unusable() -> None:
    probe(ENCODING)
    for name in ("h264_nothing", "h264_v4l2m2m", "mp2"):
        with pytest.raises(EncoderUnusable, match=name):
            probe(Encoding(name, "superfast", 23, 0))
