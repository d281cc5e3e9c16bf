"""The journal: what it is given comes out of it, up to where it was cut."""

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.recorder.cameras.gaps import Hole
from services.recorder.clips.journal import FrameName, Journal, read_journal
from services.recorder.store.disk import Disk
from tests.support.clips import BOOT_ID, PERIOD_NS, Take
from tests.support.frames import frames

TAKE = Take.of(frames(6))
NAMES = [FrameName(frame.run_id, frame.seq, frame.t_ns) for frame in TAKE.frames]
HOLE = Hole("lost_on_wire", 5, 9, "run-a", 3, 2)


def write_journal(path: Path) -> bytes:
    journal = Journal(Disk(), path, TAKE.plan, BOOT_ID, PERIOD_NS)
    journal.write(NAMES[:2], (), TAKE.plan.window)
    journal.write(NAMES[2:], (HOLE,), TAKE.plan.window.ending_at(77))
    journal.close()
    return path.read_bytes()


def test_journal_gives_back_what_it_was_given(tmp_path: Path) -> None:
    write_journal(tmp_path / "j")
    record = read_journal(tmp_path / "j")
    assert record is not None
    assert record.plan == TAKE.plan
    assert record.window == replace(TAKE.plan.window, to_ns=77)
    assert (record.boot_id, record.period_ns) == (BOOT_ID, PERIOD_NS)
    assert list(record.frames) == NAMES
    assert record.holes == (HOLE,)


def test_journal_cut_at_any_byte_gives_its_whole_lines(tmp_path: Path) -> None:
    whole = write_journal(tmp_path / "j")
    counts = []
    for size_bytes in range(len(whole) + 1):
        (tmp_path / "j").write_bytes(whole[:size_bytes])
        record = read_journal(tmp_path / "j")
        counts.append(-1 if record is None else len(record.frames))
        assert record is None or list(record.frames) == NAMES[: counts[-1]]
    assert counts == sorted(counts)
    assert set(counts) == set(range(-1, 7))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        path.write_bytes(data + b"\n")
        assert read_journal(path) is None


def test_missing_journal_is_none(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") is None
