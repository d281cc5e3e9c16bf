"""Originals for tests of what comes after them: any JPEGs at any times."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from services.recorder.clips.original import OriginalWriter
from services.recorder.store.disk import Disk

Picture = npt.NDArray[np.uint8]
SAMPLING = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:4:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
}


def jpeg_of(picture: Picture, sampling: str = "4:2:0", quality: int = 95) -> bytes:
    """The picture (BGR, or grey when it has two dimensions) as a JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[sampling]]
    encoded, data = cv2.imencode(".jpg", picture, options)
    assert encoded
    return data.tobytes()


def picture_of(jpeg: bytes) -> Picture:
    """What the JPEG shows, BGR, by libjpeg."""
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.uint8)


def colour_card(width: int = 640, height: int = 360) -> Picture:
    """A grey ramp above eight colour bars, BGR."""
    card = np.zeros((height, width, 3), np.uint8)
    card[: height // 2] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    bars = [
        (255, 255, 255),
        (0, 255, 255),
        (255, 255, 0),
        (0, 255, 0),
        (255, 0, 255),
        (0, 0, 255),
        (255, 0, 0),
        (0, 0, 0),
    ]
    for number, colour in enumerate(bars):
        card[height // 2 :, number * width // 8 : (number + 1) * width // 8] = colour
    return card


def write_original(
    path: Path, jpegs: Sequence[bytes], times: Sequence[int] | None = None, size: tuple[int, int] = (640, 360)
) -> Path:
    """An original at `path`; `times` in 1/90000 s, by default 30 frames a second."""
    writer = OriginalWriter(Disk(), path, *size)
    for number, jpeg in enumerate(jpegs):
        writer.write(jpeg, times[number] if times is not None else number * 3000)
    writer.close()
    return path


def mean_difference(one: Picture, other: Picture) -> list[float]:
    """Mean absolute difference of each channel, of 255."""
    means = np.abs(one.astype(np.int16) - other.astype(np.int16)).reshape(-1, one.shape[-1]).mean(axis=0)
    return [float(mean) for mean in means]
