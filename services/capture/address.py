"""What a source's address looks like.

Pure, but for the question whether a file exists.
"""

import os.path
from typing import Final

SYNTHETIC: Final = "synthetic:"
DEVICE: Final = "/dev/"
RTSP: Final = ("rtsp://", "rtsps://")
HTTP: Final = ("http://", "https://")
PREFIXES: Final = (SYNTHETIC, DEVICE, *RTSP, *HTTP)


def is_source(source: str) -> bool:
    """Whether a source can be made of this."""
    return source.startswith(PREFIXES) or os.path.exists(source)  # noqa: PTH110 - Path raises on names too long
