"""The real services as processes on free ports, as `make run` starts them, for tests that judge the whole.

with System(tmp_path) as system:
    system.start("api"); system.start("recorder"); system.start_capture("cam1")
    system.wait_ready()
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tests.support.waiting import wait_until

REPOSITORY: Final = Path(__file__).resolve().parents[2]
STOP_S: Final = 10.0

Json = dict[str, Any]


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class ServiceProcess:
    """One service; its output goes to `log_path`, through restarts. `within` is a command that runs it."""

    def __init__(self, module: str, environment: dict[str, str], log_path: Path, within: tuple[str, ...] = ()) -> None:
        self._command = [*within, sys.executable, "-m", module]
        self._environment = environment
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.is_running
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = STOP_S) -> int:
        """Ask it to end, once: a second signal ends a service at once. Its exit code."""
        self.signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = STOP_S) -> int:
        """Its exit code, once it has ended. Killed, and a failure, when it has not ended in time."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self._command[-1]} did not end within {timeout_s:g} s\n{self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL, to its children too."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)

    def log_text(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])


class System:
    """Services that find one another on ports of their own, and a folder for their clips.

    Settings are given as keyword arguments without their prefix: `start("recorder", ring_s=60)`.
    """

    def __init__(self, folder: Path) -> None:
        http, frames, control, queries, bus = free_ports(5)
        self.folder = folder
        self.clips_dir = folder / "clips"
        self.http_port = http
        self.url = f"http://127.0.0.1:{http}"
        self.frames_address = f"tcp://127.0.0.1:{frames}"
        self.control_address = f"tcp://127.0.0.1:{control}"
        self.query_address = f"tcp://127.0.0.1:{queries}"
        self.bus_address = f"tcp://127.0.0.1:{bus}"
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)
        self.services: dict[str, ServiceProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.http.close()
        print(self.log_tails())  # pytest shows it when the test has failed
        if error is None:
            codes = self.stop_all()
            assert all(code == 0 for code in codes.values()), f"exit codes {codes}\n{self.log_tails()}"
        else:
            for service in self.services.values():
                if service.is_running:
                    service.kill()
            error.add_note(self.log_tails())

    def environment(self) -> dict[str, str]:
        """What all services are started with: nobody's PREROLL_* settings but ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREROLL_")}
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "PREROLL_API_PORT": str(self.http_port),
            "PREROLL_API_CONTROL_CONNECT": self.control_address,
            "PREROLL_API_QUERY_CONNECT": self.query_address,
            "PREROLL_API_BUS_BIND": self.bus_address,
            "PREROLL_API_CLIPS_DIR": str(self.clips_dir),
            "PREROLL_API_STATE_DIR": str(self.folder / "state"),
            "PREROLL_RECORDER_FRAMES_BIND": self.frames_address,
            "PREROLL_RECORDER_CONTROL_BIND": self.control_address,
            "PREROLL_RECORDER_QUERY_BIND": self.query_address,
            "PREROLL_RECORDER_BUS_CONNECT": self.bus_address,
            "PREROLL_RECORDER_CLIPS_DIR": str(self.clips_dir),
            "PREROLL_CAPTURE_FRAMES_CONNECT": self.frames_address,
            "PREROLL_CAPTURE_BUS_CONNECT": self.bus_address,
        }

    def start(
        self, service: str, called: str = "", /, *, within: tuple[str, ...] = (), **settings: object
    ) -> ServiceProcess:
        """Start `api`, `recorder` or `capture`; `called` is its name here, by default the service's.

        `within` is a command that runs it, such as `ip netns exec …`.
        """
        name = called or service
        given = {f"PREROLL_{service.upper()}_{key.upper()}": str(value) for key, value in settings.items()}
        environment = {**self.environment(), **given}
        process = ServiceProcess(f"services.{service}", environment, self.folder / f"{name}.log", within)
        assert name not in self.services, f"{name} is there already"
        self.services[name] = process
        process.start()
        return process

    def start_capture(self, camera_id: str, *, within: tuple[str, ...] = (), **settings: Any) -> ServiceProcess:
        """A capture; by default of a drawn camera of 640x360."""
        wishes: dict[str, Any] = {"width": 640, "height": 360, "fps": 30, **settings}
        return self.start("capture", camera_id, within=within, camera_id=camera_id, **wishes)

    def start_all(self, *camera_ids: str, **recorder_settings: Any) -> None:
        """API, recorder and one drawn camera for each id; returns when the system is ready."""
        self.start("api")
        self.start("recorder", **recorder_settings)
        for camera_id in camera_ids:
            self.start_capture(camera_id)
        self.wait_ready()
        self.wait_live(*camera_ids)

    def stop_all(self) -> dict[str, int]:
        """Ask all to end at once; the exit code of each."""
        for service in self.services.values():
            service.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        return {
            name: service.wait(timeout_s=max(0.1, deadline - time.monotonic()))
            for name, service in self.services.items()
        }

    def log_tails(self) -> str:
        return "\n".join(f"--- {name}\n{service.log_tail()}" for name, service in self.services.items())

    # --- what a caller of the HTTP interface does

    def get(self, path: str) -> httpx.Response | None:
        """The answer, or `None` while nobody answers."""
        try:
            return self.http.get(path)
        except httpx.TransportError:
            return None

    def wait_ready(self, timeout_s: float = 20) -> None:
        def is_ready() -> bool:
            for name, service in self.services.items():
                assert service.is_running, f"{name} has ended"
            answer = self.get("/readyz")
            return answer is not None and answer.status_code == 200

        wait_until(is_ready, timeout_s, "/readyz answers 200")

    def cameras(self) -> dict[str, Json]:
        answer = self.get("/cameras")
        if answer is None or answer.status_code != 200:
            return {}
        listed = answer.json()
        return {camera["camera_id"]: camera for camera in (listed["cameras"] if isinstance(listed, dict) else listed)}

    def wait_live(self, *camera_ids: str, timeout_s: float = 20) -> None:
        def all_live() -> bool:
            cameras = self.cameras()
            return all(cameras.get(camera_id, {}).get("state") == "live" for camera_id in camera_ids)

        wait_until(all_live, timeout_s, f"{', '.join(camera_ids)} live")

    def wait_ring(self, held_s: float, *camera_ids: str, timeout_s: float = 60) -> None:
        """Wait until each camera's ring holds `held_s` seconds."""

        def all_hold() -> bool:
            cameras = self.cameras()
            return all(cameras.get(camera_id, {}).get("ring_s", 0) >= held_s for camera_id in camera_ids)

        wait_until(all_hold, timeout_s, f"{held_s:g} s in the ring of {', '.join(camera_ids)}")

    def wait_unbroken(self, held_s: float, *camera_ids: str) -> None:
        """Wait until the last `held_s` seconds of each camera's ring have no hole.

        What a capture's queue held while there was no recorder comes first, and behind it there may be one: how long
        the ring is does not tell. From the first frame that comes live on there is none.
        """
        self.wait_live(*camera_ids)
        began_s = time.monotonic()
        wait_until(lambda: time.monotonic() - began_s > held_s, held_s + 5, f"{held_s:g} s without a hole")

    def wait_frames(self, count: int, *camera_ids: str, timeout_s: float = 30) -> None:
        """Wait until the recorder has got `count` more frames of each camera."""
        before = {camera_id: self.cameras()[camera_id]["frames"] for camera_id in camera_ids}

        def all_came() -> bool:
            cameras = self.cameras()
            return all(cameras.get(name, {}).get("frames", 0) >= before[name] + count for name in camera_ids)

        wait_until(all_came, timeout_s, f"{count} more frames of {', '.join(camera_ids)}")

    def wait_new_run(self, camera_id: str, old_run_id: str, timeout_s: float = 20) -> None:
        """Wait until a capture that was restarted sends frames."""

        def is_new() -> bool:
            camera = self.cameras().get(camera_id, {})
            return camera.get("state") == "live" and camera["run_id"] not in {None, old_run_id}

        wait_until(is_new, timeout_s, f"{camera_id} live again")

    def trigger(self, **body: Any) -> Json:
        """Trigger, and the event as accepted."""
        answer = self.http.post("/trigger", json=body)
        assert answer.status_code == 202, f"{answer.status_code} {answer.text}"
        event: Json = answer.json()
        return event

    def event(self, event_id: str) -> Json:
        answer = self.http.get(f"/events/{event_id}")
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        event: Json = answer.json()
        return event

    def wait_state(self, event_id: str, state: str, timeout_s: float = 60) -> Json:
        """The event once it is in `state`. Fails at once when it has failed instead."""

        def in_state() -> Json | None:
            event = self.event(event_id)
            assert state == "failed" or event["state"] != "failed", f"event failed: {event}"
            return event if event["state"] == state else None

        return wait_until(in_state, timeout_s, f"event {event_id} is {state}") or {}

    def download(self, url: str, into: Path) -> Path:
        answer = self.http.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:500]}"
        into.write_bytes(answer.content)
        return into
