import errno
import io
import os
import zipfile
from pathlib import Path

import pytest

from services.api.archive import chunks_of
from services.api.clip_files import OutsideClips, open_under
from tests.support.recorder import clip_of, event_of


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    (root / "2026-01-01" / "ev1").mkdir(parents=True)
    (root / "2026-01-01" / "ev1" / "cam1.mp4").write_bytes(b"picture")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def test_a_file_under_the_clips_is_opened(clips: Path) -> None:
    with open_under(clips, "2026-01-01/ev1/cam1.mp4") as file:
        assert file.read() == b"picture"


@pytest.mark.parametrize(
    "path",
    ["../secret", "2026-01-01/../../secret", "/etc/passwd", "", ".", "2026-01-01//ev1", "a\0b", "2026-01-01/ev1"],
)
def test_no_path_leads_out_or_to_a_folder(clips: Path, path: str) -> None:
    with pytest.raises(OutsideClips):
        open_under(clips, path)


def test_no_link_is_followed(clips: Path, tmp_path: Path) -> None:
    (clips / "2026-01-01" / "ev1" / "link.mp4").symlink_to(tmp_path / "secret")
    (clips / "away").symlink_to(tmp_path)
    os.mkfifo(clips / "2026-01-01" / "ev1" / "pipe.mp4")
    for path in ("2026-01-01/ev1/link.mp4", "away/secret", "2026-01-01/ev1/pipe.mp4"):
        with pytest.raises(OutsideClips):
            open_under(clips, path)


def test_the_archive_holds_the_event_and_the_files_that_are_there(clips: Path) -> None:
    event = event_of("ev1", clip_of("cam1", clip=("2026-01-01/ev1/cam1.mp4", 7), poster=("2026-01-01/ev1/no.jpg", 1)))
    data = b"".join(chunks_of(clips, event, b"{}"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["ev1/event.json", "ev1/cam1.mp4"]
        assert archive.read("ev1/cam1.mp4") == b"picture"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_opened_now_is_not_said_to_be_missing(
    clips: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    event = event_of("ev1", clip_of("cam1", clip=("2026-01-01/ev1/cam1.mp4", 7)))

    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("services.api.clip_files.os.open", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as refused:
        open_under(clips, "2026-01-01/ev1/cam1.mp4")
    assert not isinstance(refused.value, OutsideClips | FileNotFoundError)
    with pytest.raises(OSError, match=os.strerror(number)):  # an archive that lacks it must not look whole
        b"".join(chunks_of(clips, event, b"{}"))
