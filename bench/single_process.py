"""A recorder in the style Preroll began with, all in one process: OpenCV capture, a deque of JPEGs, VideoWriter mp4v.

`python -m bench.single_process URL FPS PRE_S POST_S CLIP`; SIGUSR1 triggers; CLIP is there once it is whole.
"""

import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Jpeg = npt.NDArray[np.uint8]


def write_clip(jpegs: list[Jpeg], fps: float, clip: Path) -> None:
    """Decode every JPEG and write it at a constant rate."""
    part = clip.with_name(f"part-{clip.name}")
    first = cv2.imdecode(jpegs[0], cv2.IMREAD_COLOR)
    assert first is not None
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    for jpeg in jpegs:
        picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        assert picture is not None
        writer.write(picture)
    writer.release()
    part.rename(clip)


def main(arguments: list[str]) -> int:
    """Capture, keep the last seconds, write a clip when triggered."""
    url, fps_text, pre_s, post_s, clip = arguments
    fps = float(fps_text)
    triggered = threading.Event()
    ended = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: triggered.set())
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    capture = cv2.VideoCapture(url)
    ring: deque[Jpeg] = deque(maxlen=round(fps * float(pre_s)))
    event: list[Jpeg] | None = None
    end_s = 0.0
    writer: threading.Thread | None = None
    while not ended.is_set():
        is_there, picture = capture.read()
        if not is_there:
            return 1
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].astype(np.uint8)
        if triggered.is_set():
            triggered.clear()
            event, end_s = list(ring), time.monotonic() + float(post_s)
        ring.append(jpeg)
        if event is not None:
            event.append(jpeg)
            if time.monotonic() >= end_s:
                writer = threading.Thread(target=write_clip, args=(event, fps, Path(clip)))
                writer.start()
                event = None
    if writer is not None:
        writer.join()
    capture.release()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
