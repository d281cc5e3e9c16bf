"""Descriptors are few, or a stranger takes them: nothing ends, no frame is lost, and it heals by itself."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)


@contextlib.contextmanager
def idle_connections(address: str, count: int) -> Iterator[list[socket.socket]]:
    """TCP connections that never say anything."""
    host, port = address.removeprefix("tcp://").split(":")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, int(port)), 5)) for _ in range(count)]


def soft_limit(pid: int) -> int:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(int(line.split()[3]) for line in lines if line.startswith("Max open files"))


def open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_idle_connections_to_the_frames_port_cost_nothing_and_are_let_go(tmp_path: Path) -> None:
    """They take all descriptors that the recorder may have."""
    few = ("prlimit", "--nofile=256:512", "--")
    with System(tmp_path) as system:
        system.start("api", within=few)
        recorder = system.start("recorder", within=few)
        system.start_capture("cam1", within=few)
        system.wait_ready()
        assert {soft_limit(process.pid) for process in system.services.values()} == {512}
        usual = open_descriptors(recorder.pid)
        with idle_connections(system.frames_address, 512 - usual + 50):
            wait_until(lambda: open_descriptors(recorder.pid) >= 512, 5, "the recorder has no descriptor left")
            system.wait_frames(30, "cam1")
            wait_until(lambda: open_descriptors(recorder.pid) <= usual + 5, 20, "those that say nothing are let go")
        losses = system.cameras()["cam1"]["losses"]
        assert set(losses.values()) == {0}, losses
        system.wait_ready()
        system.wait_state(system.trigger(pre_s=0.5, post_s=0.2)["event_id"], "ready")


def test_more_events_than_there_are_descriptors_for_are_refused_and_those_accepted_are_whole(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start("api")
        system.start("recorder", within=("prlimit", "--nofile=160:160", "--"), format="mjpeg")
        system.start_capture("cam1")
        system.wait_ready()
        system.wait_ring(1, "cam1")
        accepted: list[str] = []
        while (answer := system.http.post("/trigger", json={"pre_s": 0.5, "post_s": 2})).status_code == 202:
            accepted.append(answer.json()["event_id"])
            assert len(accepted) < 100
        assert (answer.status_code, answer.json()["code"]) == (503, "out_of_descriptors"), answer.text
        ready = system.http.get("/readyz")
        assert (ready.status_code, ready.json()["missing"][0][:20]) == (503, answer.json()["detail"][:20])
        assert len(accepted) > 5
        for event_id in accepted:
            (clip,) = system.wait_state(event_id, "ready")["clips"]
            assert clip["complete"] is True, clip
        system.wait_ready()
