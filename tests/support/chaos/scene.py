"""The system that chaos is let loose on: its services, its disk, its clock, and a camera at the end of a cable.

Everything is real: processes, sockets, an ext4 of its own that can be filled and frozen, a network namespace, and a wall
clock that can be set. Needs root and a C compiler.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import pytest

from tests.support.network import Namespace
from tests.support.processes import ServiceProcess, System
from tests.support.wall_clock import WallClock

CAMERAS: Final = ("near", "far", "other")
FPS: Final = 15
DISK_MB: Final = 400
MIN_FREE_MB: Final = 60
DIES_WITHIN_S: Final = 40.0


class Disk:
    """An ext4 of `DISK_MB` at `folder`: `fill`, `make_room`, `freeze`, `thaw`."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        image.write_bytes(b"")
        os.truncate(image, DISK_MB * 1_000_000)
        folder.mkdir()
        _run("mkfs.ext4", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))

    def close(self) -> None:
        self.thaw()
        _run("umount", "--lazy", str(self.folder))

    def fill(self) -> None:
        """Take all but some kilobytes."""
        free_bytes = shutil.disk_usage(self.folder).free
        with self._ballast.open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free_bytes - 40_000))
            except OSError as err:  # somebody was quicker
                print(f"ballast: {err}")

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Every write waits, as on a disk that does not answer, until `thaw`."""
        _run("fsfreeze", "--freeze", str(self.folder))

    def thaw(self) -> None:
        subprocess.run(["fsfreeze", "--unfreeze", str(self.folder)], check=False, capture_output=True)


class Watched:
    """A service that is started again when it has ended, as Docker and systemd do; what ends unasked is a failure."""

    def __init__(self, name: str, process: ServiceProcess, fail: Callable[[str], None]) -> None:
        self.name = name
        self._process = process
        self._fail = fail
        self._lock = threading.Lock()

    def kill(self) -> None:
        """SIGKILL, and started again a moment later."""
        self._end_by(signal.SIGKILL)

    def restart(self) -> None:
        """SIGTERM, as in an update, and started again."""
        self._end_by(signal.SIGTERM)

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            self._process.signal(signal.SIGSTOP)
        try:
            yield
        finally:  # without the lock: who asked it to end meanwhile holds that, and waits
            self._process.signal(signal.SIGCONT)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """It is there, and is neither ended nor paused meanwhile."""
        with self._lock:
            yield

    def look_after(self) -> None:
        """Start it again if it has ended unasked, and state that."""
        with self._lock:
            if not self._process.is_running:
                self._fail(f"{self.name} ended by itself, code {self._process.wait(0)}:\n{self._process.log_tail(40)}")
                self._process.start()

    def _end_by(self, number: int) -> None:
        with self._lock:
            self._process.signal(number)
            code = self._process.wait(DIES_WITHIN_S)
            if number == signal.SIGTERM and code != 0:
                self._fail(f"{self.name} ended with {code} when asked to end:\n{self._process.log_tail(40)}")
            self._process.start()


class Scene:
    """API, recorder and three cameras, one of them beyond a cable; `failures` is what may not happen and did."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            if os.environ.get("PREROLL_TEST_EVERYTHING"):
                pytest.fail("chaos needs root")
            pytest.skip("chaos needs root")
        self.failures: list[str] = []
        self.folder = folder
        self.system = System(folder)
        self.disk = Disk(folder / "disk.img", self.system.clips_dir)
        self.network = Namespace()
        self.clock = WallClock(folder)
        self.services: dict[str, Watched] = {}

    def __enter__(self) -> Self:
        self.network.__enter__()
        system, host = self.system, self.network.outside
        within = self.clock.within
        bus, frames = _everywhere(system.bus_address), _everywhere(system.frames_address)
        self._add("api", system.start("api", within=within, allow_plaintext="true", bus_bind=bus))
        self._add(
            "recorder",
            system.start(
                "recorder", within=within, allow_plaintext="true", frames_bind=frames, ring_s=12, ring_max_mb=200,
                pre_s=1.5, post_s=1.5, retention_days=30, min_free_mb=MIN_FREE_MB, encode_workers=1,
            ),
        )  # fmt: skip
        for camera_id in CAMERAS:
            far: dict[str, object] = {}
            if camera_id == "far":
                far = {
                    "within": self.network.command,
                    "frames_connect": system.frames_address.replace("127.0.0.1", host),
                    "bus_connect": system.bus_address.replace("127.0.0.1", host),
                }
            self._add(camera_id, system.start_capture(camera_id, fps=FPS, **far))  # type: ignore[arg-type]
        system.wait_ready()
        system.wait_live(*CAMERAS)
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        for service in self.system.services.values():
            if service.is_running:
                service.stop(timeout_s=DIES_WITHIN_S)
        self.system.http.close()
        self.network.__exit__(None, None, None)
        self.disk.close()

    def heal(self) -> None:
        """Everything as it should be."""
        self.disk.thaw()
        self.disk.make_room()
        self.network.plug_cable()
        self.clock.step_to(0)

    def fail(self, what: str) -> None:
        self.failures.append(f"{time.strftime('%H:%M:%S')} {what}")

    def _add(self, name: str, process: ServiceProcess) -> None:
        self.services[name] = Watched(name, process, self.fail)


def _everywhere(address: str) -> str:
    return address.replace("127.0.0.1", "0.0.0.0")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
