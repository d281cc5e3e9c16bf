"""What goes wrong, each kind in a lane of its own: a thread with a random generator that the seed decides.

A lane waits, does one thing, undoes it, and waits again. So kinds overlap as they happen to, and a thing is never done
twice at once.
"""

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq

from preroll import wire
from tests.support.chaos.scene import CAMERAS, Scene
from tests.support.processes import REPOSITORY

DAY_S: Final = 86_400
STEPS_S: Final = (5, -5, 3_600, -3_600, 40 * DAY_S, -40 * DAY_S, -56 * 365 * DAY_S)
Step = Callable[[Scene, random.Random, threading.Event], str]


def kill_a_service(scene: Scene, dice: random.Random, _end: threading.Event) -> str:
    name = dice.choice(["recorder", "recorder", "api", *CAMERAS])
    scene.services[name].kill()
    return f"{name} killed"


def restart_a_service(scene: Scene, dice: random.Random, _end: threading.Event) -> str:
    name = dice.choice(["recorder", "api", *CAMERAS])
    scene.services[name].restart()
    return f"{name} restarted"


def pause_a_service(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    name = dice.choice(["recorder", "api", *CAMERAS])
    paused_s = dice.choice([0.3, 1.0, 3.0, 8.0, 33.0])
    with scene.services[name].paused():
        end.wait(paused_s)
    return f"{name} paused for {paused_s:g} s"


def set_the_clock(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    step_s = dice.choice(STEPS_S)
    scene.clock.step_to(step_s)
    end.wait(dice.uniform(1, 20))
    scene.clock.step_to(0)
    return f"wall clock {step_s:+} s and back"


def fill_the_disk(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    scene.disk.fill()
    full_s = dice.uniform(2, 10)
    end.wait(full_s)
    scene.disk.make_room()
    return f"disk full for {full_s:.1f} s"


def freeze_the_disk(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    frozen_s = dice.uniform(0.5, 6)
    scene.disk.freeze()
    try:
        end.wait(frozen_s)
    finally:
        scene.disk.thaw()
    return f"disk frozen for {frozen_s:.1f} s"


def darken_the_network(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    dark_s = dice.uniform(0.5, 12)
    scene.network.pull_cable()
    end.wait(dark_s)
    scene.network.plug_cable()
    return f"network dark for {dark_s:.1f} s"


def hold_connections(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    """Connections that say nothing, or nonsense, to any port."""
    system = scene.system
    addresses = [
        system.frames_address, system.control_address, system.query_address, system.bus_address,
        f"tcp://127.0.0.1:{system.http_port}",
    ]  # fmt: skip
    port = int(dice.choice(addresses).rpartition(":")[2])
    held: list[socket.socket] = []
    for _ in range(dice.choice([10, 100, 300])):
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), 1)
            held.append(connection)
            connection.sendall(dice.choice([b"", dice.randbytes(100), b"GET / HTTP/1.1\r\n"]))
    end.wait(dice.uniform(0.5, 8))
    for connection in held:
        connection.close()
    return f"{len(held)} connections held to port {port}"


def send_nonsense(scene: Scene, dice: random.Random, end: threading.Event) -> str:
    """Frames with odd numbers and broken ones, and messages that are no requests."""
    system = scene.system
    with zmq.Context() as context, context.socket(zmq.PUB) as frames, context.socket(zmq.DEALER) as control:
        frames.linger = control.linger = 0
        frames.connect(system.frames_address)
        control.connect(dice.choice([system.control_address, system.query_address]))
        end.wait(0.5)
        for _ in range(dice.randrange(5, 200)):
            camera_id = dice.choice(["evil", "event", "x" * 63])
            header = wire.FrameHeader(
                camera_id, "boot", dice.choice(["run", "r2"]), dice.choice([0, 1, 2**62, wire.INT63_MAX]),
                dice.choice([0, wire.INT63_MAX]), dice.choice([0, time.monotonic_ns(), wire.INT63_MAX]), 0, "jpeg",
                keyframe=True, width=dice.choice([0, 640, 65_535]), height=0,
            )  # fmt: skip
            parts = [wire.topic_of(camera_id), wire.encode_header(header), b"\xff\xd8" + dice.randbytes(50)]
            parts = dice.choice([parts, parts[:1], parts[:2], [*parts, *[b""] * 50]])
            with suppress(zmq.Again):
                frames.send_multipart(parts, zmq.DONTWAIT)
                control.send_multipart([b"", dice.randbytes(dice.randrange(200))], zmq.DONTWAIT)
    return "nonsense sent"


def start_a_rival(scene: Scene, _dice: random.Random, _end: threading.Event) -> str:
    """A second recorder on the same folder and ports: it must give up."""
    environment = {
        **scene.system.environment(),
        "PREROLL_RECORDER_FRAMES_BIND": scene.system.frames_address,
        "PREROLL_RECORDER_MIN_FREE_MB": "1",
    }
    with (
        scene.services["recorder"].undisturbed(),
        subprocess.Popen(
            [sys.executable, "-m", "services.recorder"], cwd=REPOSITORY, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as rival,
    ):  # fmt: skip
        try:
            code = rival.wait(60)
        except subprocess.TimeoutExpired:
            rival.kill()
            code = None
    if code in (0, None):
        scene.fail(f"a second recorder on the same folder ran, or ended with {code}")
    return f"rival ended with {code}"


class Lane:
    """One kind of fault, now and then, from `start` to `close`."""

    def __init__(self, scene: Scene, seed: int, step: Step, every_s: tuple[float, float]) -> None:
        self._scene = scene
        self._dice = random.Random(f"{seed}/{step.__name__}")
        self._step = step
        self._every_s = every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=step.__name__)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._dice.uniform(*self._every_s)):
            began = time.strftime("%H:%M:%S")
            try:
                print(f"{began} {self._step(self._scene, self._dice, self._end)}", flush=True)
            except Exception as err:
                self._scene.fail(f"{self._step.__name__} failed itself: {type(err).__name__}: {err}")


LANES: Final[tuple[tuple[Step, tuple[float, float]], ...]] = (
    (kill_a_service, (8, 25)),
    (restart_a_service, (15, 40)),
    (pause_a_service, (10, 30)),
    (set_the_clock, (5, 30)),
    (fill_the_disk, (15, 50)),
    (freeze_the_disk, (15, 40)),
    (darken_the_network, (10, 30)),
    (hold_connections, (5, 20)),
    (send_nonsense, (5, 20)),
    (start_a_rival, (30, 90)),
)
