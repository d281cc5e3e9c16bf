"""The clips folder has one owner at a time, by the locks of the system that this runs on."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from preroll.process import Shutdown
from services.recorder.store import folder_lock
from services.recorder.store.folder_lock import NAME, FolderInUse, FolderLock
from tests.support.waiting import wait_until


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[FolderLock]:
    lock = FolderLock(tmp_path)
    assert lock.take(Shutdown())
    yield lock
    lock.close()


def is_free(folder: Path) -> bool:
    lock = FolderLock(folder)
    try:
        return lock.take(Shutdown(), 0)
    except FolderInUse:
        return False
    finally:
        lock.close()


def test_a_second_owner_is_told_who_the_first_is(owner: FolderLock, tmp_path: Path) -> None:
    with pytest.raises(FolderInUse) as refused:
        FolderLock(tmp_path).take(Shutdown(), 0.2)
    assert f"{tmp_path} is in use by the recorder on host" in str(refused.value)
    assert f"process {os.getpid()}, since 20" in str(refused.value)


def test_the_folder_is_free_after_its_owner(owner: FolderLock, tmp_path: Path) -> None:
    assert not is_free(tmp_path)
    owner.close()
    assert is_free(tmp_path)
    assert (tmp_path / NAME).exists()


def test_a_deleted_lock_file_frees_nothing(owner: FolderLock, tmp_path: Path) -> None:
    (tmp_path / NAME).unlink()
    assert not is_free(tmp_path)


def test_a_folder_is_locked_even_if_its_lock_file_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    lock = FolderLock(tmp_path)
    assert lock.take(Shutdown(), 0)
    assert not is_free(tmp_path)
    lock.close()


def test_another_way_to_the_folder_is_the_same_folder(owner: FolderLock, tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.symlink_to(tmp_path)
    assert not is_free(way)


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"host": 1}', "\xff" * 10_000])
def test_an_owner_who_cannot_be_read_is_an_owner(owner: FolderLock, tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(FolderInUse, match="in use by another recorder"):
        FolderLock(tmp_path).take(Shutdown(), 0)


def test_an_owner_who_is_at_his_end_is_waited_for(owner: FolderLock, tmp_path: Path) -> None:
    owner.note_end()
    ending = threading.Timer(0.3, owner.close)
    ending.start()
    successor = FolderLock(tmp_path)
    assert successor.take(Shutdown(), 0.1, 10)
    ending.join()
    assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    successor.close()


def test_a_request_to_end_ends_the_waiting(owner: FolderLock, tmp_path: Path) -> None:
    shutdown = Shutdown()
    shutdown.request("SIGTERM")
    began_s = time.monotonic()
    assert not FolderLock(tmp_path).take(shutdown, 60)
    assert time.monotonic() - began_s < 5


def test_a_child_of_a_killed_owner_does_not_hold_the_folder(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, subprocess, sys\n"
        "from preroll.process import Shutdown\n"
        "from services.recorder.store.folder_lock import FolderLock\n"
        "FolderLock(pathlib.Path(sys.argv[1])).take(Shutdown())\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE, close_fds=False)\n"
        "print(child.pid, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert not is_free(tmp_path)
        os.kill(child, 19)  # stopped: it does not see that its parent is gone
        try:
            process.kill()
            wait_until(lambda: is_free(tmp_path), 5, "the folder is free")
            os.kill(child, 0)
        finally:
            os.kill(child, 9)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_used_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder_lock, "_lock", refuse)
    assert is_free(tmp_path)
    assert "the file system has no locks" in caplog.text


def test_a_file_system_that_locks_files_alone_is_locked_by_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_it = folder_lock._lock

    def refuse_folders(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EBADF, "as NFS does")
        lock_it(descriptor)

    monkeypatch.setattr(folder_lock, "_lock", refuse_folders)
    owner = FolderLock(tmp_path)
    assert owner.take(Shutdown(), 0)
    assert not is_free(tmp_path)
    owner.close()


def test_a_disk_that_is_full_does_not_keep_an_owner_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def fail_to_create(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", fail_to_create)
    owner = FolderLock(tmp_path)
    assert owner.take(Shutdown(), 0)
    assert not is_free(tmp_path)
    owner.close()
    assert is_free(tmp_path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        FolderLock(tmp_path / "missing").take(Shutdown(), 0)
