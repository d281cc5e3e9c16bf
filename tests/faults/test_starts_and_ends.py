"""Starts that take long or fail, and the ends that follow: orderly, soon, with a code and a word that say why."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from preroll.clock import SystemClock, read_boot_id
from tests.support.processes import REPOSITORY, Json, ServiceProcess, free_ports
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

END_S = 6.0


class Recorder:
    """A recorder process alone."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._context = context
        self.clips_dir = folder / "clips"
        self.clips_dir.mkdir()
        frames, control, query = (f"tcp://127.0.0.1:{port}" for port in free_ports(3))
        self.control, self.query = control, query
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREROLL_")}
        self.environment = {
            **kept,
            "PREROLL_RECORDER_FRAMES_BIND": frames,
            "PREROLL_RECORDER_CONTROL_BIND": control,
            "PREROLL_RECORDER_QUERY_BIND": query,
            "PREROLL_RECORDER_BUS_CONNECT": "tcp://127.0.0.1:9",
            "PREROLL_RECORDER_CLIPS_DIR": str(self.clips_dir),
            "PREROLL_RECORDER_WATCHDOG_S": "2",
        }
        self.process = ServiceProcess("services.recorder", self.environment, folder / "recorder.log")

    def ask(self, address: str, message: wire.Command | wire.Query) -> wire.Reply | None:
        answer = sockets.request(self._context, address, wire.encode(message), 1)
        return None if answer is None else wire.decode_reply(answer)

    def health(self) -> wire.Reply | None:
        return self.ask(self.query, wire.GetHealth())

    def trigger(self) -> wire.Reply | None:
        clock = SystemClock()
        now = wire.InstantRecord(boot_id=read_boot_id(), monotonic_ns=clock.monotonic_ns(), unix_ns=clock.unix_ns())
        return self.ask(self.control, wire.StartEvent(event_id="ev1", fingerprint="f", received=now, age_ns=0))

    def wait_ready(self) -> None:
        wait_until(lambda: isinstance(self.health(), wire.HealthReply), 15, "it is ready")

    def wait_starting(self) -> None:
        def is_starting() -> bool:
            reply = self.health()
            return isinstance(reply, wire.Refused) and reply.code == "starting"

        wait_until(is_starting, 15, "it says that it starts")

    def is_healthy(self) -> bool:
        """What the container's health check says."""
        done = subprocess.run(
            [sys.executable, "-m", "services.recorder", "health"], cwd=REPOSITORY, env=self.environment, check=False
        )
        return done.returncode == 0

    def errors(self) -> list[Json]:
        lines = [line for line in self.process.log_text().splitlines() if line.startswith("{")]
        return [record for record in map(json.loads, lines) if record["level"] == "ERROR"]

    def end(self) -> int:
        """Its exit code after a SIGTERM, which it must follow soon and without a crash."""
        began_s = time.monotonic()
        code = self.process.stop(signal.SIGTERM)
        assert time.monotonic() - began_s < END_S, self.process.log_tail()
        assert "Fatal" not in self.process.log_text()
        return code


@pytest.fixture
def recorder(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(context, tmp_path)
    yield made
    if made.process.is_running:
        made.process.kill()


@pytest.fixture
def held_up(recorder: Recorder) -> Iterator[Recorder]:
    """A recorder whose start waits for its index, which another program has locked."""
    other = sqlite3.connect(recorder.clips_dir / "index.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    recorder.process.start()
    recorder.wait_starting()
    yield recorder
    other.close()


def test_a_start_that_is_held_up_answers_and_ends_when_it_is_asked_to(held_up: Recorder) -> None:
    refused = held_up.trigger()
    assert isinstance(refused, wire.Refused)
    assert refused.code == "starting"
    assert held_up.is_healthy()
    assert held_up.end() == 0
    assert not list(held_up.clips_dir.glob("*damaged*"))


def test_a_second_signal_ends_a_start_at_once(held_up: Recorder) -> None:
    held_up.process.signal(signal.SIGTERM)
    held_up.process.signal(signal.SIGINT)
    assert held_up.process.wait(1) in {128 + signal.SIGTERM, 128 + signal.SIGINT}


def test_an_index_that_is_overwritten_while_it_runs_costs_no_crash(recorder: Recorder) -> None:
    recorder.process.start()
    recorder.wait_ready()
    for path in recorder.clips_dir.glob("index.sqlite*"):
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(os.urandom(size))
    recorder.trigger()
    assert recorder.end() in {0, 1}


def test_a_clips_dir_that_is_a_file_is_named(recorder: Recorder) -> None:
    recorder.clips_dir.rmdir()
    recorder.clips_dir.write_text("")
    recorder.process.start()
    assert recorder.process.wait(15) == 1
    assert str(recorder.clips_dir) in recorder.errors()[0]["message"]


def test_a_signal_at_any_moment_of_the_start_ends_it_without_a_crash(recorder: Recorder) -> None:
    for delay_s in (0.4, 0.7, 0.9, 1.1):
        recorder.process.start()
        began_s = time.monotonic()
        wait_until(lambda began_s=began_s, delay_s=delay_s: time.monotonic() - began_s > delay_s, 5)  # type: ignore[misc]
        assert recorder.end() in {0, -signal.SIGTERM}  # by the signal itself before it is watched
