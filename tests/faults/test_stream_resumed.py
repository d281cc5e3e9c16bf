"""Fault 16: a stream is taken up again, with an id of ours, an old one, and one that is not ours."""

import time
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from tests.support.processes import System
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


class Speaker:
    """Says numbered records on a system's bus."""

    def __init__(self, context: Context, system: System) -> None:
        self._context = context
        self._address = system.bus_address
        self._next = 0

    def say(self, count: int) -> None:
        with sockets.bus_sender(self._context) as bus:
            bus.connect(self._address)
            for number in range(self._next, self._next + count):
                bus.send(wire.encode(self._record(number)))
        self._next += count

    @staticmethod
    def _record(number: int) -> wire.LogMessage:
        return wire.LogMessage(
            service="recorder",
            instance="speaker",
            sender_id="speaker",
            number=number,
            unix_ns=time.time_ns(),
            level="INFO",
            logger="speaker",
            message=f"said {number}",
        )


def said(client: SseClient) -> list[int]:
    texts = [record["message"] for record in client.records()]
    return [int(text.removeprefix("said ")) for text in texts if text.startswith("said ")]


def kinds(client: SseClient) -> list[str]:
    return [got.event for got in list(client.received) if got.event != "message"]  # that one is `retry`


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_who_returns_gets_exactly_what_was_missed(context: Context, system: System) -> None:
    with system:
        system.start("api")
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        speaker = Speaker(context, system)
        url = f"{system.url}/logs?service=recorder"
        with SseClient(url) as client:
            speaker.say(100)
            wait_until(lambda: len(said(client)) == 100, 10)
            at_forty = next(got.id for got in client.received if got.data and got.data.get("message") == "said 40")
            newest = client.received[-1].id
        speaker.say(50)
        for last_id, first in ((at_forty, 41), (newest, 100)):
            with SseClient(url, {"Last-Event-ID": last_id}) as returned:
                wait_until(lambda: bool(numbers := said(returned)) and numbers[-1] == 149, 10)
                assert said(returned) == list(range(first, 150))
                assert "reset" not in kinds(returned)


def test_a_foreign_id_resets_and_gives_all_that_is_remembered(context: Context, system: System) -> None:
    with system:
        system.start("api")
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        Speaker(context, system).say(20)
        url = f"{system.url}/logs?service=recorder"
        with SseClient(url) as client:
            wait_until(lambda: len(said(client)) == 20, 10)
            ours = client.received[-1].id
        name = ours.rpartition("-")[0]
        for foreign in (
            "x",
            "-",
            "0",
            f"{name}-",
            f"{name}-x",
            f"{name}--1",
            f"{name}-99999999",
            "00000000-3",
            "%0d%0a",
            "1" * 190,
        ):
            with SseClient(url, {"Last-Event-ID": foreign}) as client:
                wait_until(lambda: len(said(client)) == 20, 10, foreign)
                assert kinds(client)[0] == "reset", foreign
                assert said(client) == list(range(20))
        assert system.http.get("/logs", headers={"Last-Event-ID": "1" * 300}).status_code == 422


def test_an_id_of_an_earlier_life_of_the_api_resets(context: Context, system: System) -> None:
    with system:
        api = system.start("api")
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        speaker = Speaker(context, system)
        url = f"{system.url}/logs?service=recorder"
        with SseClient(url) as client:
            speaker.say(5)
            wait_until(lambda: len(said(client)) == 5, 10)
            earlier = client.received[-1].id
        api.stop()
        api.start()
        wait_until(lambda: system.get("/healthz"), 20, "the API answers again")
        with SseClient(url, {"Last-Event-ID": earlier}) as client:
            speaker.say(5)
            wait_until(lambda: len(said(client)) == 5, 10)
            assert kinds(client)[0] == "reset"


def test_who_was_away_for_longer_than_the_memory_is_told_how_much_is_missing(context: Context, system: System) -> None:
    with system:
        system.start("api", log_memory=100)
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        speaker = Speaker(context, system)
        with SseClient(f"{system.url}/logs") as client:
            speaker.say(10)
            wait_until(lambda: len(said(client)) == 10, 10)
            last_id = client.received[-1].id
        speaker.say(500)
        wait_until(lambda: system.http.get("/status").json()["bus_received"] >= 510, 10)
        with SseClient(f"{system.url}/logs", {"Last-Event-ID": last_id}) as client:
            wait_until(lambda: bool(numbers := said(client)) and numbers[-1] == 509, 10)
            dropped = [got.data["dropped"] for got in client.received if got.event == "dropped"]
            assert len(dropped) == 1
            assert dropped[0] >= 500 - 100
            assert len(said(client)) <= 100
