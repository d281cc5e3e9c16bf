"""Cameras whose pictures were made before: a process that publishes numbered JPEGs and spends nothing on drawing.

Run as a program it publishes until it is told to end: `python -m tests.support.premade ADDRESS FILE FPS CAMERA...`.
"""

import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import zmq

from preroll import sockets, wire
from preroll.clock import NS_PER_S, read_boot_id
from services.capture.sources.synthetic import draw_code

_LENGTH: Final = struct.Struct("<I")


def make(path: Path, count: int, width: int, height: int, jpeg_bytes: int) -> None:
    """Write `count` JPEGs, numbered from 0 in their first row of squares, of about `jpeg_bytes` each.

    The picture is noise of such a strength as gives the size; the squares lie over it.
    """
    dice = np.random.default_rng(1)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85]

    def picture(strength: float) -> np.ndarray:
        noise = dice.normal(128, strength, (height // 2, width // 2, 3)).clip(0, 255).astype(np.uint8)
        return cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)

    low, high = 0.0, 80.0
    for _ in range(8):
        strength = (low + high) / 2
        size = len(cv2.imencode(".jpg", picture(strength), quality)[1])
        low, high = (strength, high) if size < jpeg_bytes else (low, strength)
    scenes = [picture(strength) for _ in range(8)]
    with path.open("wb") as file:
        for number in range(count):
            scene = scenes[number % len(scenes)].copy()
            draw_code(scene, number, 0)
            data = cv2.imencode(".jpg", scene, quality)[1].tobytes()
            file.write(_LENGTH.pack(len(data)) + data)


def read(path: Path) -> list[bytes]:
    """The JPEGs of a file that `make` wrote."""
    data = path.read_bytes()
    jpegs: list[bytes] = []
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        jpegs.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return jpegs


def publish(address: str, jpegs: list[bytes], fps: float, camera_ids: list[str], ended: threading.Event) -> None:
    """Publish for every camera, each a part of a period after the other; picture `seq % len(jpegs)` bears that number."""
    boot_id = read_boot_id()
    unix_offset_ns = time.time_ns() - time.monotonic_ns()
    with zmq.Context[zmq.Socket[bytes]]() as context:
        publishers = [sockets.publisher(context) for _ in camera_ids]
        for publisher in publishers:
            publisher.connect(address)
        head = jpegs[0]
        height, width = np.asarray(cv2.imdecode(np.frombuffer(head, np.uint8), cv2.IMREAD_COLOR)).shape[:2]
        topics = [wire.topic_of(camera_id) for camera_id in camera_ids]
        began_ns = time.monotonic_ns()
        step_ns = NS_PER_S / fps / len(camera_ids)
        turn = 0
        while not ended.is_set():
            seq, which = divmod(turn, len(camera_ids))
            due_ns = began_ns + round(turn * step_ns)
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > 0:
                time.sleep(wait_ns / NS_PER_S)
            now_ns = time.monotonic_ns()
            header = wire.FrameHeader(
                camera_ids[which],
                boot_id,
                f"premade-{began_ns}",
                seq,
                0,
                now_ns,
                now_ns + unix_offset_ns,
                "jpeg",
                True,
                width,
                height,
            )
            publishers[which].send_multipart(
                [topics[which], wire.encode_header(header), jpegs[seq % len(jpegs)]], zmq.DONTWAIT, copy=False
            )
            turn += 1
        for publisher in publishers:
            publisher.close()


def _main(arguments: list[str]) -> int:
    address, file, fps, *camera_ids = arguments
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    publish(address, read(Path(file)), float(fps), camera_ids, ended)
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
