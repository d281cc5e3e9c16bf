import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll import wire
from preroll.jpeg import JpegDamaged
from services.capture.numbering import Numbering
from services.capture.sources.source import Picture
from tests.support.frames import jpeg


def numbering() -> Numbering:
    return Numbering("cam1", "boot", "run", unix_offset_ns=5_000)


def picture(captured_ns: int) -> Picture:
    return Picture(jpeg(0), captured_ns)


def test_a_frame_states_what_it_is() -> None:
    header = numbering().frame_of(picture(700))
    assert header == wire.FrameHeader(
        "cam1", "boot", "run", 0, 0, 700, 5_700, "jpeg", keyframe=True, width=320, height=180
    )
    assert wire.decode_header(wire.encode_header(header)) == header


@pytest.mark.parametrize("damaged", [b"", jpeg(0)[:-40], b"\0" * 500, jpeg(0)[40:]])
def test_a_damaged_picture_takes_a_number_and_is_counted(damaged: bytes) -> None:
    numbers = numbering()
    numbers.frame_of(picture(1))
    with pytest.raises(JpegDamaged):
        numbers.frame_of(Picture(damaged, 2))
    after = numbers.frame_of(picture(3))
    assert (after.seq, after.rejected) == (2, 1)
    assert (numbers.frames, numbers.rejected) == (2, 1)


def test_a_damaged_picture_does_not_hold_up_time() -> None:
    numbers = numbering()
    with pytest.raises(JpegDamaged):
        numbers.frame_of(Picture(b"", 1_000_000))
    assert numbers.frame_of(picture(5)).monotonic_ns == 5


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_times_rise_strictly_and_a_rising_one_is_kept(times: list[int]) -> None:
    numbers = numbering()
    given_ns = [numbers.frame_of(picture(time)).monotonic_ns for time in times]
    assert all(later > earlier for earlier, later in itertools.pairwise(given_ns))
    assert all(given >= wished for given, wished in zip(given_ns, times, strict=True))
    assert given_ns[0] == times[0]
