"""What frames have left goes back to the system, seldom, and when it is much."""

import sys

import pytest

from preroll.clock import NS_PER_S
from preroll.process import resident_bytes
from services.recorder.cameras.heap import LOOK_EVERY_NS, Heap

MB = 1_000_000
HELD = 1_000 * MB


class Memory:
    """A process of so much, of which some is given back when it is asked to."""

    def __init__(self) -> None:
        self.resident = HELD + 60 * MB
        self.free = 0
        self.trims = 0
        self.heap = Heap(self._trim, lambda: self.resident)
        self._now_ns = 0

    def _trim(self) -> None:
        self.trims += 1
        self.resident -= self.free
        self.free = 0

    def grow(self, by: int, free: int) -> None:
        self.resident += by
        self.free += free

    def look(self, held: int = HELD) -> None:
        self._now_ns += LOOK_EVERY_NS
        self.heap.settle(self._now_ns, held)


def test_a_twentieth_may_lie_free() -> None:
    memory = Memory()
    memory.look()
    memory.grow(by=50 * MB, free=50 * MB)
    memory.look()
    assert memory.trims == 0


def test_what_is_more_is_given_back() -> None:
    memory = Memory()
    memory.look()
    memory.grow(by=60 * MB, free=60 * MB)
    memory.look()
    assert memory.trims == 1
    assert memory.resident == HELD + 60 * MB


def test_rings_that_shrink_take_the_process_with_them() -> None:
    memory = Memory()
    memory.look()
    memory.free = 500 * MB
    memory.look(held=HELD - 500 * MB)
    assert memory.resident == HELD - 440 * MB


def test_what_the_rest_has_come_to_need_is_asked_for_once() -> None:
    memory = Memory()
    memory.look()
    memory.grow(by=100 * MB, free=0)
    for _ in range(5):
        memory.look()
    assert memory.trims == 1


def test_what_the_rest_no_longer_needs_counts_as_free_when_it_comes_back() -> None:
    memory = Memory()
    memory.grow(by=100 * MB, free=0)
    memory.look()
    memory.grow(by=-100 * MB, free=0)
    memory.look()
    memory.grow(by=100 * MB, free=100 * MB)
    memory.look()
    assert memory.trims == 1


def test_it_looks_every_two_seconds() -> None:
    looks = 0

    def resident() -> int:
        nonlocal looks
        looks += 1
        return HELD

    heap = Heap(lambda: None, resident)
    for tenth in range(100):
        heap.settle(tenth * NS_PER_S // 10, HELD)
    assert looks == 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone gives back")
def test_the_allocator_does_give_back() -> None:
    blocks = [b"\x01" * 100_000 + bytes([number % 256]) for number in range(1_000)]
    heap = Heap()
    heap.settle(1, 100 * MB)
    full = resident_bytes()
    del blocks[::2]  # no two lie side by side: the allocator keeps what they leave
    kept = resident_bytes()
    heap.settle(1 + LOOK_EVERY_NS, 50 * MB)
    assert kept > full - 10 * MB
    assert resident_bytes() < full - 40 * MB
