"""The recorder as a whole in this process: how it starts, what its errors cost, and how it ends."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from preroll.bus import BusSender
from preroll.clock import SystemClock, read_boot_id
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.answers.status import Status
from services.recorder.clips.writer import ClipWriter
from services.recorder.events.events import Events
from services.recorder.service import Recorder
from services.recorder.settings import RecorderSettings
from services.recorder.stages import Stages
from services.recorder.store.folder_lock import FolderLock
from services.recorder.store.index import Index
from tests.support.frames import jpeg
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]
ANSWER_S = 2.0


class Running:
    """A recorder on a thread; `end` ends it, and says whether it came to its end orderly."""

    def __init__(self, context: Context, folder: Path, **settings: float) -> None:
        self.context = context
        self.shutdown = Shutdown()
        self.threads = Threads(self.shutdown, print)
        self.clock = SystemClock()
        bus = BusSender(context, "inproc://nobody", "recorder", "here", self.clock)
        self.settings = RecorderSettings(
            frames_bind="tcp://127.0.0.1:*",
            control_bind="tcp://127.0.0.1:*",
            query_bind="tcp://127.0.0.1:*",
            clips_dir=folder,
            format="mjpeg",
            pre_s=0.2,
            post_s=0.2,
            **settings,  # type: ignore[arg-type]
        )
        self.lock = FolderLock(folder)
        assert self.lock.take(self.shutdown)
        self.recorder = Recorder(self.settings, context, bus, None, self.shutdown, self.threads, self.lock)
        self.outcomes: list[bool] = []
        self.thread = threading.Thread(target=lambda: self.outcomes.append(self.recorder.run()), name="recorder")
        self.thread.start()

    def ask(self, message: wire.Command | wire.Query) -> wire.Reply | None:
        is_query = isinstance(message, wire.GetHealth | wire.GetFrame | wire.ListCameras | wire.GetEvent)
        loop = self.recorder._queries if is_query else self.recorder._control
        address = f"tcp://127.0.0.1:{loop.port}"
        answer = sockets.request(self.context, address, wire.encode(message), ANSWER_S)
        return None if answer is None else wire.decode_reply(answer)

    def trigger(self, event_id: str = "ev1") -> wire.Reply | None:
        now = wire.InstantRecord(
            boot_id=read_boot_id(), monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns()
        )
        return self.ask(wire.StartEvent(event_id=event_id, fingerprint="f", received=now, age_ns=0))

    def is_ready(self) -> bool:
        return isinstance(self.ask(wire.GetHealth()), wire.HealthReply)

    def send_frame(self, seq: int) -> None:
        with sockets.publisher(self.context) as socket:
            socket.linger = 1000
            socket.connect(f"tcp://127.0.0.1:{self.recorder._ingest.port}")
            header = wire.FrameHeader(
                camera_id="cam1",
                boot_id=read_boot_id(),
                run_id="run",
                seq=seq,
                rejected=0,
                monotonic_ns=self.clock.monotonic_ns(),
                unix_ns=self.clock.unix_ns(),
                codec="jpeg",
                keyframe=True,
                width=64,
                height=48,
            )

            def has_come() -> bool:
                socket.send_multipart([wire.topic_of("cam1"), wire.encode_header(header), jpeg(0)])
                return "cam1" in {track.camera_id for track in self.recorder._cameras if track.frames}

            wait_until(has_come, 5, "the frame has come")

    def end(self) -> bool:
        self.shutdown.request("the test is over")
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.threads.close()
        self.lock.close()
        return self.outcomes == [True]


@pytest.fixture
def started(context: Context, tmp_path: Path) -> Iterator[list[Running]]:
    """What a test has started; ended after it."""
    running: list[Running] = []
    yield running
    for each in running:
        each.end()


class Gate:
    """Holds the resuming of a recorder until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open = threading.Event()
        self.is_reached = threading.Event()
        resume = Stages.resume

        def held(stages: Stages, shutdown: Shutdown) -> None:
            self.is_reached.set()
            while not self.is_open.wait(0.01) and not shutdown.requested:
                pass
            resume(stages, shutdown)

        monkeypatch.setattr(Stages, "resume", held)


def test_who_asks_while_it_starts_is_told_so_and_frames_are_taken(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Running]
) -> None:
    gate = Gate(monkeypatch)
    running = Running(context, tmp_path)
    started.append(running)
    assert gate.is_reached.wait(5)
    for reply in (running.trigger(), running.ask(wire.GetHealth())):
        assert isinstance(reply, wire.Refused)
        assert reply.code == "starting"
    running.send_frame(0)
    gate.is_open.set()
    wait_until(running.is_ready, 5, "it is ready")
    assert isinstance(running.ask(wire.GetFrame(camera_id="cam1")), wire.FrameReply)
    assert isinstance(running.trigger(), wire.EventReply)


def test_a_request_to_end_while_it_starts_ends_it_and_leaves_the_rest_for_the_next_start(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Running]
) -> None:
    gate = Gate(monkeypatch)
    running = Running(context, tmp_path)
    started.append(running)
    assert gate.is_reached.wait(5)
    assert running.end()
    assert running.shutdown.exit_code == 0


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), MemoryError(), KeyError("odd")])
def test_a_start_that_fails_ends_it_orderly(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Running], error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Stages, "resume", fail)
    running = Running(context, tmp_path)
    started.append(running)
    assert running.shutdown.wait(5)
    assert running.shutdown.exit_code == 1
    assert type(error).__name__ in running.shutdown.reason
    assert running.end()


def test_an_index_that_cannot_be_opened_ends_it_orderly(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Running]
) -> None:
    def fail(*_: object) -> Index:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(Index, "open", fail)
    running = Running(context, tmp_path)
    started.append(running)
    assert running.shutdown.wait(5)
    assert running.end()
    assert running.shutdown.exit_code == 1


@pytest.mark.parametrize(
    ("part", "method"), [(Events, "tick"), (Status, "tell"), (Index, "remember_cameras"), (Events, "follow_up")]
)
def test_an_error_of_housekeeping_ends_nothing(
    context: Context,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[Running],
    part: type,
    method: str,
) -> None:
    failures: list[int] = []

    def fail(*_: object, **__: object) -> None:
        failures.append(1)
        raise ValueError("odd")

    monkeypatch.setattr(part, method, fail)
    running = Running(context, tmp_path)
    started.append(running)
    wait_until(running.is_ready, 5, "it is ready")
    running.send_frame(0)
    assert isinstance(running.trigger(), wire.EventReply)
    wait_until(lambda: failures, 5, "it has failed")
    assert isinstance(running.trigger("ev2"), wire.EventReply)
    assert not running.shutdown.requested


def test_a_thread_that_fails_ends_it_and_its_clips_are_closed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Running]
) -> None:
    running = Running(context, tmp_path)
    started.append(running)
    wait_until(running.is_ready, 5, "it is ready")
    running.send_frame(0)
    assert isinstance(running.trigger(), wire.EventReply)

    def fail(_: object) -> bytes:
        raise zmq.ZMQError(zmq.ENOTSOCK)

    monkeypatch.setattr(running.recorder._queries, "_receive", fail)
    monkeypatch.setattr(running.recorder._queries, "_answer_next", running.recorder._queries._answer_one)
    with contextlib.suppress(AssertionError):
        running.ask(wire.GetHealth())
    assert running.shutdown.wait(5)
    assert "thread queries failed" in running.shutdown.reason
    assert running.end()
    assert running.shutdown.exit_code == 1
    index = Index.open(tmp_path / "index.sqlite")
    event = index.get("ev1")
    index.close()
    assert event is not None
    assert event.clips[0].state != "recording"


def test_a_writer_that_waits_for_its_thread_is_counted_for_the_next_trigger(
    context: Context, tmp_path: Path, started: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(context, tmp_path)
    started.append(running)
    wait_until(running.is_ready, 10, "the recorder answers")
    running.send_frame(0)
    archive = running.recorder._archive
    assert archive is not None

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as scarce:
        scarce.setattr(ClipWriter, "start", refuse)
        assert isinstance(running.trigger(), wire.EventReply)
        wait_until(lambda: archive._supply().threads_owed == 1, 5, "its writer is promised a thread")
    wait_until(lambda: archive._supply().threads_owed == 0, 5, "its writer has its thread")
