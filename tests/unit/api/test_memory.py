"""What the stream remembers, and what a client that was away is told."""

import json
import re
from collections import deque
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.memory import CHUNK_BYTES, IDS_EACH, Chunk, Filter, LogFacts, Memory

ALL: Final = Filter()
MB: Final = 1_000_000


def memory(records_max: int = 100, bytes_max: int = MB) -> Memory:
    return Memory("life", records_max, bytes_max)


def say(told: Memory, message: str, **other: str) -> None:
    log = LogFacts("recorder", "host", None, other.get("event_id"), "INFO", message, 0)
    told.add("log", json.dumps({"message": message}), log)


class Client:
    """Reads a memory from a place on, and notes what it got."""

    def __init__(self, told: Memory, last_id: int | None = None, wanted: Filter = ALL) -> None:
        self.memory = told
        self.place = told.before_all if last_id is None else last_id
        self.wanted = wanted
        self.missed = 0
        self.ids: list[int] = []
        self.got: list[tuple[str, str]] = []

    def read(self) -> "Client":
        while (chunk := self.memory.after(self.place, self.wanted)).last_id != self.place:
            self.take(chunk)
        return self

    def take(self, chunk: Chunk) -> None:
        self.missed += chunk.missed
        self.place = chunk.last_id
        for own_id, kind, data in re.findall(
            r"id: life-(\d+)\nevent: (\w+)\ndata: (.*)\n\n", b"".join(chunk.parts).decode()
        ):
            self.ids.append(int(own_id))
            self.got.append((kind, data))

    def messages(self) -> list[str]:
        return [json.loads(data)["message"] for kind, data in self.got if kind == "log"]


def test_of_the_status_the_newest_is_remembered_and_no_other() -> None:
    told = memory(records_max=10_000)
    for second in range(5_000):  # of 128 cameras, each second for more than an hour
        told.put_status(json.dumps({"second": second, "cameras": "x" * 60_000}))
    assert told.bytes < 2 * 60_000 + 5_000
    client = Client(told).read()
    assert [json.loads(data)["second"] for _, data in client.got] == [4_999]
    assert client.missed == 0


def test_a_status_that_is_gone_is_no_record_that_was_missed() -> None:
    told = memory(records_max=100)
    say(told, "seen")
    away = Client(told).read()
    for number in range(150):
        told.put_status("{}")
        say(told, f"m{number}")
        told.put_status("{}")
    assert away.read().missed == 50
    assert away.messages() == ["seen", *(f"m{number}" for number in range(50, 150))]
    assert [kind for kind, _ in away.got].count("status") == 1


def test_memory_is_bounded_by_bytes_too() -> None:
    told = memory(records_max=10_000, bytes_max=MB)
    for number in range(5_000):
        say(told, f"m{number}".ljust(1_000, "."))
        assert told.bytes <= MB
    kept = len(told.logs())
    assert 300 < kept < 500
    client = Client(told, last_id=IDS_EACH).read()
    assert (client.missed, len(client.messages())) == (5_000 - 1 - kept, kept)


def test_one_record_that_is_larger_than_the_memory_is_still_told() -> None:
    told = memory(bytes_max=1_000)
    say(told, "before")
    say(told, "x" * 5_000)
    assert Client(told).read().messages() == ["x" * 5_000]


def test_of_an_event_the_newest_version_takes_memory() -> None:
    told = memory(records_max=1_000, bytes_max=MB)
    say(told, "before")
    for version in range(400):  # a change of each of many clips
        told.add("event", json.dumps({"event_id": "e1", "version": version, "clips": "x" * 100_000}), of_event="e1")
    say(told, "after")
    client = Client(told).read()
    assert client.messages() == ["before", "after"]
    assert [json.loads(data)["version"] for kind, data in client.got if kind == "event"] == [399]
    assert told.bytes < 120_000


def test_an_event_that_was_forgotten_and_comes_back_is_told() -> None:
    told = memory(records_max=2)
    told.add("event", '{"version": 1}', of_event="e1")
    say(told, "m1")
    say(told, "m2")
    told.add("event", '{"version": 2}', of_event="e1")
    assert Client(told).read().got[-1] == ("event", '{"version": 2}')
    assert told._version_of == {"e1": 4}


def test_a_chunk_is_bounded_by_bytes() -> None:
    told = memory(records_max=10_000, bytes_max=100 * MB)
    for number in range(2_000):
        say(told, f"m{number}".ljust(5_000, "."))
    place, chunks = told.before_all, deque[int]()
    while (chunk := told.after(place, ALL)).parts:
        chunks.append(sum(map(len, chunk.parts)))
        place = chunk.last_id
    assert max(chunks) < CHUNK_BYTES + 6_000
    assert len(chunks) >= 2_000 * 5_000 // (CHUNK_BYTES + 6_000)


def test_a_filter_chooses_among_log_records() -> None:
    told = memory()
    say(told, "one", event_id="e1")
    say(told, "other", event_id="e2")
    told.add("camera", "{}")
    client = Client(told, wanted=Filter(event="e1")).read()
    assert (client.messages(), [kind for kind, _ in client.got]) == (["one"], ["log", "camera"])


@pytest.mark.parametrize("seconds", [IDS_EACH - 2, IDS_EACH, 3 * IDS_EACH])
def test_ids_go_on_however_long_only_the_status_comes(seconds: int) -> None:
    told = memory(records_max=2)
    say(told, "before")
    client = Client(told)
    for _ in range(seconds):
        told.put_status("{}")
        client.read()
    say(told, "after")
    client.read()
    assert client.ids == sorted(set(client.ids))
    assert (len(client.ids), client.missed) == (seconds + 2, 0)


@given(
    st.lists(st.sampled_from(["log", "status", "event e1", "event e2", "read", "return"]), max_size=120),
    st.integers(1, 20),
    st.integers(500, 8_000),
)
def test_every_record_is_got_or_told_as_missed(steps: list[str], records_max: int, bytes_max: int) -> None:
    told = memory(records_max, bytes_max)
    client = Client(told, last_id=0)
    sent = 0
    for step in (*steps, "read"):
        match step:
            case "log":
                say(told, f"m{sent}")
                sent += 1
            case "status":
                told.put_status(json.dumps({"after": sent}))
            case "event e1" | "event e2":
                told.add("event", json.dumps({"after": sent}), of_event=step)
            case "read":
                client.take(told.after(client.place, ALL))
            case "return":  # with the id of the last record that it got
                client.place = client.ids[-1] if client.ids else 0
        assert len(told.logs()) <= records_max
        assert told.bytes <= bytes_max or len(told._entries) == 1
    client.read()
    assert client.ids == sorted(set(client.ids))
    events = sum(step.startswith("event") for step in steps)
    got = len(client.messages())
    assert got + client.missed >= sent >= got
    assert got + client.missed <= sent + events
    if told._status is not None:
        assert [data for kind, data in client.got if kind == "status"][-1:] == [
            told._status.document.tobytes().decode()
        ]
