"""The price of a frame in counts: they do not depend on the machine, so a bound on them holds everywhere.

Whoever makes the path dearer on purpose raises the bound, and says why.
"""

import sys

import pytest

from bench.frame_path import held_bytes_per_frame, instructions_per_frame

INSTRUCTIONS_MAX = 600
HELD_BYTES_MAX = 850


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 tells a tracer of no single instruction")
def test_a_frame_costs_few_python_instructions() -> None:
    assert 50 < instructions_per_frame() <= INSTRUCTIONS_MAX


def test_a_frame_in_the_ring_holds_little_besides_its_jpeg() -> None:
    assert 0 < held_bytes_per_frame() <= HELD_BYTES_MAX
