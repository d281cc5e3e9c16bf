"""A recorder that answers what a test tells it, over real ZeroMQ, and the API in this process, asking it."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import zmq

from preroll import sockets, wire
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.api.service import serve
from services.api.settings import ApiSettings
from tests.support.processes import free_ports
from tests.support.waiting import wait_until

S: Final = 1_000_000_000
BEGIN_NS: Final = 1_800_000_000 * S
NO_FIGURES: Final = wire.Refused(code="internal", message="no figures")


def clip_of(camera_id: str, state: wire.ClipState = "ready", **files: tuple[str, int]) -> wire.Clip:
    """A clip with files, each given by its kind as (path, size in bytes)."""
    return wire.Clip.model_validate(
        {
            "camera_id": camera_id,
            "state": state,
            "coverage": "full",
            "missing_s": 0.0,
            "complete": state in {"saved", "ready"} or None,
            "shortfall": (),
            "requested": {"from_unix_ns": BEGIN_NS, "to_unix_ns": BEGIN_NS + 15 * S},
            "delivered": {"from_unix_ns": BEGIN_NS, "to_unix_ns": BEGIN_NS + 15 * S, "frames": 450, "lost": 0}
            if state in {"saved", "ready"}
            else None,
            "slack_ns": S // 20,
            "files": {
                kind: {"path": path, "size_bytes": size, "sha256": "ab" * 32} for kind, (path, size) in files.items()
            },
        }
    )


def event_of(event_id: str, *clips: wire.Clip, fingerprint: str = "f") -> wire.Event:
    return wire.Event(
        event_id=event_id,
        state=clips[0].state if clips else "recording",
        triggered_unix_ns=BEGIN_NS + 5 * S,
        received_unix_ns=BEGIN_NS + 5 * S,
        pre_s=5.0,
        post_s=10.0,
        labels={},
        is_protected=False,
        fingerprint=fingerprint,
        accepted_after_s=0.001,
        clips=clips,
    )


def camera_of(camera_id: str, state: wire.CameraState = "live") -> wire.Camera:
    return wire.Camera(
        camera_id=camera_id,
        state=state,
        run_id="run",
        width=640,
        height=360,
        fps=30.0,
        frames=10,
        ring_s=1.0,
        ring_frames=30,
        ring_bytes=1000,
        wanted_s=5.0,
        age_s=0.01,
        losses=wire.Losses(),
    )


class FakeRecorder:
    """Answers commands and queries from what it holds; `asked` is what it was asked."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.events: dict[str, wire.Event] = {}
        self.cameras: dict[str, wire.Camera] = {}
        self.health: wire.RecorderHealth | None = None
        self.refuses: wire.Refused | None = None  # any trigger
        self.asked: list[wire.Command | wire.Query] = []
        self.answer: Callable[[wire.Command | wire.Query], wire.Reply | bytes] = self.usual
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._seq = 0
        self.control_address = self._serve(context, wire.decode_command)
        self.query_address = self._serve(context, wire.decode_query)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def usual(self, message: wire.Command | wire.Query) -> wire.Reply:
        match message:
            case wire.StartEvent() if self.refuses is not None:
                return self.refuses
            case wire.StartEvent():
                known = self.events.get(message.event_id)
                if known is None:
                    made = event_of(message.event_id, clip_of("cam1", "recording"), fingerprint=message.fingerprint)
                    self.events[message.event_id] = made
                    return wire.EventReply(event=made, is_new=True)
                if known.fingerprint != message.fingerprint:
                    return wire.Refused(code="conflict", message="another request had this id")
                return wire.EventReply(event=known)
            case wire.CheckTrigger():
                live = sum(camera.state == "live" for camera in self.cameras.values())
                return wire.TriggerChecked(cameras_live=live, refused=self.refuses)
            case wire.GetEvent() | wire.AmendEvent() | wire.ProtectEvent():
                event = self.events.get(message.event_id)
                return wire.EventReply(event=event) if event else _unknown(message.event_id)
            case wire.DeleteEvent():
                return wire.Done() if self.events.pop(message.event_id, None) else _unknown(message.event_id)
            case wire.ListEvents():
                return wire.EventsReply(events=tuple(self.events.values()))
            case wire.ListCameras():
                return wire.CamerasReply(cameras=tuple(self.cameras.values()))
            case wire.ForgetCamera():
                return wire.Done()
            case wire.GetFrame():
                return self._frame(message)
            case wire.GetHealth():
                return wire.HealthReply(health=self.health) if self.health else NO_FIGURES

    def _frame(self, message: wire.GetFrame) -> wire.Reply:
        if message.camera_id not in self.cameras:
            return wire.Refused(code="unknown_camera", message=f"camera {message.camera_id} is not known")
        self._seq += 1
        return wire.FrameReply(
            ref=wire.FrameRef(camera_id=message.camera_id, run_id="run", seq=self._seq),
            unix_ns=BEGIN_NS,
            width=640,
            height=360,
            oldest_unix_ns=BEGIN_NS,
            newest_unix_ns=BEGIN_NS + S,
            jpeg=b"\xff\xd8picture\xff\xd9",
        )

    def _serve(
        self, context: zmq.Context[zmq.Socket[bytes]], decode: Callable[[bytes], wire.Command | wire.Query]
    ) -> str:
        socket = sockets.router(context)
        socket.bind("tcp://127.0.0.1:0")
        address = f"tcp://127.0.0.1:{sockets.bound_port(socket)}"

        def run() -> None:
            with socket:
                while not self._stop.is_set():
                    if sockets.poll(socket, 0.05):
                        *envelope, asked = socket.recv_multipart()
                        message = decode(asked)
                        self.asked.append(message)
                        reply = self.answer(message)
                        answer = reply if isinstance(reply, bytes) else wire.encode(reply)
                        socket.send_multipart([*envelope, answer])

        thread = threading.Thread(target=run, name="fake-recorder")
        thread.start()
        self._threads.append(thread)
        return address


def _unknown(event_id: str) -> wire.Refused:
    return wire.Refused(code="unknown_event", message=f"event {event_id} is not known")


class RunningApi:
    """The real API in a thread, in front of a fake recorder."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, **settings: Any) -> None:
        self.recorder = FakeRecorder(context)
        port, bus = free_ports(2)
        self.clips_dir = folder / "clips"
        self.clips_dir.mkdir()
        self.port = port
        certificate = settings.get("tls_cert")
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{port}"
        self.bus_address = f"tcp://127.0.0.1:{bus}"
        trusted = ssl.create_default_context(cafile=certificate) if certificate else True
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False, verify=trusted)
        self.shutdown = Shutdown()
        self._settings = ApiSettings(
            port=port,
            control_connect=self.recorder.control_address,
            query_connect=self.recorder.query_address,
            bus_bind=self.bus_address,
            clips_dir=self.clips_dir,
            state_dir=folder / "state",
            **settings,
        )
        self._thread = threading.Thread(target=self._run, name="api")

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(self._answers, 10, "the API answers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.http.close()
        self.stop()
        self.recorder.close()

    def stop(self) -> None:
        self.shutdown.request("the test is over")
        self._thread.join(15)
        assert not self._thread.is_alive()

    def _answers(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _run(self) -> None:
        threads = Threads(self.shutdown)
        asyncio.run(serve(self._settings, self.shutdown, threads))
        threads.close()
