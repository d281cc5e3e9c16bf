"""JPEGs out of pixels, for the sources that do not have them already."""

import cv2
import numpy as np
import numpy.typing as npt

from services.capture.sources.source import SourceLost

Pixels = npt.NDArray[np.uint8]


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """The pixels (height x width x 3, BGR, 0 to 255) as a JPEG of that quality (1 to 100): BT.601, full range."""
    done, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise SourceLost(f"no JPEG could be made of {pixels.shape[1]}x{pixels.shape[0]} pixels")
    return data.tobytes()
