"""Cameras that only send bytes: a process that serves or publishes the frames of the footage by a fixed schedule.

`python -m bench.feeders http FILE FPS STATE PORT`: an MJPEG camera at every path; `/<n>` shifts its phase.
`python -m bench.feeders zmq FILE FPS STATE ADDRESS CAMERA...`: publishes as captures do.
"""

import json
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

import zmq

from bench.schedule import Schedule
from preroll import sockets, wire
from preroll.clock import NS_PER_MS, NS_PER_S, read_boot_id
from tests.support import premade

BEHIND_MAX: Final = 15  # a camera whose line is blocked for longer than half a second leaves frames out
GOLDEN: Final = 0.618  # spreads the cameras' phases evenly, however many there are
SEND_TIMEOUT_S: Final = 10
_OPENING: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\nConnection: close\r\n\r\n"
)


class Pace:
    """Waits until a frame is due, and notes by the second how late it was."""

    def __init__(self, schedule: Schedule, state: Path) -> None:
        self.schedule = schedule
        self.late_ms: dict[int, float] = {}
        self.skipped: dict[int, int] = {}
        self._state = state

    def wait(self, due_ns: int) -> None:
        wait_ns = due_ns - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / NS_PER_S)
        late_ms = (time.monotonic_ns() - due_ns) / NS_PER_MS
        second = self._second()
        if late_ms > self.late_ms.get(second, 0):
            self.late_ms[second] = late_ms

    def skip(self, count: int) -> None:
        second = self._second()
        self.skipped[second] = self.skipped.get(second, 0) + count

    def write(self) -> None:
        part = self._state.with_suffix(".part")
        schedule = self.schedule
        said = {
            "began_ns": schedule.began_ns,
            "period_ns": schedule.period_ns,
            "frames": schedule.frames,
            "late_ms": self.late_ms,
            "skipped": self.skipped,
        }
        part.write_text(json.dumps(said))
        part.rename(self._state)

    def _second(self) -> int:
        return (time.monotonic_ns() - self.schedule.began_ns) // NS_PER_S


def serve(port: int, jpegs: list[bytes], pace: Pace, ended: threading.Event) -> None:
    """An MJPEG camera for everyone who connects."""
    parts = [
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg) for jpeg in jpegs
    ]
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        listener.settimeout(0.2)
        pace.write()
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_stream, args=(connection, parts, pace, ended), daemon=True).start()


def _stream(connection: socket.socket, parts: list[bytes], pace: Pace, ended: threading.Event) -> None:
    schedule = pace.schedule
    with connection:
        try:
            connection.settimeout(SEND_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            path = connection.recv(65_536).split(b" ", 2)[1].strip(b"/")
            phase_ns = round(int(path or b"0") * GOLDEN % 1 * schedule.period_ns)
            connection.sendall(_OPENING)
            n = int(schedule.at(time.monotonic_ns())) + 1
            while not ended.is_set():
                behind = int(schedule.at(time.monotonic_ns() - phase_ns)) - n
                if behind > BEHIND_MAX:
                    pace.skip(behind)
                    n += behind
                pace.wait(schedule.due_ns(n) + phase_ns)
                connection.sendall(parts[n % len(parts)])
                n += 1
        except (OSError, IndexError, ValueError):
            return  # whoever asked has gone, or did not ask as a browser does


def publish(address: str, camera_ids: list[str], jpegs: list[bytes], pace: Pace, ended: threading.Event) -> None:
    """Frames of all cameras straight over ZeroMQ, each camera a part of a period after the other."""
    boot_id = read_boot_id()
    schedule = pace.schedule
    unix_offset_ns = time.time_ns() - time.monotonic_ns()
    topics = [wire.topic_of(camera_id) for camera_id in camera_ids]
    with zmq.Context[zmq.Socket[bytes]]() as context:
        publishers = [sockets.publisher(context) for _ in camera_ids]
        for publisher in publishers:
            publisher.connect(address)
        pace.write()
        turn = 0
        while not ended.is_set():
            n, which = divmod(turn, len(camera_ids))
            pace.wait(schedule.due_ns(n) + which * schedule.period_ns // len(camera_ids))
            now_ns = time.monotonic_ns()
            header = wire.FrameHeader(
                camera_ids[which],
                boot_id,
                f"bench-{schedule.began_ns}",
                n,
                0,
                now_ns,
                now_ns + unix_offset_ns,
                "jpeg",
                True,
                1920,
                1080,
            )
            parts = [topics[which], wire.encode_header(header), jpegs[n % len(jpegs)]]
            publishers[which].send_multipart(parts, zmq.DONTWAIT, copy=False, track=False)
            turn += 1
        for publisher in publishers:
            publisher.close()


def main(arguments: list[str]) -> int:
    """Feed until told to end; then say how well the schedule was kept."""
    kind, file, fps, state, where, *camera_ids = arguments
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    jpegs = premade.read(Path(file))
    schedule = Schedule(time.monotonic_ns() + NS_PER_S // 10, round(NS_PER_S / float(fps)), len(jpegs))
    pace = Pace(schedule, Path(state))
    if kind == "http":
        serve(int(where), jpegs, pace, ended)
    else:
        publish(where, camera_ids, jpegs, pace, ended)
    pace.write()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
