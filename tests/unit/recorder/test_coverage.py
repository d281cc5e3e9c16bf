"""What a trigger is told of its window before it is recorded: whether the ring can give it."""

from preroll.clock import NS_PER_S
from preroll.wire import FPS_MAX, FrameHeader
from services.recorder.cameras.backlog import Backlog
from services.recorder.cameras.track import CameraTrack
from services.recorder.cameras.window import Window

BOOT = "boot"
PERIOD_NS = NS_PER_S // 30
BEGIN_NS = 1000 * NS_PER_S
JPEG = bytes(100)


def track(seqs: range, but: frozenset[int] = frozenset(), rejected: int = 0) -> CameraTrack:
    """A camera that has sent the frames `seqs`, but some."""
    made = CameraTrack("cam1", BOOT, BEGIN_NS, Backlog(0))
    for seq in seqs:
        if seq in but:
            continue
        t_ns = BEGIN_NS + seq * PERIOD_NS
        past = rejected if seq > max(but, default=seq) else 0
        header = FrameHeader("cam1", BOOT, "run", seq, past, t_ns, t_ns, "jpeg", True, 64, 36)
        assert made.take(header, JPEG, t_ns)
    return made


def after(seq: int) -> int:
    return BEGIN_NS + seq * PERIOD_NS


def test_a_window_that_began_after_the_newest_frame_lacks_nothing() -> None:
    now_ns = after(89) + PERIOD_NS // 2
    assert track(range(90)).missing_ns(Window(now_ns - 600_000, now_ns + NS_PER_S), now_ns) == 0


def test_a_camera_that_is_silent_lacks_all_since_its_newest_frame() -> None:
    now_ns = after(89) + 3 * NS_PER_S
    held = track(range(90))
    assert held.missing_ns(Window(after(60), now_ns), now_ns) == 3 * NS_PER_S
    assert held.missing_ns(Window(now_ns - NS_PER_S, now_ns + NS_PER_S), now_ns) == NS_PER_S


def test_a_hole_is_missing() -> None:
    held = track(range(90), but=frozenset(range(40, 50)))
    assert held.missing_ns(Window(after(10), after(89)), after(89)) == 10 * PERIOD_NS
    assert held.missing_ns(Window(after(55), after(89)), after(89)) == 0


def test_a_hole_of_several_causes_is_missing_once() -> None:
    held = track(range(90), but=frozenset(range(40, 50)), rejected=4)
    assert held.missing_ns(Window(after(10), after(89)), after(89)) == 10 * PERIOD_NS


def test_a_hole_that_reaches_into_the_window_is_missing_as_far_as_it_does() -> None:
    held = track(range(90), but=frozenset(range(40, 50)))
    assert held.missing_ns(Window(after(45), after(89)), after(89)) == 4 * PERIOD_NS


def test_frames_a_nanosecond_apart_have_a_rate_that_can_be_told() -> None:
    made = CameraTrack("cam1", BOOT, BEGIN_NS, Backlog(0))
    for seq in range(2):
        t_ns = BEGIN_NS + seq
        assert made.take(FrameHeader("cam1", BOOT, "run", seq, 0, t_ns, t_ns, "jpeg", True, 64, 36), JPEG, t_ns)
    assert made.describe(BEGIN_NS + 1, 5).fps == FPS_MAX
