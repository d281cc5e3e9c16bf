"""A flood of log records, viewers that read it and clients that read nothing, all driven by one thread.

flood = Flood(context, system, viewers=20, stalled_logs=50, stalled_live=20)
outcome = flood.run(duration_s=10, records_per_s=1000)
"""

import contextlib
import re
import select
import selectors
import socket
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import zmq

from preroll import sockets, wire
from tests.support.processes import System
from tests.support.waiting import wait_until

_RECORD: Final = re.compile(rb'"message":"flood (\d+) (\d+) ')
_PADDING: Final = "." * 80
_STEP_S: Final = 0.005
_DRAIN_S: Final = 15.0


def memory_bytes(pid: int) -> int:
    """The resident memory of a process."""
    (line,) = [text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


class Viewer:
    """A client of /logs that reads, and notes each record's number and how long it was on its way."""

    def __init__(self, port: int) -> None:
        self.socket = _asking(port, "/logs?replay=none")
        self.socket.setblocking(False)
        self.numbers = array("q")
        self.delays_s = array("d")
        self.drops = 0
        self._rest = b""

    def read(self) -> None:
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        assert data, "the API has closed a healthy viewer's stream"
        now_ns = time.monotonic_ns()
        whole, cut, rest = (self._rest + data).rpartition(b"\n\n")
        self._rest = rest
        self.drops += (whole + cut).count(b"event: dropped")
        for found in _RECORD.finditer(whole + cut):
            self.numbers.append(int(found[1]))
            self.delays_s.append((now_ns - int(found[2])) / 1e9)


@dataclass(slots=True)
class Outcome:
    """What the flood has shown."""

    sent: int = 0
    cut_off: int = 0  # stalled clients that the API let go; each was replaced by a new one
    memory: list[int] = field(default_factory=list)  # of the API, four times a second, in bytes

    @property
    def growth_bytes(self) -> int:
        """How far the memory rose in the second half over what it had reached in the first."""
        half = len(self.memory) // 2
        return max(self.memory[half:]) - max(self.memory[:half])


class Flood:
    """Its clients are connected from `__enter__` to `__exit__`."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        system: System,
        viewers: int,
        stalled_logs: int,
        stalled_live: int,
    ) -> None:
        self._system = system
        self._bus = sockets.bus_sender(context)
        self._viewers_wanted = viewers
        self._stalled_wanted = ["/logs?replay=none"] * stalled_logs + ["/cameras/cam1/live"] * stalled_live
        self._stalled: dict[int, tuple[socket.socket, str]] = {}
        self._gone = select.poll()
        self._readable = selectors.DefaultSelector()
        self.viewers: list[Viewer] = []

    def __enter__(self) -> Self:
        self._bus.connect(self._system.bus_address)
        for _ in range(self._viewers_wanted):
            viewer = Viewer(self._system.http_port)
            self._readable.register(viewer.socket, selectors.EVENT_READ, viewer)
            self.viewers.append(viewer)
        for path in self._stalled_wanted:
            self._stall(path)
        wanted = self._viewers_wanted + sum(path.startswith("/logs") for path in self._stalled_wanted)
        wait_until(lambda: self.status()["log_clients"] == wanted, 20, f"{wanted} log clients")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._readable.close()
        for viewer in self.viewers:
            viewer.socket.close()
        for stalled, _ in self._stalled.values():
            stalled.close()
        self._bus.close()

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._system.http.get("/status").json()
        return answer

    def run(self, duration_s: float, records_per_s: float) -> Outcome:
        """Send at that rate for so long, then wait until every viewer has the last record."""
        outcome = Outcome()
        pid = self._system.services["api"].pid
        began_s = time.monotonic()
        while (elapsed_s := time.monotonic() - began_s) < duration_s:
            while outcome.sent < int(elapsed_s * records_per_s):
                self._say(outcome.sent)
                outcome.sent += 1
            self._read(_STEP_S)
            outcome.cut_off += self._replace_gone()
            if len(outcome.memory) < elapsed_s * 4:
                outcome.memory.append(memory_bytes(pid))
        deadline_s = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline_s and any(len(viewer.numbers) < outcome.sent for viewer in self.viewers):
            self._read(0.1)
        return outcome

    def wait_stalled_let_go(self, timeout_s: float) -> None:
        """Go on talking until the API has let go of every client that reads nothing; replace none."""
        self._gone = select.poll()
        number = 10**9
        deadline_s = time.monotonic() + timeout_s
        while True:
            for _ in range(50):
                self._say(number)
                number += 1
            self._read(0.05)
            status = self.status()
            if status["log_clients"] == len(self.viewers) and status["live_clients"] == 0:
                return
            assert time.monotonic() < deadline_s, status

    def _say(self, number: int) -> None:
        record = wire.LogMessage(
            service="capture",
            instance="flood",
            sender_id="flood",
            number=number,
            unix_ns=time.time_ns(),
            level="INFO",
            logger="flood",
            message=f"flood {number} {time.monotonic_ns()} {_PADDING}",
            fields={"camera_id": "cam1"},
        )
        self._bus.send(wire.encode(record))

    def _read(self, timeout_s: float) -> None:
        for key, _ in self._readable.select(timeout_s):
            key.data.read()

    def _stall(self, path: str) -> None:
        stalled = _asking(self._system.http_port, path, receive_bytes=4096)
        self._stalled[stalled.fileno()] = (stalled, path)
        self._gone.register(stalled.fileno(), 0)  # only hang-ups and errors: there is always something to read

    def _replace_gone(self) -> int:
        gone = self._gone.poll(0)
        for number, _ in gone:
            stalled, path = self._stalled.pop(number)
            self._gone.unregister(number)
            stalled.close()
            self._stall(path)
        return len(gone)


def _asking(port: int, path: str, receive_bytes: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_bytes is not None:
        with contextlib.suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client
