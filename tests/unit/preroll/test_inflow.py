"""Who fills the memory is cut, and nobody else."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from preroll.clock import NS_PER_MS
from preroll.inflow import ALLOWED_BYTES, IDLE_MIN_BYTES, MB, Inflow
from preroll.linux.connections import Connection

TURN_NS = 100 * NS_PER_MS
FRAMES, CONTROL = 5550, 5551


@dataclass
class Machine:
    """A process and its connections. What a peer sends and nobody takes stays in memory until the peer is cut."""

    needed_bytes: int = 70 * MB
    free_bytes: int = 0  # freed, and not given back to the system
    admitted_bytes: int = 0
    received: dict[str, int] = field(default_factory=dict)
    stuck: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    is_drained: bool = True
    now_ns: int = 0

    def __post_init__(self) -> None:
        self.inflow = Inflow({FRAMES, CONTROL, 0}, 1.5, self, self.resident_bytes, self.give_back, lambda _: None)
        self.look()

    def resident_bytes(self) -> int:
        return self.needed_bytes + self.free_bytes + sum(self.stuck.values())

    def give_back(self) -> None:
        self.free_bytes = 0

    def accepted(self, ports: Collection[int]) -> list[Connection]:
        assert set(ports) == {FRAMES, CONTROL}
        return [Connection(name, f"{name}:1", count) for name, count in self.received.items()]

    def cut(self, ports: Collection[int], inodes: Collection[str]) -> list[str]:
        for name in inodes:
            del self.received[name]
            self.stuck.pop(name, None)
            self.gone.append(name)
        return sorted(inodes)

    def send(self, name: str, count: int) -> None:
        """Frames, which are taken."""
        self.received[name] = self.received.get(name, 0) + count
        self.admitted_bytes += count

    def fill(self, name: str, count: int) -> None:
        """Parts of a message that does not end."""
        if name not in self.gone:
            self.received[name] = self.received.get(name, 0) + count
            self.stuck[name] = self.stuck.get(name, 0) + count

    def look(self) -> None:
        self.now_ns += TURN_NS
        self.inflow.look(self.now_ns, 0, self.admitted_bytes, lambda: self.is_drained)


def test_a_peer_whose_message_does_not_end_is_cut_within_three_looks() -> None:
    machine = Machine()
    for _ in range(3):
        machine.send("camera", 9 * MB)
        machine.fill("stranger", 60 * MB)
        machine.look()
    assert machine.gone == ["stranger"]
    assert machine.resident_bytes() == 70 * MB
    assert machine.inflow.cut == 1


def test_a_fast_camera_beside_it_is_not_cut() -> None:
    machine = Machine()
    for _ in range(3):
        machine.send("camera", 12 * MB)
        machine.fill("stranger", 60 * MB)
        machine.look()
    assert machine.gone == ["stranger"]


def test_cameras_alone_are_never_cut_whatever_else_grows() -> None:
    machine = Machine()
    for turn in range(40):
        for number in range(50):
            machine.send(f"camera{number}", MB)
        machine.needed_bytes += 20 * MB if turn < 20 else 0
        machine.look()
    assert machine.gone == []
    assert machine.inflow.cut == 0


def test_what_grew_without_the_network_is_needed_from_then_on() -> None:
    machine = Machine()
    machine.needed_bytes += 2 * ALLOWED_BYTES
    for _ in range(20):
        machine.send("camera", MB)
        machine.look()
    before = machine.resident_bytes()
    for _ in range(3):
        machine.fill("stranger", ALLOWED_BYTES * 2 // 3)
        machine.look()
    assert machine.gone == ["stranger"]
    assert machine.resident_bytes() == before


def test_free_memory_that_was_not_given_back_is_nobodys_fault() -> None:
    machine = Machine()
    machine.free_bytes = 500 * MB
    for _ in range(20):
        machine.look()
    assert machine.resident_bytes() == 70 * MB
    assert machine.gone == []


def test_many_peers_of_which_none_is_fast_are_cut() -> None:
    machine = Machine()
    for _ in range(20):
        for number in range(100):
            machine.fill(f"stranger{number}", MB)
        machine.look()
        if machine.gone:
            break
    assert len(machine.gone) == 100
    assert machine.resident_bytes() == 70 * MB


def test_a_slow_peer_is_cut_too() -> None:
    machine = Machine()
    for _ in range(300):
        machine.fill("stranger", MB // 2)
        machine.look()
    assert machine.gone == ["stranger"]
    assert machine.resident_bytes() == 70 * MB


def test_one_that_filled_the_memory_and_waits_is_cut_and_those_that_go_on_are_not() -> None:
    machine = Machine()
    machine.fill("stranger", ALLOWED_BYTES + IDLE_MIN_BYTES)
    for _ in range(20):
        machine.send("camera", MB)
        machine.look()
    assert machine.gone == ["stranger"]


def test_whole_messages_that_wait_after_a_pause_are_left_time() -> None:
    machine = Machine()
    machine.is_drained = False
    machine.look()
    for name in ("cam1", "cam2"):
        machine.fill(name, 200 * MB)  # in the socket's queue
    for _ in range(10):
        machine.look()
    assert machine.gone == []
    for name in ("cam1", "cam2"):
        machine.admitted_bytes += machine.stuck.pop(name)
    machine.is_drained = True
    for _ in range(20):
        for name in ("cam1", "cam2"):
            machine.send(name, MB)
        machine.look()
    assert machine.gone == []


def test_memory_that_cannot_be_read_cuts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr(machine.inflow, "_resident", lambda: 0)
    machine.look()
    monkeypatch.undo()
    machine.send("camera", 200 * MB)
    for _ in range(20):
        machine.look()
    assert machine.gone == []
