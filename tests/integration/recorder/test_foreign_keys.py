"""What the key of one camera can do to the recorder, over real sockets with CURVE: lie about its own camera, no more."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq

from preroll import keys, sockets, wire
from preroll.clock import SystemClock
from preroll.guard import Guard
from preroll.keys import Keys
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from preroll.runtime.watchdog import Heartbeat
from preroll.security.permissions import CAMERAS_OF_A_KEY_MAX
from services.recorder.answers.replies import ReplyLoop
from services.recorder.cameras.ingest import Ingest
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import SECOND_RUN_SILENCE_NS, CameraTrack
from tests.support.waiting import wait_until

JPEG = b"\xff\xd8" + bytes(500) + b"\xff\xd9"
BOOT = "boot"
AT = wire.InstantRecord(boot_id=BOOT, monotonic_ns=1, unix_ns=1)
Context = zmq.Context[zmq.Socket[bytes]]


class Guarded:
    """The recorder's three sockets behind a guard, and who knocks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add("recorder", "api", "capture", "door", "press")
        self.clock = SystemClock()
        self.cameras = Cameras(5, 100_000_000, 10_000_000, 64, BOOT)
        self.asked: list[str] = []
        self.shutdown = Shutdown()
        self.context: Context = zmq.Context()
        self._ended = ExitStack()
        self.guard = Guard(self.context, Keys.load(folder, "recorder"))
        threads = Threads(self.shutdown)
        self.guard.start(threads)
        self.ingest = Ingest(self.context, "tcp://127.0.0.1:*", self.cameras, self.clock, self.guard.door("frames"))
        self.control = ReplyLoop(
            self.context, "tcp://127.0.0.1:*", self.answer(wire.decode_command), self.guard.door("control")
        )
        self.query = ReplyLoop(
            self.context, "tcp://127.0.0.1:*", self.answer(wire.decode_query), self.guard.door("query")
        )
        self.threads = [
            threads.start(run.__qualname__, partial(run, self.shutdown, Heartbeat("test", 60, print)))
            for run in (self.ingest.run, self.control.run, self.query.run)
        ]

    def answer(self, decode: Callable[[bytes], wire.Command | wire.Query]) -> Callable[[bytes], wire.Reply]:
        def answered(data: bytes) -> wire.Reply:
            self.asked.append(decode(data).type)
            return wire.Done()

        return answered

    def add(self, *names: str) -> None:
        keys.write_pairs(self.folder, names)

    def close(self) -> None:
        self.shutdown.request("test is over")
        for thread in self.threads:
            thread.join(5)
        self._ended.close()
        self.guard.close()
        self.context.destroy(linger=0)

    def connected(self, socket: zmq.Socket[bytes], port: int, name: str) -> zmq.Socket[bytes]:
        self._ended.enter_context(socket)
        socket.immediate = False
        sockets.connect(socket, f"tcp://127.0.0.1:{port}", Keys.load(self.folder, name).toward("recorder"))
        return socket

    def asks(self, name: str, port: int, message: Any) -> zmq.Socket[bytes]:
        socket = self.connected(sockets.requester(self.context), port, name)
        socket.send(wire.encode(message))
        return socket

    def publisher(self, name: str) -> "Publisher":
        socket = self.context.socket(zmq.XPUB)
        socket.linger = 0
        self.connected(socket, self.ingest.port, name)
        wait_until(lambda: socket.poll(0), 5, f"{name} is let in")
        return Publisher(self, socket, name)

    def track(self, camera_id: str) -> CameraTrack:
        return wait_until(lambda: self.cameras.get(camera_id), 5, f"{camera_id} is known")  # type: ignore[return-value]


class Publisher:
    """Who sends frames with one key."""

    def __init__(self, guarded: Guarded, socket: zmq.Socket[bytes], run_id: str) -> None:
        self._clock = guarded.clock
        self._socket = socket
        self._run_id = run_id
        self._seq = 0

    def frame(self, camera_id: str, seq: int | None = None, run_id: str = "") -> list[bytes]:
        now_ns = self._clock.monotonic_ns()
        self._seq += 1
        header = wire.FrameHeader(
            camera_id,
            BOOT,
            run_id or self._run_id,
            self._seq if seq is None else seq,
            0,
            now_ns,
            now_ns,
            "jpeg",
            True,
            640,
            360,
        )
        return [wire.topic_of(camera_id), wire.encode_header(header), JPEG]

    def send(self, parts: list[bytes]) -> None:
        self._socket.send_multipart(parts)

    def shows(self, camera_id: str) -> None:
        self.send(self.frame(camera_id))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path)
    try:
        yield made
    finally:
        made.close()


COMMANDS = [
    wire.StartEvent(event_id="ev", fingerprint="f", received=AT, age_ns=0),
    wire.ProtectEvent(event_id="ev", is_protected=False),
    wire.DeleteEvent(event_id="ev"),
    wire.AmendEvent(event_id="ev", post_s=0.0),
    wire.ForgetCamera(camera_id="press"),
]
QUERIES = [wire.ListEvents(), wire.GetEvent(event_id="ev"), wire.GetFrame(camera_id="press"), wire.GetHealth()]


def test_a_cameras_key_asks_nothing_and_commands_nothing(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    knocking = [guarded.asks("door", guarded.control.port, command) for command in COMMANDS]
    knocking += [guarded.asks("capture", guarded.query.port, query) for query in QUERIES]
    wait_until(lambda: guarded.guard.refused == len(knocking), 5)
    for name in ("api", "recorder"):  # the recorder's own key is for its health check
        for port in (guarded.query.port, guarded.control.port):
            message = wire.GetHealth() if port == guarded.query.port else COMMANDS[1]
            assert sockets.poll(guarded.asks(name, port, message), 5)
    assert guarded.asked == ["get_health", "protect_event"] * 2
    assert not any(sockets.poll(socket, 0) for socket in knocking)
    told = [record.fields for record in caplog.records if record.message == "peer refused"]  # type: ignore[attr-defined]
    assert {(facts["key"], facts["socket"]) for facts in told} <= {("door", "control"), ("capture", "query")}
    assert told


@pytest.mark.parametrize("name", ["api", "recorder"])
def test_a_services_key_sends_no_frames(guarded: Guarded, name: str) -> None:
    socket = guarded.context.socket(zmq.XPUB)
    socket.linger = 0
    guarded.connected(socket, guarded.ingest.port, name)
    wait_until(lambda: guarded.guard.refused == 1, 5)
    assert not socket.poll(0)


def test_one_cameras_key_adds_nothing_to_anothers_pictures(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    press, door = guarded.publisher("press"), guarded.publisher("door")
    press.shows("press")
    track = guarded.track("press")
    replayed = press.frame("press")
    forged = [
        door.frame("press"),
        door.frame("press", seq=2, run_id="press"),  # as if it went on
        replayed,
        [wire.topic_of("press"), b"\xc1", JPEG],
        [wire.topic_of("press"), door.frame("press")[1], b"no picture"],
        [wire.topic_of("press"), door.frame("door")[1], JPEG],
    ]
    for parts in forged:
        door.send(parts)
    wait_until(lambda: guarded.ingest.refused_foreign_key == len(forged), 5)
    door.send([wire.topic_of("door"), door.frame("press")[1], JPEG])  # under its own name, another's within
    door.send([wire.topic_of("yard"), door.frame("yard")[1], JPEG])
    door.shows("door-2")
    guarded.track("door-2")
    press.send(press.frame("press", seq=2))
    wait_until(lambda: track.frames == 2, 5)
    losses = track.losses()
    assert losses.refused_foreign_key == len(forged)
    assert losses.model_copy(update={"refused_foreign_key": 0}) == wire.Losses(), "another's figures are as they were"
    assert {track.camera_id for track in guarded.cameras} == {"press", "door-2"}
    assert "key 'door' does not speak for camera 'press', for which the key 'press' does" in caplog.text
    assert len([record for record in caplog.records if record.message.startswith("frame refused")]) <= 2


def test_the_shared_key_speaks_for_cameras_without_a_key_alone(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    shared = guarded.publisher("capture")
    for camera_id in ("press", "press-1", "door", "door-7", "api", "recorder"):
        shared.shows(camera_id)
    shared.shows("yard")
    guarded.track("yard")
    assert [track.camera_id for track in guarded.cameras] == ["yard"]
    assert guarded.ingest.refused_foreign_key == 6
    assert caplog.text.count("frame refused") <= 2


def test_a_camera_that_gets_a_key_is_lost_to_the_shared_one_at_once(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    shared = guarded.publisher("capture")
    shared.shows("yard-1")
    track = guarded.track("yard-1")
    guarded.add("yard")

    def refused() -> int:
        shared.shows("yard-1")
        return track.refused_foreign_key

    wait_until(refused, 5)
    frames = track.frames
    assert track.run_id == "capture"
    own = guarded.publisher("yard")
    track.received_ns -= 2 * SECOND_RUN_SILENCE_NS  # as if the run had been over for a while
    own.shows("yard-1")
    wait_until(lambda: track.run_id == "yard", 5)
    assert (track.frames, track.losses().restarts) == (frames + 1, 1)
    assert f"for which the key 'yard' does: give {guarded.folder}/yard, made by" in caplog.text


def test_a_key_that_is_removed_is_heard_no_longer_on_connections_that_stand(guarded: Guarded) -> None:
    door = guarded.publisher("door")
    door.shows("door")
    track = guarded.track("door")
    asking = guarded.asks("api", guarded.query.port, wire.GetHealth())
    assert sockets.poll(asking, 5)
    asking.recv()
    for name in ("door", "api"):
        (guarded.folder / "public" / f"{name}.client").unlink()

    def refused() -> int:
        door.shows("door")
        return track.refused_foreign_key

    wait_until(refused, 5)
    before = len(guarded.asked)
    asking.send(wire.encode(wire.GetHealth()))
    wait_until(lambda: guarded.query.refused == 1, 5)
    assert len(guarded.asked) == before
    assert not sockets.poll(asking, 0)


def test_a_key_that_is_replaced_is_heard_no_longer_under_the_same_name(guarded: Guarded) -> None:
    stolen = guarded.publisher("door")
    stolen.shows("door")
    track = guarded.track("door")
    for path in (*(guarded.folder / "public").glob("door.*"), *(guarded.folder / "door").iterdir()):
        path.unlink()
    guarded.add("door")

    def refused() -> int:
        stolen.shows("door")
        return track.refused_foreign_key

    wait_until(refused, 5)
    guarded.publisher("door")  # is let in


def test_one_key_cannot_take_the_places_of_all_cameras(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    door, press = guarded.publisher("door"), guarded.publisher("press")
    for number in range(100):
        door.shows(f"door-{number}")
    wait_until(lambda: guarded.ingest.refused_foreign_key == 100 - CAMERAS_OF_A_KEY_MAX, 5)
    press.shows("press")
    guarded.track("press")
    assert "key 'door' speaks for 16 cameras already, which is the limit" in caplog.text


def test_cameras_that_can_forge_one_another_are_stated_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made = Guarded(tmp_path)
    made.close()
    assert "cameras without a key of their own share the key 'capture' and can forge one another" in caplog.text
