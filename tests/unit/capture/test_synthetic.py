import itertools

import pytest

from preroll.clock import NS_PER_MS, NS_PER_S, SystemClock
from preroll.process import Shutdown
from services.capture.sources.jpeg_encoding import encode_jpeg
from services.capture.sources.source import Picture
from services.capture.sources.synthetic import Scene, SyntheticSource
from tests.support.clocks import HandClock
from tests.support.pictures import read_code, read_jpeg


@pytest.mark.parametrize("size", [(160, 120), (320, 180), (640, 360), (1280, 720), (1000, 700), (1920, 1080)])
@pytest.mark.parametrize("number", [0, 1, 0xDEADBEEF, 2**32 - 1])
def test_number_and_clock_are_read_back_out_of_the_jpeg(size: tuple[int, int], number: int) -> None:
    pixels = Scene(*size).draw(number, 0x9ABCDEF0 * NS_PER_MS + 999_999, 0)
    assert read_jpeg(encode_jpeg(pixels, 60)) == (number, 0x9ABCDEF0)


def test_only_the_low_32_bits_are_drawn() -> None:
    pixels = Scene(640, 360).draw(2**32 + 5, (2**33 + 7) * NS_PER_MS, 0)
    assert read_code(pixels) == (5, 7)


def test_the_scene_moves() -> None:
    scene = Scene(640, 360)
    first = scene.draw(0, 0, 0)[200:, :].copy()
    second = scene.draw(0, NS_PER_S // 30, 0)[200:, :]
    assert (first != second).any()


def test_nothing_of_the_frame_before_is_left() -> None:
    scene = Scene(640, 360)
    scene.draw(123_456_789, 2 * NS_PER_S, 10**18)
    again = scene.draw(7, NS_PER_S, 0)
    assert (again == Scene(640, 360).draw(7, NS_PER_S, 0)).all()


def source(clock: HandClock | SystemClock, shutdown: Shutdown, fps: float = 50) -> SyntheticSource:
    return SyntheticSource(320, 180, fps, 80, clock, shutdown)


def read(drawn: SyntheticSource, seq: int) -> Picture:
    picture = drawn.read(seq)
    assert picture is not None
    return picture


def test_the_drawn_number_and_clock_are_the_frames() -> None:
    drawn = source(SystemClock(), Shutdown())
    for seq in (0, 1, 2):
        picture = read(drawn, seq)
        assert read_jpeg(bytes(picture.jpeg)) == (seq, picture.captured_monotonic_ns // NS_PER_MS % 2**32)


def test_frames_come_at_the_rate_that_was_asked_for() -> None:
    drawn = source(SystemClock(), Shutdown(), fps=100)
    times = [read(drawn, seq).captured_monotonic_ns for seq in range(21)]
    assert times[-1] - times[0] > 20 * 9 * NS_PER_MS
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


def test_a_late_frame_does_not_move_the_others() -> None:
    clock = HandClock()
    drawn = source(clock, Shutdown(), fps=10)
    begin_ns = read(drawn, 0).captured_monotonic_ns
    clock.advance(0.25)
    read(drawn, 1)
    clock.advance(0.05)
    assert read(drawn, 2).captured_monotonic_ns - begin_ns == 300 * NS_PER_MS


def test_the_end_is_not_waited_for() -> None:
    shutdown = Shutdown()
    drawn = source(SystemClock(), shutdown, fps=0.1)
    read(drawn, 0)
    shutdown.request("test")
    assert drawn.read(1) is None
