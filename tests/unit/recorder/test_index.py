"""The index against a plain list, and against damage."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preroll import wire
from services.recorder.recovery.reconcile import reconcile
from services.recorder.store import schema
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.event_records import FIRST_UNIX_NS, event


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index.open(tmp_path / "index.sqlite")
    yield opened
    opened.close()


def pages(index: Index, **query: object) -> list[str]:
    """The ids of all pages of an answer."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = index.page(wire.ListEvents.model_validate({**query, "cursor": cursor}))
        found += [each.event_id for each in page.events]
        cursor = page.next_cursor
        if cursor is None:
            return found


CAMERAS = st.sets(st.sampled_from(["cam1", "cam2", "cam10"]), min_size=1)
LABELS = st.dictionaries(st.sampled_from(["line", "part", ""]), st.sampled_from(["4", "44", "a=b", ""]))
STATES: st.SearchStrategy[wire.ClipState] = st.sampled_from(["scheduled", "recording", "saved", "ready", "failed"])
EVENTS = st.builds(
    event,
    st.sampled_from([f"ev{number}" for number in range(12)]),
    at_s=st.integers(0, 6),
    state=STATES,
    cameras=CAMERAS,
    labels=LABELS,
    is_protected=st.booleans(),
    size_bytes=st.integers(0, 5),
)
STEPS = st.lists(st.one_of(EVENTS, st.sampled_from([f"ev{number}" for number in range(12)])), max_size=25)
QUERIES = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 4),
        "camera_id": st.none() | st.sampled_from(["cam1", "cam2", "cam10", "cam99"]),
        "label": st.none() | st.sampled_from(["line", "part", "line=4", "line=a=b", "line=", "nothing", "=4"]),
        "since_unix_ns": st.none() | st.integers(0, 6).map(lambda s: FIRST_UNIX_NS + s * 1_000_000_000),
        "until_unix_ns": st.none() | st.integers(0, 6).map(lambda s: FIRST_UNIX_NS + s * 1_000_000_000),
    }
)


def is_asked_for(each: wire.Event, query: wire.ListEvents) -> bool:
    labels = {text for key, value in each.labels.items() for text in (key, f"{key}={value}")}
    return (
        (query.camera_id is None or query.camera_id in {clip.camera_id for clip in each.clips})
        and (query.label is None or query.label in labels)
        and (query.since_unix_ns is None or each.triggered_unix_ns >= query.since_unix_ns)
        and (query.until_unix_ns is None or each.triggered_unix_ns <= query.until_unix_ns)
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, queries=st.lists(QUERIES, min_size=1, max_size=6))
def test_index_answers_as_a_list_would(
    steps: list[wire.Event | str], queries: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    schema.create(path)  # without the log's full length, which takes longer than all the rest
    index = Index(path)
    try:
        known: dict[str, wire.Event] = {}
        for step in steps:
            if isinstance(step, str):
                is_begun = index.begin_deletion(step, "folder")
                assert is_begun == (step in known and not known[step].is_protected)
                if is_begun:
                    index.end_deletion(step)
                    del known[step]
            else:
                index.put(step)
                known[step.event_id] = step
        for fields in queries:
            query = wire.ListEvents.model_validate(fields)
            found = pages(index, **fields)
            wanted = [each for each in known.values() if is_asked_for(each, query)]
            assert sorted(found) == sorted(each.event_id for each in wanted)
            times = [known[event_id].triggered_unix_ns for event_id in found]
            assert times == sorted(times, reverse=True)
        assert index.count() == len(known)
        assert index.clips_bytes() == sum(
            f.size_bytes for e in known.values() for c in e.clips for f in c.files.values()
        )
        assert {e.event_id for e in index.unfinished()} == {
            e.event_id for e in known.values() if e.state in ("scheduled", "recording")
        }
        assert {e.event_id for e in index.waiting()} == {
            e.event_id for e in known.values() if e.state in {"saved", "failed"}
        }
        assert {row[0] for row in index.removable()} == {
            e.event_id for e in known.values() if e.state in ("saved", "ready", "failed") and not e.is_protected
        }
        assert {e.event_id: e for e in index.all_events()} == known
    finally:
        index.close()


def test_paging_is_stable_while_newer_events_arrive(index: Index) -> None:
    for number in range(6):
        index.put(event(f"old{number}", at_s=number))
    first = index.page(wire.ListEvents(limit=3))
    for number in range(4):
        index.put(event(f"new{number}", at_s=100 + number))
    second = index.page(wire.ListEvents(limit=3, cursor=first.next_cursor))
    assert [each.event_id for each in (*first.events, *second.events)] == [
        f"old{number}" for number in (5, 4, 3, 2, 1, 0)
    ]
    assert second.next_cursor is None


def test_events_of_one_moment_are_all_found_once(index: Index) -> None:
    for number in range(9):
        index.put(event(f"ev{number}", at_s=5))
    assert sorted(pages(index, limit=2)) == [f"ev{number}" for number in range(9)]
    assert sorted(pages(index, limit=2, camera_id="cam1")) == [f"ev{number}" for number in range(9)]


@pytest.mark.parametrize("cursor", ["", "x", "bm90IGEgY3Vyc29y", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5LzE=", "ö"])
def test_foreign_cursor_is_refused(index: Index, cursor: str) -> None:
    with pytest.raises(wire.WireError, match="cursor="):
        index.page(wire.ListEvents(cursor=cursor))


def test_plan_stays_until_another_is_put(index: Index) -> None:
    index.put(event("ev1"), {"boot_id": "b", "from_ns": 1})
    index.put(event("ev1", state="saved"))
    assert index.plan("ev1") == {"boot_id": "b", "from_ns": 1}
    index.put(event("ev1"), {"boot_id": "c"})
    assert index.plan("ev1") == {"boot_id": "c"}
    assert index.plan("nothing") is None


def test_what_was_put_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = Index.open(path)
    index.put(event("ev1", labels={"line": "4"}))
    index.remember_cameras(["cam2", "cam1"])
    index.close()
    index = Index.open(path)
    assert index.get("ev1") == event("ev1", labels={"line": "4"})
    assert index.cameras() == ["cam1", "cam2"]
    index.forget_camera("cam2")
    index.remember_cameras(["cam1"])
    assert index.cameras() == ["cam1"]
    index.close()


def test_writes_are_synced_before_they_return(index: Index) -> None:
    assert index._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert index._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_question_does_not_wait_for_a_write(index: Index) -> None:
    index.put(event("ev1"))
    with index._writing():
        index._writer.execute("DELETE FROM event")
        assert index.count() == 1
        assert index.get("ev1") is not None


def test_running_times_are_settled_in_parts_so_that_a_trigger_gets_its_turn(index: Index) -> None:
    index.put_all(event(f"ev{number}", at_s=number) for number in range(1200))
    index._writer.execute("UPDATE event SET running_ns = CASE WHEN number % 2 THEN NULL ELSE 9000 END")
    index._writer.execute("UPDATE event SET running_ns = 70 WHERE event_id = 'ev7'")
    said: list[str] = []
    index._writer.set_trace_callback(said.append)
    index.settle_running(8000)
    parts = "\n".join(said).split("COMMIT")
    assert max(part.count("UPDATE event ") for part in parts) <= 500
    assert [part.count("BEGIN") for part in parts] == [1, 1, 1, 0]
    found = {event_id: running_ns for event_id, _, running_ns, _ in index.removable()}
    assert found == {f"ev{number}": 70 if number == 7 else 8000 for number in range(1200)}
    said.clear()
    index.settle_running(8001)
    assert said == [], "where nothing is to be settled, nothing is held up"


def test_readers_of_ended_threads_are_closed(index: Index) -> None:
    index.put(event("ev1"))
    threads = [threading.Thread(target=index.count) for _ in range(20)]
    for thread in threads:
        thread.start()
        thread.join()
    index.count()
    assert len(index._readers) <= 2


def test_many_threads_write_and_read(index: Index) -> None:
    def work(number: int) -> None:
        for step in range(20):
            index.put(event(f"ev{number}-{step}", at_s=step, cameras=[f"cam{number}"]))
            assert len(pages(index, camera_id=f"cam{number}")) == step + 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.count() == 80


def test_deleted_events_leave_nothing_behind(index: Index) -> None:
    for number in range(5):
        index.put(event(f"ev{number}", cameras=["cam1", "cam2"], labels={"serial": str(number)}))
    for number in range(5):
        index.forget(f"ev{number}")
    for table in ("event", "found_by", "filter"):
        assert index._writer.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert (index.count(), index.clips_bytes()) == (0, 0)


def write_files(root: Path, each: wire.Event) -> Path:
    folder = root / ClipsDir.folder_of(each.event_id, each.triggered_unix_ns)
    folder.mkdir(parents=True)
    (folder / "event.json").write_text(each.model_dump_json())
    return folder


def opened_and_filled(path: Path) -> Index:
    """As the recorder does at its start."""
    index = Index.open(path, wait_s=0)
    reconcile(ClipsDir(path.parent), index)
    return index


@pytest.mark.parametrize("damage", ["missing", "empty", "rubbish", "holed", "older"])
def test_missing_or_damaged_index_is_rebuilt_from_the_files(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "index.sqlite"
    index = Index.open(path)
    for number in range(40):
        each = event(f"ev{number}", at_s=number, labels={"line": str(number % 3)})
        write_files(tmp_path, each)
        index.put(each)
    index.close()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "rubbish":
            path.write_bytes(b"rubbish " * 5000)
        case "holed":
            data = bytearray(path.read_bytes())
            data[4096 : 4096 * 6] = bytes(4096 * 5)
            path.write_bytes(data)
        case "older":
            with sqlite3.connect(path) as older:
                older.execute("PRAGMA user_version = 1")
            older.close()
    index = opened_and_filled(path)
    assert index.count() == 40
    assert len(pages(index, label="line=2")) == 13
    assert index.cameras() == ["cam1"]
    index.close()
    set_aside = [found.name for found in tmp_path.glob("*.damaged-*")]
    assert set_aside == ([] if damage == "missing" else ["index.sqlite.damaged-1"])


def test_second_damage_is_set_aside_beside_the_first(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    for _ in range(2):
        path.write_bytes(b"rubbish " * 5000)
        Index.open(path).close()
    assert sorted(found.name for found in tmp_path.glob("*.damaged-*")) == [
        "index.sqlite.damaged-1",
        "index.sqlite.damaged-2",
    ]


def test_unreadable_event_file_costs_that_event_alone(tmp_path: Path) -> None:
    write_files(tmp_path, event("good"))
    (write_files(tmp_path, event("bad")) / "event.json").write_text("{")
    index = opened_and_filled(tmp_path / "index.sqlite")
    assert pages(index) == ["good"]
    index.close()


def test_rebuilding_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.sqlite"
    for number in range(3):
        write_files(tmp_path, event(f"ev{number}"))
    with monkeypatch.context() as patched:
        seen: list[Path] = []

        def interrupted(folder: Path) -> wire.Event:
            seen.append(folder)
            if len(seen) == 3:
                raise KeyboardInterrupt
            return event(folder.name)

        patched.setattr("services.recorder.recovery.reconcile.event_in", interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened_and_filled(path)
    index = opened_and_filled(path)
    assert index.count() == 3
    index.close()
