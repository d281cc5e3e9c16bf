"""The table of cameras: what they hold, and what goes when."""

from preroll.clock import NS_PER_S
from preroll.wire import FrameHeader
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack

BOOT = "boot"
PERIOD_NS = NS_PER_S // 30
BEGIN_NS = 1000 * NS_PER_S
JPEG = bytes(100)


def cameras_with(*camera_ids: str, ring_max_bytes: int = 10**9) -> tuple[Cameras, list[CameraTrack]]:
    cameras = Cameras(1.0, ring_max_bytes, 10**9, 16, BOOT)
    tracks = [cameras.remember(camera_id, BEGIN_NS) for camera_id in camera_ids]
    return cameras, [track for track in tracks if track is not None]


def send(cameras: Cameras, track: CameraTrack, seq: int, t_ns: int, jpeg: bytes = JPEG) -> None:
    header = FrameHeader(track.camera_id, BOOT, "run", seq, 0, t_ns, t_ns, "jpeg", True, 64, 36)
    assert cameras.take(track, header, jpeg, t_ns)


def test_all_cameras_let_go_at_one_moment_of_what_is_older_than_one_moment() -> None:
    cameras, tracks = cameras_with("cam1", "cam2")
    for seq in range(90):
        for which, track in enumerate(tracks):
            send(cameras, track, seq, BEGIN_NS + seq * PERIOD_NS + which * PERIOD_NS // 2)
    assert [len(track.ring) for track in tracks] == [90, 90], "a frame that comes makes none go"
    now_ns = BEGIN_NS + 90 * PERIOD_NS
    cameras.expire(now_ns)
    for track in tracks:
        oldest = track.ring.oldest
        assert oldest is not None
        assert 0 <= oldest.t_ns - (now_ns - NS_PER_S) < PERIOD_NS
    assert cameras.ring_bytes == sum(track.ring.size_bytes for track in tracks)


def test_the_newest_frame_of_a_silent_camera_stays() -> None:
    cameras, (track,) = cameras_with("cam1")
    for seq in range(3):
        send(cameras, track, seq, BEGIN_NS + seq * PERIOD_NS)
    cameras.expire(BEGIN_NS + 3600 * NS_PER_S)
    assert track.ring.newest is not None
    assert (len(track.ring), track.ring.newest.seq) == (1, 2)


def test_bytes_are_bounded_by_every_frame() -> None:
    cameras, tracks = cameras_with("cam1", "cam2", ring_max_bytes=9000)
    for seq in range(30):
        for which, track in enumerate(tracks):
            send(cameras, track, seq, BEGIN_NS + seq * PERIOD_NS + which)
            assert cameras.ring_bytes <= 9000
    assert [len(track.ring) for track in tracks] == [5, 5]
    assert sum(track.evicted_early for track in tracks) == 50
