"""Where the processor's time goes: the recorder with many cameras, and with one that is captured. By perf's samples."""

import shutil
import subprocess
from pathlib import Path

from bench.asking import Asker
from bench.programs import Feeder
from bench.scale import Place
from bench.services import Services
from bench.spread import Json
from tests.support.processes import free_ports

SECONDS = 4
SAMPLES_PER_S = 2000
ROWS = 6
FILL_S = 40.0


def is_possible() -> bool:
    """Whether perf is there and may look at a process."""
    if shutil.which("perf") is None:
        return False
    tried = subprocess.run(["perf", "record", "-q", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def measure(place: Place) -> Json:
    """Shares of the samples, by thread and by whose code it was: Python's, ZeroMQ's, the kernel's."""
    many = place.scale.profile_cameras
    return {
        f"recorder, {many} cameras": _many(place, many),
        **{f"{service}, 1 camera": shares for service, shares in _one(place).items()},
    }


def _many(place: Place, count: int) -> list[Json]:
    room = place.room()
    names = [f"cam{number}" for number in range(1, count + 1)]
    with Services(room) as system, Asker(system) as asker:
        recorder = system.start("recorder", ring_s=place.scale.ring_s, ring_max_mb=1_000_000, min_free_mb=100)
        with Feeder("zmq", place.frames, room, system.frames_address, *names):
            asker.wait_ring(place.scale.ring_s - 0.2, count, FILL_S)
            return _shares(recorder.pid, room)


def _one(place: Place) -> dict[str, list[Json]]:
    room = place.room()
    (port,) = free_ports(1)
    with Feeder("http", place.frames, room, str(port)), Services(room) as system, Asker(system) as asker:
        recorder = system.start("recorder", ring_s=place.scale.ring_s, min_free_mb=100)
        capture = system.start("capture", "cam1", camera_id="cam1", source=f"http://127.0.0.1:{port}/0")
        asker.wait_ring(place.scale.ring_s - 0.2, 1, FILL_S)
        return {"recorder": _shares(recorder.pid, room), "capture": _shares(capture.pid, room)}


def _shares(pid: int, folder: Path) -> list[Json]:
    data = folder / "perf.data"
    rate = ["-F", str(SAMPLES_PER_S)]
    subprocess.run(
        ["perf", "record", "-q", *rate, "-o", str(data), "-p", str(pid), "--", "sleep", str(SECONDS)], check=True
    )
    command = ["perf", "report", "-i", str(data), "--stdio", "--sort", "comm,dso", "-t", ";"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return shares_in(said)[:ROWS]


def shares_in(report: str) -> list[Json]:
    """The lines of a report of perf by command and object, `35.1%;python;libpython3.11.so.1.0`, largest first."""
    found: list[Json] = []
    for line in report.splitlines():
        percent, *names = (field.strip() for field in line.split(";"))
        if line.startswith("#") or len(names) < 2 or not percent.endswith("%"):
            continue
        thread = "ZeroMQ's thread" if names[0].startswith("ZMQ") else "Python's threads"
        found.append({"percent": float(percent[:-1]), "thread": thread, "code": names[1]})
    return found
