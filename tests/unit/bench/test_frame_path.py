"""The price of a frame in counts: they do not depend on the machine, so a bound on them holds everywhere.

Whoever makes the path dearer on purpose raises the bound, and says why.
"""

import sys
from pathlib import Path

import pytest

from bench.frame_path import held_bytes_per_frame, instructions_per_frame
from preroll.keys import write_pairs

INSTRUCTIONS_MAX = 600
KEY_INSTRUCTIONS_MAX = 60
HELD_BYTES_MAX = 850


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 tells a tracer of no single instruction")
def test_a_frame_costs_few_python_instructions() -> None:
    assert 50 < instructions_per_frame() <= INSTRUCTIONS_MAX


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="Python 3.12 tells a tracer of no single instruction")
def test_to_hold_a_frame_against_its_key_costs_little_more(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    assert instructions_per_frame(tmp_path) <= INSTRUCTIONS_MAX + KEY_INSTRUCTIONS_MAX


def test_a_frame_in_the_ring_holds_little_besides_its_jpeg() -> None:
    assert 0 < held_bytes_per_frame() <= HELD_BYTES_MAX
