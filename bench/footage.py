"""The frames that everything is fed with: 1080p JPEGs, each carrying its number as the drawn camera writes it.

Made once into a cache outside the repository, from the footage beside it where there is some, else from noise.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from services.capture.sources.synthetic import draw_code
from tests.support import premade

WIDTH: Final = 1920
HEIGHT: Final = 1080
FPS: Final = 30
FRAMES: Final = 600  # more than any clip has, so a number names one frame of it
JPEG_BYTES: Final = 289 * 1024
REPOSITORY: Final = Path(__file__).resolve().parents[1]
_SCENES_MAX: Final = 150
_LEVEL: Final = 85

Picture = npt.NDArray[np.uint8]


def cache_folder() -> Path:
    """Where the frames are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "preroll-bench"


def media() -> Path | None:
    """The footage to make frames from, if there is any."""
    folder = Path(os.environ.get("PREROLL_BENCH_MEDIA") or REPOSITORY.parent / "shared" / "media")
    return min(folder.glob("*.mp4"), default=None)


def ensure() -> Path:
    """The file of frames, made when it is not there yet; `tests.support.premade.read` reads it."""
    source = media()
    path = cache_folder() / f"{source.stem if source else 'noise'}-{WIDTH}x{HEIGHT}-{FRAMES}.jpegs"
    if not path.exists():
        print(f"making {FRAMES} frames of {WIDTH}x{HEIGHT} in {path}", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        if source is None:
            premade.make(part, FRAMES, WIDTH, HEIGHT, JPEG_BYTES)
        else:
            _make(part, list(_scenes(source)))
        part.rename(path)
    return path


def described() -> dict[str, Any]:
    """What the frames are, for the report."""
    source = media()
    sizes = [len(jpeg) for jpeg in premade.read(ensure())]
    return {
        "from": source.name if source else "noise",
        "frames": len(sizes),
        "mean_bytes": round(sum(sizes) / len(sizes)),
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
    }


def there_and_back(number: int, scenes: int) -> int:
    """Which of `scenes` pictures frame `number` shows: forwards and backwards, so that no cut comes in between."""
    at = number % max(1, 2 * scenes - 2)
    return at if at < scenes else 2 * scenes - 2 - at


def _scenes(source: Path) -> Iterator[Picture]:
    with av.open(str(source)) as container:
        for count, frame in enumerate(container.decode(video=0)):
            if count == _SCENES_MAX:
                return
            yield frame.reformat(WIDTH, HEIGHT, "bgr24").to_ndarray().astype(np.uint8)


def _make(path: Path, scenes: list[Picture]) -> None:
    quality = _quality_for(scenes[:: max(1, len(scenes) // 6)])
    with path.open("wb") as file:
        for number in range(FRAMES):
            picture = scenes[there_and_back(number, len(scenes))].copy()
            draw_code(picture, number, 0)
            data = _jpeg(picture, quality)
            file.write(len(data).to_bytes(4, "little") + data)


def _quality_for(sample: list[Picture]) -> int:
    for quality in range(_LEVEL, 100):
        if sum(len(_jpeg(picture, quality)) for picture in sample) >= JPEG_BYTES * len(sample):
            return quality
    return 100


def _jpeg(picture: Picture, quality: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
