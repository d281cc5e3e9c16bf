"""A camera at this machine: V4L2 on Linux, through OpenCV.

Cameras are asked for Motion JPEG, whose bytes pass through untouched; from one that has none the pixels are encoded.
"""

import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

import cv2
import numpy as np

from preroll.clock import NS_PER_S, Clock
from services.capture.sources.jpeg_encoding import encode_jpeg
from services.capture.sources.source import Picture, SourceLost

MJPG: Final = cv2.VideoWriter.fourcc(*"MJPG")
# A driver's time that lies further back than this, or ahead, is not of the monotonic clock.
DRIVER_AGE_MAX_NS: Final = 2 * NS_PER_S
_SELECT_TIMEOUT: Final = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"


class Driver(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name
    def read(self) -> tuple[bool, object]: ...
    def get(self, propId: int, /) -> float: ...  # noqa: N803 - OpenCV's name
    def set(self, propId: int, value: float, /) -> bool: ...  # noqa: N803 - OpenCV's name
    def release(self) -> None: ...


class DeviceSource:
    """Pictures from an open device."""

    def __init__(self, driver: Driver, path: str, jpeg_quality: int, clock: Clock) -> None:
        self._driver = driver
        self._path = path
        self._jpeg_quality = jpeg_quality
        self._clock = clock
        self._is_jpeg = round(driver.get(cv2.CAP_PROP_FOURCC)) == MJPG
        # 0: do not decode. A camera without Motion JPEG is to give pixels.
        if not driver.set(cv2.CAP_PROP_CONVERT_RGB, 0 if self._is_jpeg else 1) and self._is_jpeg:
            raise SourceLost(f"{path}: the driver does not hand out the camera's own JPEGs")

    def read(self, seq: int) -> Picture | None:
        del seq
        has_picture, picture = self._driver.read()
        arrived_ns = self._clock.monotonic_ns()
        if not has_picture or picture is None:
            raise SourceLost(f"{self._path}: the device gives no picture")
        captured_ns = driver_time(self._driver.get(cv2.CAP_PROP_POS_MSEC), arrived_ns)
        pixels = np.asarray(picture, np.uint8)
        if self._is_jpeg:
            return Picture(pixels.tobytes(), captured_ns)
        return Picture(encode_jpeg(pixels, self._jpeg_quality), captured_ns)

    def close(self) -> None:
        self._driver.release()


def driver_time(stated_ms: float, arrived_ns: int) -> int:
    """The capture time: the driver's where it can be one of the monotonic clock, else the time of arrival. Pure."""
    if not np.isfinite(stated_ms):
        return arrived_ns
    stated_ns = round(stated_ms * 1e6)
    return stated_ns if 0 <= arrived_ns - stated_ns <= DRIVER_AGE_MAX_NS else arrived_ns


def _open_driver(path: str, backend: int, wishes: list[int]) -> Driver:
    return cv2.VideoCapture(path, backend, wishes)


def open_device(
    path: str,
    size: tuple[int, int],
    fps: float,
    jpeg_quality: int,
    read_timeout_s: float,
    clock: Clock,
    open_driver: Callable[[str, int, list[int]], Driver] = _open_driver,
) -> DeviceSource:
    """The device at `path`, asked for that size and rate (it may give others), or `SourceLost`."""
    # Read once a process, by the first read of a device.
    os.environ.setdefault(_SELECT_TIMEOUT, str(max(1, round(read_timeout_s))))
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    wishes = [
        *(cv2.CAP_PROP_FOURCC, MJPG),
        *(cv2.CAP_PROP_FRAME_WIDTH, size[0]),
        *(cv2.CAP_PROP_FRAME_HEIGHT, size[1]),
        *(cv2.CAP_PROP_FPS, round(fps)),
    ]
    try:
        driver = open_driver(path, backend, wishes)
    except cv2.error as err:
        raise SourceLost(f"{path}: {err}") from err
    if not driver.isOpened():
        driver.release()
        raise SourceLost(f"{path}: cannot be opened as a camera")
    try:
        return DeviceSource(driver, path, jpeg_quality, clock)
    except BaseException:
        driver.release()
        raise
