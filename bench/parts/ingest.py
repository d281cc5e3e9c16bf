"""Frames a second for a CPU second: the recorder, and pyzmq alone, which does nothing but receive, append and drop.

All are measured from the second lap of their ring on: in the first, memory is taken from the kernel for every frame.
"""

import signal
import sys
from pathlib import Path

from bench import accounting
from bench.asking import Asker, settle
from bench.footage import FPS
from bench.programs import Feeder, Program
from bench.scale import Place
from bench.services import Services
from bench.spread import Json, spread
from tests.support.processes import free_ports
from tests.support.waiting import wait_until

ASK_EVERY_S = 0.25
RING_MARGIN_S = 0.3  # old frames go ten times a second, and the newest is a little old


def measure(place: Place) -> Json:
    """All three in turn, as often as the scale says."""
    count = place.scale.ingest_cameras
    bare = []
    least = []
    recorder = []
    for _ in range(place.scale.ingest_repeats):
        bare.append(_bare(place, count, "messages"))
        recorder.append(_recorder(place, count))
        least.append(_bare(place, count, "pictures"))
    return {
        "cameras": count,
        "bare_frames_per_cpu_s": spread(bare),
        "least_frames_per_cpu_s": spread(least),
        "recorder_frames_per_cpu_s": spread(recorder),
        "ratio": spread([ours / limit for ours, limit in zip(recorder, bare, strict=True)]),
        "ratio_to_least": spread([ours / limit for ours, limit in zip(recorder, least, strict=True)]),
    }


def _names(count: int) -> list[str]:
    return [f"cam{number}" for number in range(1, count + 1)]


def _bare(place: Place, count: int, kept: str) -> float:
    room = place.room()
    (port,) = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    state = room / "frames"
    ring_frames = round(place.scale.ring_s * FPS * count)
    command = [sys.executable, "-m", "bench.bare_loop", kept, address, str(ring_frames), str(state)]
    with Program(command, room / "bare.log") as loop:
        wait_until(state.exists, 20, "the bare loop listens")
        with Feeder("zmq", place.frames, room, address, *_names(count)):

            def is_steady() -> bool:
                settle(ASK_EVERY_S)
                return _told(loop, state) > 2 * ring_frames

            wait_until(is_steady, 60, "the bare loop's ring was filled twice")
            frames, used_s = _told(loop, state), accounting.cpu_s(loop.pid)
            settle(place.scale.ingest_s)
            return (_told(loop, state) - frames) / (accounting.cpu_s(loop.pid) - used_s)


def _told(loop: Program, state: Path) -> int:
    loop.check()
    state.unlink(missing_ok=True)
    loop.signal(signal.SIGUSR1)
    wait_until(state.exists, 10, "the bare loop counts")
    return int(state.read_text())


def _recorder(place: Place, count: int) -> float:
    room = place.room()
    with Services(room) as system, Asker(system) as asker:
        recorder = system.start("recorder", ring_s=place.scale.ring_s, ring_max_mb=16_000, min_free_mb=100)
        wait_until(lambda: asker.cameras() is not None, 20, "the recorder answers")
        with Feeder("zmq", place.frames, room, system.frames_address, *_names(count)):
            asker.wait_ring(place.scale.ring_s - RING_MARGIN_S, count, 60)
            settle(place.scale.ring_s)
            frames = sum(camera.frames for camera in asker.cameras().values())
            used_s = accounting.cpu_s(recorder.pid)
            settle(place.scale.ingest_s)
            used_s = accounting.cpu_s(recorder.pid) - used_s
            return (sum(camera.frames for camera in asker.cameras().values()) - frames) / used_s
