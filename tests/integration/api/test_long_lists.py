"""A list of a thousand events of many cameras is answered, whole, and takes no time from a trigger."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import zmq

from preroll import wire
from services.recorder.store.index import PAGE_BYTES, Index
from tests.support.recorder import BEGIN_NS, RunningApi, S, clip_of, event_of
from tests.support.strangers import trigger

Context = zmq.Context[zmq.Socket[bytes]]
EVENTS: Final = 250
CAMERAS: Final = 52
TRIGGERED_WITHIN_S: Final = 0.5


def an_event(number: int) -> wire.Event:
    """As large as one gets: all files, and labels."""
    folder = f"2027-01-15/e{number}"
    clips = [
        clip_of(
            f"cam{camera}",
            clip=(f"{folder}/cam{camera}.mp4", 1_234_567),
            poster=(f"{folder}/cam{camera}.jpg", 34_567),
            sidecar=(f"{folder}/cam{camera}.json", 4_567),
        )
        for camera in range(CAMERAS)
    ]
    labels = {f"key{label}": "v" * 100 for label in range(32)}
    return event_of(f"e{number}", *clips).model_copy(
        update={"triggered_unix_ns": BEGIN_NS - number * S, "labels": labels}
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    opened = Index.open(tmp_path_factory.mktemp("index") / "index.sqlite")
    opened.put_all(map(an_event, range(EVENTS)))
    yield opened
    opened.close()


@pytest.fixture
def answering(context: Context, tmp_path: Path, index: Index) -> Iterator[RunningApi]:
    """An API whose recorder has a real index of long events."""
    with RunningApi(context, tmp_path) as api:

        def answer(message: wire.Command | wire.Query) -> wire.Reply:
            return index.page(message) if isinstance(message, wire.ListEvents) else api.recorder.usual(message)

        api.recorder.answer = answer
        yield api


def listed(api: RunningApi, **asked: str | int) -> dict[str, Any]:
    answer = api.http.get("/events", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [event["event_id"] for event in document["events"]]


def test_a_page_of_the_index_ends_before_it_is_larger_than_a_message(index: Index) -> None:
    for as_records in (False, True):
        page = index.page(wire.ListEvents(limit=1000, as_records=as_records))
        assert len(wire.encode(page)) < wire.MESSAGE_MAX_BYTES
        assert page.next_cursor is not None
        assert sum(map(len, page.records)) < PAGE_BYTES + 100_000
        assert bool(page.records) is as_records
        assert bool(page.events) is not as_records


def test_a_long_list_is_whole_and_as_its_parts(answering: RunningApi) -> None:
    document = listed(answering, limit=1000)
    assert ids(document) == [f"e{number}" for number in range(EVENTS)]
    assert document["next_cursor"] is None
    assert list(document) == ["events", "next_cursor"]
    answering.recorder.events["e7"] = an_event(7)
    assert document["events"][7] == answering.http.get("/events/e7").json()


def test_a_limit_and_a_cursor_count_events_and_not_messages(answering: RunningApi) -> None:
    first = listed(answering, limit=70)
    assert ids(first) == [f"e{number}" for number in range(70)]
    second = listed(answering, limit=1000, cursor=first["next_cursor"])
    assert ids(second) == [f"e{number}" for number in range(70, EVENTS)]
    one = listed(answering, limit=1)
    assert (ids(one), one["next_cursor"] is None) == (["e0"], False)
    assert ids(listed(answering, until="1000000000")) == []


def test_where_the_recorder_goes_away_the_list_ends_and_its_cursor_leads_on(
    answering: RunningApi, index: Index
) -> None:
    usual = answering.recorder.answer
    asked = 0

    def answer_thrice(message: wire.Command | wire.Query) -> wire.Reply | bytes:
        nonlocal asked
        asked += 1
        return usual(message) if asked <= 3 else b"\xc1"

    answering.recorder.answer = answer_thrice
    begun = listed(answering, limit=1000)
    answering.recorder.answer = usual
    rest = listed(answering, limit=1000, cursor=begun["next_cursor"])
    assert 0 < len(begun["events"]) < EVENTS
    assert ids(begun) + ids(rest) == [f"e{number}" for number in range(EVENTS)]


def test_a_recorder_of_before_gives_events_and_they_are_listed(answering: RunningApi, index: Index) -> None:
    answering.recorder.answer = lambda asked: index.page(asked.model_copy(update={"as_records": False}))  # type: ignore[arg-type]
    assert ids(listed(answering, limit=60)) == [f"e{number}" for number in range(60)]


def test_a_record_that_cannot_be_read_costs_itself_alone(answering: RunningApi, index: Index) -> None:
    def answer_with_one_broken(message: wire.Command | wire.Query) -> wire.Reply:
        assert isinstance(message, wire.ListEvents)
        page = index.page(message)
        return page.model_copy(update={"records": (page.records[0], b"\xc1", *page.records[2:])})

    answering.recorder.answer = answer_with_one_broken
    assert ids(listed(answering, limit=5)) == ["e0", "e2", "e3", "e4"]


def test_no_list_keeps_a_trigger_waiting(answering: RunningApi) -> None:
    ended = threading.Event()

    def read_lists() -> None:
        while not ended.is_set():
            with socket.create_connection(("127.0.0.1", answering.port), 10) as client:
                client.sendall(b"GET /events?limit=1000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert client.recv(12) == b"HTTP/1.1 200"
                while not ended.is_set() and client.recv(1 << 20):
                    pass

    reading = threading.Thread(target=read_lists)
    reading.start()
    try:
        took_s = []
        began_s = time.monotonic()
        while time.monotonic() - began_s < 1.5:
            status, each_s = trigger(answering.port)
            assert status == 202
            took_s.append(each_s)
    finally:
        ended.set()
        reading.join()
    print(f"{len(took_s)} triggers, the slowest {max(took_s) * 1000:.0f} ms")
    assert max(took_s) < TRIGGERED_WITHIN_S


def test_who_reads_no_list_takes_no_more_than_the_seats(answering: RunningApi) -> None:
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection(("127.0.0.1", answering.port), 10)) for _ in range(20)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        statuses = [int(client.recv(12).split(b" ")[1]) for client in clients]
    assert (statuses.count(200), statuses.count(503)) == (16, 4)
    assert ids(listed(answering, limit=1)) == ["e0"]
