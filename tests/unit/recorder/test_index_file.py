"""The index's file: locked by others, of other versions, damaged, or gone while it is in use."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgpack
import pytest

from preroll import wire
from services.recorder.store import database, readers, schema
from services.recorder.store.database import IndexDamaged, IndexFull, IndexLocked, IndexNoFile, IndexUnavailable
from services.recorder.store.index import Index
from services.recorder.store.index_file import WRITE_WAIT_S
from tests.support.event_records import event

# Locks the file as another program does, and says so; ends with its input.
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("locked", flush=True)
sys.stdin.read()
"""
WRITES = ("BEGIN EXCLUSIVE",)
OWNS = ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT")


@contextmanager
def held(path: Path, *statements: str) -> Iterator[int]:
    """The index while another process holds it; that process's number."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "locked\n"
        yield holder.pid
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An index with one event, closed."""
    path = tmp_path / "index.sqlite"
    with closing(Index.open(path)) as index:
        index.put(event("ev1"))
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if not each.name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize("statements", [WRITES, OWNS], ids=["writes", "owns"])
def test_locked_index_is_not_damaged(path: Path, statements: tuple[str, ...]) -> None:
    before = path.read_bytes()
    with held(path, *statements) as process:
        try:
            index = Index.open(path, wait_s=0)
        except IndexLocked as err:
            assert f"(process {process})" in str(err)  # noqa: PT017 - one of the two locks lets it be opened
        else:
            with pytest.raises(IndexLocked, match=rf"\(process {process}\)"):
                index.put(event("ev2"))
            index.close()
        assert names(path) == ["index.sqlite"]
    assert len(path.read_bytes()) >= len(before)
    with closing(Index.open(path)) as index:
        assert index.get("ev1") == event("ev1")


def test_index_that_is_locked_at_start_is_waited_for(path: Path) -> None:
    with held(path, *OWNS):
        opened: list[Index] = []
        opening = threading.Thread(target=lambda: opened.append(Index.open(path, wait_s=20)))
        opening.start()
        opening.join(0.1)
        assert opening.is_alive()
    opening.join(20)
    with closing(opened[0]) as index:
        assert index.count() == 1


def test_wait_for_a_locked_index_ends_when_the_recorder_is_to_end(path: Path) -> None:
    with held(path, *OWNS), pytest.raises(IndexLocked):
        Index.open(path, wait_s=60, pause=lambda _: True)


def test_write_to_a_locked_index_ends_within_its_deadline_and_reads_go_on(path: Path) -> None:
    with closing(Index.open(path)) as index, held(path, *WRITES):
        began = time.monotonic()
        with pytest.raises(IndexLocked):
            index.put(event("ev2"))
        assert time.monotonic() - began < WRITE_WAIT_S + 0.5
        assert (index.get("ev2"), index.get("ev1"), index.count()) == (None, event("ev1"), 1)


def test_writers_in_line_wait_no_longer_than_one(path: Path) -> None:
    refused: list[float] = []

    def write(number: int) -> None:
        began = time.monotonic()
        with pytest.raises(IndexLocked):
            index.put(event(f"new{number}"))
        refused.append(time.monotonic() - began)

    with closing(Index.open(path)) as index, held(path, *WRITES):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refused) == 6
    assert max(refused) < WRITE_WAIT_S + 0.5


def test_index_is_free_again_as_soon_as_the_other_lets_go(path: Path) -> None:
    with closing(Index.open(path)) as index:
        with held(path, *WRITES), pytest.raises(IndexLocked):
            index.remember_cameras(["cam9"], wait_s=0)
        index.put(event("ev2"))
        index.remember_cameras(["cam9"], wait_s=0)
        assert (index.count(), index.cameras()) == (2, ["cam9"])


def version_2(path: Path, *, has_running: bool) -> None:
    """Make the index one of version 2: a name for each label on each camera, no deletions."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript("DROP TABLE deletion; PRAGMA user_version = 2;")
        if not has_running:
            old.executescript("DROP TABLE running; DROP INDEX event_oldest; ALTER TABLE event DROP COLUMN running_ns;")
        for number, triggered, record in old.execute("SELECT number, triggered, record FROM event").fetchall():
            facts = msgpack.unpackb(record)
            texts = {text for key, value in facts["labels"].items() for text in (key, f"{key}={value}")}
            for name in {f"{clip['camera_id']}\x1f{text}" for clip in facts["clips"] for text in texts if text}:
                old.execute("INSERT OR IGNORE INTO filter (name) VALUES (?)", (name,))
                old.execute(
                    "INSERT INTO found_by VALUES ((SELECT number FROM filter WHERE name = ?), ?, ?)",
                    (name, triggered, number),
                )
        old.commit()


@pytest.mark.parametrize("has_running", [False, True])
def test_index_of_version_2_is_brought_up_to_date_without_loss(tmp_path: Path, *, has_running: bool) -> None:
    path, new_path = tmp_path / "index.sqlite", tmp_path / "new.sqlite"
    odd = {"line": "4", "": "x", "with\x1fseparator": "y\x1fz", "null\x00": "\x00"}
    events = [event(f"ev{number}", at_s=number, cameras=["cam1", "cam2"], labels=odd) for number in range(3)]
    with closing(Index.open(path)) as index, closing(Index.open(new_path)) as new:
        index.put_all(events)
        new.put_all(events)
        index.put(events[0], {"boot_id": "b"})
        index.remember_cameras(["cam7"])
    version_2(path, has_running=has_running)
    with closing(Index.open(path)) as index:
        assert list(index.all_events()) == events
        assert (index.plan("ev0"), index.cameras(), index.count()) == ({"boot_id": "b"}, ["cam7"], 3)
        for query in (wire.ListEvents(camera_id="cam2", label="line=4"), wire.ListEvents(label="with\x1fseparator")):
            assert [each.event_id for each in index.page(query).events] == ["ev2", "ev1", "ev0"]
        index.put(events[0])
        index.forget("ev1")
    with closing(sqlite3.connect(path)) as brought, closing(sqlite3.connect(new_path)) as made:
        assert brought.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
        names_sql = "SELECT name FROM filter ORDER BY name"
        assert brought.execute(names_sql).fetchall() == made.execute(names_sql).fetchall()
        columns = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name IN ('deletion', 'running')"
        assert brought.execute(columns).fetchall() == made.execute(columns).fetchall()
    assert not list(tmp_path.glob("*.damaged-*"))


def test_bringing_up_to_date_that_was_interrupted_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version_2(path, has_running=True)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "is_pair", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Index.open(path)
    with closing(Index.open(path)) as index:
        assert index.get("ev1") == event("ev1")


def test_index_of_a_later_version_is_set_aside_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 4")
    with closing(Index.open(path)) as index:
        assert index.count() == 0
    aside = path.with_name("index.sqlite.newer-1")
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT event_id FROM event").fetchall() == [("ev1",)]


def test_log_of_an_index_that_was_set_aside_goes_with_it(path: Path, tmp_path: Path) -> None:
    with closing(Index.open(path)) as index:
        index.put(event("ev2"))  # is in the log alone
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", crashed / f"index.sqlite{suffix}")
    (crashed / "index.sqlite").write_bytes(b"rubbish " * 5000)
    with closing(Index.open(crashed / "index.sqlite")) as index:
        assert index.count() == 0
    assert (crashed / "index.sqlite.damaged-1-wal").stat().st_size > 0


def remove_all(path: Path) -> None:
    for each in list(path.parent.glob("index.sqlite*")):
        each.unlink()


SPOILT: dict[str, Callable[[Path], object]] = {
    "overwritten": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "truncated": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, 5000),
    "replaced": lambda path: (path.with_name("x").write_bytes(b"rubbish" * 1000), path.with_name("x").replace(path)),
    "removed": remove_all,
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_index_that_is_spoilt_while_in_use_raises_nothing_but_its_own_errors(path: Path, spoil: str) -> None:
    with closing(Index.open(path)) as index:
        SPOILT[spoil](path)
        calls: list[Callable[[], object]] = [
            lambda: index.put(event("ev2")),
            lambda: index.get("ev1"),
            lambda: index.page(wire.ListEvents(camera_id="cam1")),
            lambda: list(index.removable()),
            lambda: index.remember_cameras(["cam9"]),
            index.settle,
        ]
        for call in calls:
            with suppress(IndexUnavailable):
                call()
        # A thread that asks for the first time has a connection of its own to make.
        with ThreadPoolExecutor(1) as pool:
            assert isinstance(pool.submit(index.get, "ev1").exception(), IndexUnavailable | None)
        assert index.count() >= 1
        assert index.clips_bytes() > 0
    assert path.exists() == (spoil != "removed")


def test_record_that_cannot_be_read_costs_its_own_event_alone(path: Path) -> None:
    with closing(Index.open(path)) as index:
        index.put(event("ev2", state="recording"))
        index.put(event("ev3", state="saved"))
        index._writer.execute("UPDATE event SET record = x'ff00', plan = '{' WHERE event_id IN ('ev2', 'ev3')")
        assert [each.event_id for each in index.page(wire.ListEvents()).events] == ["ev1"]
        assert (index.unfinished(), index.waiting(), index.get("ev2"), index.plan("ev2")) == ([], [], None, None)
        index.put(event("ev2"))
        index.forget("ev3")
        assert [each.event_id for each in index.all_events()] == ["ev1", "ev2"]


@pytest.mark.parametrize("rubbish", [b"", b"rubbish " * 2000, b"SQLite format 3\0" + bytes(5000)])
def test_file_that_is_no_index_is_damaged(path: Path, rubbish: bytes) -> None:
    path.write_bytes(rubbish)
    with pytest.raises(IndexDamaged):
        Index(path)


def test_folder_with_something_in_it_in_the_place_of_the_index_is_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.mkdir()
    (path / "mine").write_bytes(b"mine")
    with pytest.raises(IndexNoFile, match=r"index\.sqlite is a folder with something in it"):
        Index.open(path, wait_s=60, pause=lambda _: pytest.fail("nobody is to wait for it"))
    assert (path / "mine").exists()


@pytest.mark.parametrize("part", ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"])
@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere/index"), lambda path: path.symlink_to(path)],
    ids=["empty folder", "pipe", "link to nothing", "link to itself"],
)
def test_what_is_no_file_and_holds_nothing_is_set_aside(
    tmp_path: Path, make: Callable[[Path], None], part: str
) -> None:
    for number in (1, 2):
        make(tmp_path / part)
        with closing(Index.open(tmp_path / "index.sqlite", wait_s=0)) as index:
            index.put(event(f"ev{number}"))
            assert index.get(f"ev{number}") is not None
        aside = tmp_path / f"{part}.damaged-{number}"
        assert os.path.lexists(aside)
        assert aside.is_symlink() or not aside.is_file()
        if part == "index.sqlite":
            (tmp_path / part).unlink()


def test_folder_that_is_mounted_in_the_place_of_the_index_is_said_to_be_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.sqlite"
    path.mkdir()

    def refuse(self: Path, _: Path) -> Path:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(IndexNoFile, match=r"an empty folder, and cannot be renamed .*: something is mounted there"):
        Index.open(path, wait_s=60, pause=lambda _: pytest.fail("nobody is to wait for it"))
    assert path.is_dir()


def test_file_that_the_disk_does_not_let_be_opened_is_not_damaged_and_the_reason_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def failing(*_: object, **__: object) -> sqlite3.Connection:
        err = sqlite3.OperationalError("disk I/O error")
        err.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise err

    monkeypatch.setattr(sqlite3, "connect", failing)
    for free, flag, kind, said in (
        (0, 0, IndexFull, "its disk is full"),
        (1 << 30, os.ST_RDONLY, IndexUnavailable, "its disk is read-only"),
        (1 << 30, 0, IndexUnavailable, "cannot be used: disk I/O error"),
    ):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(1 << 40, 0, free))
        monkeypatch.setattr(os, "statvfs", lambda _, flag=flag: os.statvfs_result((*(0,) * 8, flag, 255)))
        with pytest.raises(kind, match=said):
            Index.open(path, wait_s=0)
    assert (names(path), path.read_bytes()) == (["index.sqlite"], before)


def test_a_thread_that_begins_to_read_during_a_renewal_reads_the_new_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    index.put(event("ev1"))
    connect = database.connect
    renewing = threading.Thread(target=lambda: index.renew(lambda _: None))

    def connect_and_be_overtaken(path: Path, wait_s: float) -> sqlite3.Connection:
        made = connect(path, wait_s)
        if threading.current_thread().name.startswith("reading") and not renewing.ident:
            renewing.start()
            renewing.join(0.2)  # it cannot end before this, or has ended
        return made

    monkeypatch.setattr(readers, "connect", connect_and_be_overtaken)
    with ThreadPoolExecutor(1, "reading") as reading:
        assert reading.submit(index.get, "ev1").result() == event("ev1")
        renewing.join()
        index.put(event("ev2"))
        assert reading.submit(index.get, "ev2").result() == event("ev2")
    index.close()


def open_files(folder: Path) -> int:
    """How many files below the folder this process has open, those with another name now, or none, among them."""
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.startswith(str(folder)) for link in links)


def test_renewals_leave_no_connection_open(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    index.put(event("ev1"))
    counts: list[int] = []
    with ThreadPoolExecutor(1) as reading:
        for _ in range(5):
            index.renew(lambda _: None)
            assert reading.submit(index.get, "ev1").result() == event("ev1")
            assert index.get("ev1") == event("ev1")
            counts.append(open_files(tmp_path))
    assert counts == [counts[0]] * 5
    index.put(event("ev2"))
    index.close()
    assert open_files(tmp_path) == 0
    with closing(Index.open(tmp_path / "index.sqlite")) as again:
        assert again.get("ev2") == event("ev2")


def test_an_answer_that_is_being_read_over_renewals_is_read_to_its_end(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    events = [event(f"ev{number}", at_s=number) for number in range(50)]
    index.put_all(events)
    reading = index.all_events()
    read = [next(reading)]
    for _ in range(3):
        index.renew(lambda _: None)
        assert index.get("ev1") == events[1]
        read.append(next(reading))
    assert [*read, *reading] == events
    index.renew(lambda _: None)
    assert index.get("ev1") == events[1]
    assert len(index._readers) == 1
    index.close()


def test_connections_of_threads_that_ended_before_a_renewal_are_closed_by_it(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    for _ in range(3):
        with ThreadPoolExecutor(1) as reading:
            reading.submit(index.get, "ev1").result()
    index.renew(lambda _: None)
    assert len(index._readers) == 0
    index.close()
