"""A real capture process, and what it publishes and says."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import zmq

from preroll import sockets, wire
from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Received:
    """One frame as a subscriber got it."""

    header: wire.FrameHeader
    jpeg: bytes = field(repr=False)
    received_monotonic_ns: int


def _is_bound(socket: zmq.Socket[bytes], address: str) -> bool:
    try:
        socket.bind(address)
    except zmq.ZMQError as err:
        if err.errno != zmq.EADDRINUSE:
            raise
        return False
    return True


class Subscriber:
    """Takes in frames on a thread of its own, as the recorder would. Binds, or connects where `connect` is given."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], *, bind: str = "tcp://127.0.0.1:0", connect: str | None = None
    ) -> None:
        self.frames: list[Received] = []
        self._stop = threading.Event()
        self._socket = sockets.subscriber(context)
        self._socket.subscribe(b"frame/")
        if connect is None:
            # A port that another subscriber has just closed is free a moment later: closing is done by another thread.
            wait_until(lambda: _is_bound(self._socket, bind), 5, f"{bind} is free")
            self.port = sockets.bound_port(self._socket)
        else:
            self._socket.connect(connect)
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def numbers(self) -> list[int]:
        return [frame.header.seq for frame in list(self.frames)]

    def wait_for(self, count: int, timeout_s: float = 20) -> list[Received]:
        """The frames so far, once there are `count`."""
        wait_until(lambda: len(self.frames) >= count, timeout_s, f"{count} frames")
        return list(self.frames)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._socket:
            while not self._stop.is_set():
                if sockets.poll(self._socket, 0.05):
                    topic, header, jpeg = self._socket.recv_multipart()
                    decoded = wire.decode_header(header)
                    assert topic == wire.topic_of(decoded.camera_id)
                    self.frames.append(Received(decoded, jpeg, time.monotonic_ns()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CaptureProcess:
    """`python -m services.capture` with settings, given as `source="synthetic:"` and so on."""

    def __init__(self, log: Path, *, command: tuple[str, ...] = (), **settings: str | float) -> None:
        chosen: dict[str, str | int | float] = {
            "camera_id": "cam1",
            "frames_connect": "tcp://127.0.0.1:9",
            "bus_connect": "tcp://127.0.0.1:9",
            **settings,
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREROLL_")}
        environment |= {f"PREROLL_CAPTURE_{name.upper()}": str(value) for name, value in chosen.items()}
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, sys.executable, "-m", "services.capture"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout_s: float = 20) -> None:
        wait_until(lambda: text in self.output, timeout_s, f"{text!r} in the output")

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 10) -> tuple[int, float]:
        """Ask it to end: its exit code, and the seconds that it took."""
        began_s = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout_s)
        return code, time.monotonic() - began_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if value is not None:
            value.add_note(f"output of the capture:\n{self.output}")
