"""Names and places in the clips directory, and removing events."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from preroll.clock import NS_PER_S
from services.recorder.store.disk import OutOfDescriptors, WriteFailed, translated
from services.recorder.store.files import ClipsDir, sha256_of
from services.recorder.store.names import camera_of_sidecar
from services.recorder.store.output_file import OutputFile
from tests.support.disks import FailingDisk, FullDisk, WatchedDisk

ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_folder_is_the_utc_date_of_the_trigger_and_the_event() -> None:
    assert ClipsDir.folder_of("ev-1", 1_795_564_799 * NS_PER_S) == "2026-11-24/ev-1"
    assert ClipsDir.folder_of("ev-1", 1_795_564_800 * NS_PER_S) == "2026-11-25/ev-1"


def test_files_of_a_clip_have_the_names_that_the_design_gives() -> None:
    paths = ClipsDir(Path("/clips")).clip("2026-11-25/ev1", "cam1")
    assert {kind: path.as_posix() for kind, path in paths.by_kind().items()} == {
        "clip": "/clips/2026-11-25/ev1/cam1.mp4",
        "original": "/clips/2026-11-25/ev1/cam1.original.mp4",
        "poster": "/clips/2026-11-25/ev1/cam1.jpg",
        "sidecar": "/clips/2026-11-25/ev1/cam1.json",
    }
    assert paths.original_part.name == "cam1.original.mp4.part"


def test_file_is_synced_before_it_gets_its_name_and_its_folder_after(tmp_path: Path) -> None:
    order: list[str] = []

    class Noting(WatchedDisk):
        def before(self, call: str, number: int) -> None:
            order.append(call)

    ClipsDir(tmp_path, Noting()).write_durably(tmp_path / "event.json", b"{}")
    assert order == ["create", "write", "sync", "replace", "sync_folder"]


def test_new_folders_are_made_durable_from_the_top(tmp_path: Path) -> None:
    disk = WatchedDisk()
    ClipsDir(tmp_path, disk).make_folder(tmp_path / "2026-11-25" / "ev1")
    assert (tmp_path / "2026-11-25" / "ev1").is_dir()
    assert disk.calls["sync_folder"] == 2


def remove(clips: ClipsDir, folder: str) -> None:
    """As a deletion does, in its two steps."""
    doomed = clips.doom(folder)
    if doomed is not None:
        clips.remove_doomed(doomed)


def test_removed_event_is_gone_and_its_empty_date_with_it(tmp_path: Path) -> None:
    clips = ClipsDir(tmp_path)
    clips.write_durably(clips.event_file("2026-11-25/ev1"), b"{}")
    clips.write_durably(clips.event_file("2026-11-25/ev2"), b"{}")
    remove(clips, "2026-11-25/ev1")
    assert list(clips.folders()) == ["2026-11-25/ev2"]
    remove(clips, "2026-11-25/ev2")
    assert list(tmp_path.iterdir()) == []


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    assert ClipsDir(tmp_path).doom("2026-11-25/ev1") is None


def test_removal_that_a_crash_interrupted_is_ended_at_start(tmp_path: Path) -> None:
    clips = ClipsDir(tmp_path)
    clips.write_durably(tmp_path / "2026-11-25" / ".deleted-ev1" / "cam1.mp4", b"film")
    assert list(clips.folders()) == []
    clips.remove_deleted()
    assert not (tmp_path / "2026-11-25" / ".deleted-ev1").exists()


def test_hash_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-25" / "abc"
    clips = ClipsDir(tmp_path)
    clips.write_durably(path, b"abc")
    assert sha256_of(path) == ABC_SHA256
    fact = clips.hashed_fact(path)
    assert (fact.path, fact.size_bytes, fact.sha256) == ("2026-11-25/abc", 3, ABC_SHA256)


def test_disk_below_its_minimum_is_full(tmp_path: Path) -> None:
    clips = ClipsDir(tmp_path)
    assert not clips.usage(5, 0).is_full
    assert clips.usage(5, 1 << 62).is_full
    assert clips.usage(5, 0).clips_bytes == 5


def test_of_a_disk_that_cannot_be_read_nothing_is_concluded_but_why(tmp_path: Path) -> None:
    usage = ClipsDir(tmp_path / "unplugged").usage(0, 1 << 62)
    assert usage.error == "the clips' disk cannot be read: No such file or directory"
    assert not usage.is_full


def statvfs(monkeypatch: pytest.MonkeyPatch, **figures: int) -> None:
    """A disk with these figures, and plenty of what is not named."""
    plenty = {"f_frsize": 4096, "f_blocks": 1 << 30, "f_bavail": 1 << 29, "f_files": 1 << 20, "f_favail": 1 << 19}
    disk = SimpleNamespace(**{**plenty, "f_flag": 0, **figures})
    monkeypatch.setattr(os, "statvfs", lambda _: disk)


def test_disk_that_takes_no_more_files_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statvfs(monkeypatch, f_favail=10)
    usage = ClipsDir(tmp_path).usage(0, 1)
    assert usage.is_full
    assert usage.files_free == 10


@pytest.mark.parametrize("figures", [{"f_files": 0, "f_favail": 0}, {"f_favail": (1 << 64) - 1}, {}])
def test_disk_without_a_limit_of_files_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: dict[str, int]
) -> None:
    statvfs(monkeypatch, **figures)
    usage = ClipsDir(tmp_path).usage(0, 1)
    assert not usage.is_full
    assert usage.error is None


def test_disk_with_nothing_free_is_full_whatever_is_to_stay_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statvfs(monkeypatch, f_bavail=0)
    assert ClipsDir(tmp_path).usage(0, 0).is_full


def test_disk_that_has_become_read_only_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statvfs(monkeypatch, f_flag=os.ST_RDONLY)
    assert ClipsDir(tmp_path).usage(0, 0).error == "the clips' disk is read-only"


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_a_missing_descriptor_is_not_called_a_failure_of_the_disk(error: int) -> None:
    said = r"^no file descriptor is free( in the whole system)?: cannot create x: Too many open files"
    with pytest.raises(OutOfDescriptors, match=said), translated("create", Path("x")):
        raise OSError(error, os.strerror(error))


def test_output_file_takes_up_where_the_disk_wrote_less_than_asked(tmp_path: Path) -> None:
    class Stingy(WatchedDisk):
        def write(self, fd: int, data: memoryview) -> int:
            return super().write(fd, data[:3])

    file = OutputFile(Stingy(), tmp_path / "x")
    assert file.write(b"0123456789") == 10
    file.close()
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_output_file_that_failed_takes_nothing_more(tmp_path: Path) -> None:
    file = OutputFile(FullDisk(4), tmp_path / "x")
    with pytest.raises(WriteFailed, match=r"the disk is full: cannot write x: No space left on device"):
        file.write(b"0123456789")
    with pytest.raises(WriteFailed):
        file.write(b"again")
    file.close()
    assert (tmp_path / "x").read_bytes() == b"0123"


def test_sync_that_failed_in_the_background_fails_the_next_write(tmp_path: Path) -> None:
    file = OutputFile(FailingDisk("sync_data", range(1, 2)), tmp_path / "x")
    file.write(b"0123")
    file.sync()
    with pytest.raises(WriteFailed, match="the disk failed: cannot sync x"):
        file.write(b"4567")
    file.close()


def test_closed_file_can_be_synced_in_vain(tmp_path: Path) -> None:
    file = OutputFile(WatchedDisk(), tmp_path / "x")
    file.close()
    file.sync()
    file.close()


def test_sidecar_of_a_camera_named_event_is_not_the_events_record() -> None:
    paths = ClipsDir(Path("/clips")).clip("2026-11-25/ev1", "event")
    assert paths.sidecar.name == "event.sidecar.json"
    assert paths.clip.name == "event.mp4"


@pytest.mark.parametrize(
    ("name", "camera_id"),
    [
        ("cam1.json", "cam1"),
        ("event.sidecar.json", "event"),
        ("event.json", None),
        ("cam1.sidecar.json", None),
        ("cam1.json.part", None),
        ("Cam1.json", None),
        (".json", None),
        ("\udcff.json", None),
    ],
)
def test_sidecars_are_known_by_their_names(name: str, camera_id: str | None) -> None:
    assert camera_of_sidecar(name) == camera_id


def test_disk_that_tells_no_case_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").touch()
    assert ClipsDir(tmp_path).taken("2026-11-25/a1", ["2026-11-25/A1"]) is None
    (tmp_path / "INDEX.SQLITE").hardlink_to(tmp_path / "index.sqlite")
    assert ClipsDir(tmp_path).taken("2026-11-25/a1", ["2026-11-25/A1"]) is not None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EMFILE, "no file descriptor is free"),
        (errno.ENFILE, "no file descriptor is free in the whole system"),
        (errno.ENOMEM, "the system has no memory left"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "the recorder has no permission"),
        (errno.ENAMETOOLONG, "a name is too long for the file system"),
        (errno.ESTALE, "the network file system has lost the file"),
        (errno.EIO, "the disk failed"),
        (errno.EXDEV, "the file could not be used"),
    ],
)
def test_each_cause_has_its_own_words(error: int, cause: str) -> None:
    with pytest.raises(WriteFailed) as failed, translated("create", Path("cam1.original.mp4.part")):
        raise OSError(error, os.strerror(error))
    assert str(failed.value) == f"{cause}: cannot create cam1.original.mp4.part: {os.strerror(error)}"
