import cv2
import numpy as np
import pytest

from preroll.clock import NS_PER_MS, NS_PER_S
from services.capture.sources.device import MJPG, DeviceSource, driver_time, open_device
from services.capture.sources.source import SourceLost
from tests.support.clocks import HandClock
from tests.support.frames import jpeg
from tests.support.pictures import read_jpeg

YUYV = cv2.VideoWriter.fourcc(*"YUYV")
CLOCK = HandClock()


class FakeDriver:
    """A device as OpenCV shows it: with Motion JPEG a frame is one row of its bytes."""

    def __init__(self, picture: object, fourcc: int = MJPG, *, takes_raw: bool = True, is_open: bool = True) -> None:
        self.picture = picture
        self.fourcc = fourcc
        self.takes_raw = takes_raw
        self.is_open = is_open
        self.is_released = False
        self.was_set: dict[int, float] = {}

    def isOpened(self) -> bool:  # OpenCV's name
        return self.is_open

    def read(self) -> tuple[bool, object]:
        return self.picture is not None, self.picture

    def get(self, propId: int, /) -> float:  # noqa: N803 - OpenCV's name
        stated_ms = (CLOCK.monotonic_ns() - 20 * NS_PER_MS) / NS_PER_MS
        return {cv2.CAP_PROP_FOURCC: float(self.fourcc), cv2.CAP_PROP_POS_MSEC: stated_ms}[propId]

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803 - OpenCV's name
        self.was_set[propId] = value
        return self.takes_raw or value != 0

    def release(self) -> None:
        self.is_released = True


def opened(driver: FakeDriver) -> DeviceSource:
    return open_device("/dev/video9", (640, 480), 25, 85, 5, CLOCK, lambda *_: driver)


def raw(data: bytes) -> object:
    return np.frombuffer(data, np.uint8)[np.newaxis, :]


def test_the_cameras_own_bytes_pass_through_with_their_padding() -> None:
    data = jpeg(7) + b"\0" * 100
    driver = FakeDriver(raw(data))
    picture = opened(driver).read(0)
    assert picture is not None
    assert picture.jpeg == data
    assert driver.was_set == {cv2.CAP_PROP_CONVERT_RGB: 0}


def test_the_drivers_time_is_the_capture_time() -> None:
    picture = opened(FakeDriver(raw(jpeg(7)))).read(0)
    assert picture is not None
    assert abs(CLOCK.monotonic_ns() - 20 * NS_PER_MS - picture.captured_monotonic_ns) < 1000


def test_a_device_without_motion_jpeg_is_encoded() -> None:
    pixels = cv2.imdecode(np.frombuffer(jpeg(4711), np.uint8), cv2.IMREAD_COLOR)
    picture = opened(FakeDriver(pixels, YUYV)).read(0)
    assert picture is not None
    assert read_jpeg(bytes(picture.jpeg))[0] == 4711


def test_the_wishes_are_told_when_opening() -> None:
    told: list[int] = []

    def opener(_path: str, _backend: int, wishes: list[int]) -> FakeDriver:
        told.extend(wishes)
        return FakeDriver(raw(jpeg(0)))

    open_device("/dev/video9", (640, 480), 25, 85, 5, CLOCK, opener)
    wishes = dict(zip(told[::2], told[1::2], strict=True))
    assert wishes == {
        cv2.CAP_PROP_FOURCC: MJPG,
        cv2.CAP_PROP_FRAME_WIDTH: 640,
        cv2.CAP_PROP_FRAME_HEIGHT: 480,
        cv2.CAP_PROP_FPS: 25,
    }


def test_a_device_that_gives_nothing_is_lost() -> None:
    driver = FakeDriver(None)
    source = opened(driver)
    with pytest.raises(SourceLost, match="/dev/video9: the device gives no picture"):
        source.read(0)
    source.close()
    assert driver.is_released


def test_a_device_that_cannot_be_opened_is_lost_and_let_go() -> None:
    driver = FakeDriver(None, is_open=False)
    with pytest.raises(SourceLost, match="/dev/video9: cannot be opened"):
        opened(driver)
    assert driver.is_released


def test_a_driver_that_keeps_the_jpegs_to_itself_is_refused_and_let_go() -> None:
    driver = FakeDriver(None, takes_raw=False)
    with pytest.raises(SourceLost, match="own JPEGs"):
        opened(driver)
    assert driver.is_released


def test_a_real_path_without_a_device_is_lost() -> None:
    with pytest.raises(SourceLost, match="/dev/no-such-camera"):
        open_device("/dev/no-such-camera", (640, 480), 25, 85, 5, CLOCK)


@pytest.mark.parametrize("stated_ms", [0.0, -1.0, float("nan"), float("inf"), 1.8e12, 97_000.0, 100_001.0])
def test_a_time_that_is_not_of_the_monotonic_clock_is_not_used(stated_ms: float) -> None:
    assert driver_time(stated_ms, 100 * NS_PER_S) == 100 * NS_PER_S


def test_a_plausible_time_is_used() -> None:
    assert driver_time(99_960.5, 100 * NS_PER_S) == 99_960_500_000
