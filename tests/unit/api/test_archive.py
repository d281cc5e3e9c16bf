"""An event's archive, whatever date a clock has given it."""

import io
import zipfile
from pathlib import Path

import pytest

from services.api.archive import chunks_of
from tests.support.event_records import event


@pytest.mark.parametrize(
    ("unix_s", "dated"),
    [
        (5, (1980, 1, 1, 0, 0, 0)),
        (-5, (1980, 1, 1, 0, 0, 0)),
        (1_800_000_001, (2027, 1, 15, 8, 0, 0)),
        (4_400_000_000, (2107, 12, 31, 23, 59, 58)),
        (9_200_000_000, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_an_event_of_any_date_is_archived(tmp_path: Path, unix_s: int, dated: tuple[int, ...]) -> None:
    made = event("ev1").model_copy(update={"triggered_unix_ns": unix_s * 1_000_000_000})
    path = tmp_path / made.clips[0].files["clip"].path
    path.parent.mkdir()
    path.write_bytes(b"a clip")
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks_of(tmp_path, made, b"{}")))) as archive:
        assert archive.read("ev1/cam1.mp4") == b"a clip"
        assert {info.date_time for info in archive.infolist()} == {dated}
