"""From starting the containers to the first frame in the ring, and the size of the images."""

import json
import shutil
import subprocess
import time

from bench.asking import Asker
from bench.scale import Place
from bench.services import Services
from bench.spread import Json, spread
from tests.support.processes import System
from tests.support.waiting import wait_until

IMAGES = ("preroll-recorder", "preroll-capture", "preroll-api")


def is_possible() -> bool:
    """Whether Docker is there and the images are built (`docker compose build`)."""
    return shutil.which("docker") is not None and all(_size_bytes(image) for image in IMAGES)


def measure(place: Place) -> Json:
    """Recorder and capture started at the same moment, as often as the scale says."""
    return {
        "first_frame_s": spread([_start(place) for _ in range(place.scale.container_starts)]),
        "image_mb": {image: round(_size_bytes(image) / 1e6) for image in IMAGES},
        "base_image_mb": round(_size_bytes("python:3.13-slim-trixie") / 1e6),
    }


def _start(place: Place) -> float:
    room = place.room()
    system = Services(room)
    started: list[str] = []
    with Asker(system) as asker:
        began_s = time.monotonic()
        try:
            running = []
            for service in ("recorder", "capture"):
                name = f"preroll-bench-{service}-{time.time_ns()}"
                started.append(name)
                running.append(subprocess.Popen(_command(system, service, name), stdout=subprocess.DEVNULL))
            assert all(process.wait(60) == 0 for process in running), "docker run failed"
            wait_until(lambda: any(camera.frames for camera in asker.cameras().values()), 60, "the first frame")
            return time.monotonic() - began_s
        finally:
            subprocess.run(["docker", "rm", "--force", *started], stdout=subprocess.DEVNULL, check=False)
            system.http.close()


def _command(system: System, service: str, name: str) -> list[str]:
    prefix = f"PREROLL_{service.upper()}_"
    given = {
        key: value
        for key, value in system.environment().items()
        if key.startswith(prefix) and not key.endswith("CLIPS_DIR")
    }
    if service == "capture":
        given["PREROLL_CAPTURE_CAMERA_ID"] = "cam1"
    else:
        given["PREROLL_RECORDER_MIN_FREE_MB"] = "100"
    settings = [text for key, value in given.items() for text in ("--env", f"{key}={value}")]
    command = ["docker", "run", "--detach", "--init", "--network", "host", "--name", name]
    return [*command, *settings, f"preroll-{service}"]


def _size_bytes(image: str) -> int:
    said = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    return int(json.loads(said.stdout)[0]["Size"]) if said.returncode == 0 else 0
