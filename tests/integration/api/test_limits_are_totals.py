"""However many clients come at the same moment, no more are served than a limit says; and none of them holds up a trigger."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of
from tests.support.strangers import trigger
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


@contextlib.contextmanager
def at_once(port: int, path: str, count: int) -> Iterator[list[socket.socket]]:
    """Requests of so many clients, all sent before any is answered."""
    clients = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
    try:
        for client in clients:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield clients
    finally:
        for client in clients:
            client.close()


def statuses(clients: list[socket.socket]) -> list[int]:
    return [int(client.recv(12).split(b" ")[1]) for client in clients]


def with_file(api: RunningApi, size_bytes: int) -> None:
    (api.clips_dir / "ev1").mkdir()
    (api.clips_dir / "ev1/cam1.mp4").write_bytes(bytes(size_bytes))
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("ev1/cam1.mp4", size_bytes)))


@pytest.mark.parametrize(
    ("path", "limit"), [("/cameras/cam1/live", 4), ("/logs", 3), ("/events/ev1/archive.zip", 16)], ids=str
)
def test_of_many_who_come_at_once_no_more_are_served_than_may(
    context: Context, tmp_path: Path, path: str, limit: int
) -> None:
    with RunningApi(context, tmp_path, max_live_clients=4, max_log_clients=3) as api:
        api.recorder.cameras["cam1"] = camera_of("cam1")
        with_file(api, 40_000_000)
        with at_once(api.port, path, 40) as clients:
            got = statuses(clients)
            assert (got.count(200), got.count(503)) == (limit, 40 - limit)
        if "archive" not in path:
            which = "live_clients" if "live" in path else "log_clients"
            wait_until(lambda: api.http.get("/status").json()[which] == 0, 10)

        def is_served() -> bool:
            with at_once(api.port, path, 1) as clients:
                return statuses(clients) == [200]

        wait_until(is_served, 10)


def test_a_stream_that_is_refused_takes_no_place(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, max_live_clients=1) as api:
        for _ in range(3):
            assert api.http.get("/cameras/unknown/live").status_code == 404
        api.recorder.cameras["cam1"] = camera_of("cam1")
        with at_once(api.port, "/cameras/cam1/live", 1) as clients:
            assert statuses(clients) == [200]


def test_slow_pictures_keep_no_trigger_waiting(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, recorder_timeout_s=5) as api:
        api.recorder.cameras["cam1"] = camera_of("cam1")
        ended = threading.Event()

        def answer(message: wire.Command | wire.Query) -> wire.Reply:
            if isinstance(message, wire.GetFrame):
                ended.wait(5)
            return api.recorder.usual(message)

        api.recorder.answer = answer
        try:
            with at_once(api.port, "/cameras/cam1/snapshot.jpg", 100):
                wait_until(lambda: wire.GetFrame(camera_id="cam1") in api.recorder.asked, 5)
                status, took_s = trigger(api.port)
                assert (status, took_s < 1) == (202, True)
        finally:
            ended.set()


def test_a_long_history_is_the_bytes_of_its_records(context: Context, api: RunningApi) -> None:
    with sockets.bus_sender(context) as sender:
        sender.connect(api.bus_address)
        for number in range(1_500):
            record = wire.LogMessage(
                service="recorder",
                instance="host",
                sender_id="s",
                number=number,
                unix_ns=(1_800_000_000 + number) * 1_000_000_000 + 999,
                level="INFO",
                logger="t",
                message=f"m{number} ".ljust(500, "é"),
                fields={"event_id": "even" if number % 2 == 0 else "odd"},
            )
            sender.send(wire.encode(record))
        wait_until(lambda: api.http.get("/status").json()["bus_received"] >= 1_500, 10)

    def numbers(**asked: str | int) -> list[int]:
        records = api.http.get("/logs/history", params={"service": "recorder", **asked}).json()["records"]
        return [int(record["message"].split(" ")[0][1:]) for record in records]

    assert numbers(limit=10_000) == list(range(1_500))
    assert numbers(limit=3) == [1_497, 1_498, 1_499]
    assert numbers(limit=2, event="even") == [1_496, 1_498]
    assert numbers(since="1800001000", until="1800001002") == [1_000, 1_001, 1_002]
    assert numbers(since="2027-01-15T08:00:00.000001Z", limit=10_000) == list(range(1, 1_500))
    assert numbers(event="none") == []
    (one,) = api.http.get("/logs/history", params={"limit": 1, "service": "recorder"}).json()["records"]
    assert set(one) >= {"time", "service", "instance", "camera_id", "event_id", "level", "message", "fields"}


def test_a_search_through_many_records_keeps_no_request_waiting(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, log_memory=50_000) as api, sockets.bus_sender(context) as sender:
        sender.connect(api.bus_address)
        for number in range(8_000):
            record = wire.LogMessage(
                service="recorder",
                instance="host",
                sender_id="s",
                number=number,
                unix_ns=1,
                level="INFO",
                logger="t",
                message="x" * 200,
            )
            sender.send(wire.encode(record))
        wait_until(lambda: api.http.get("/status").json()["bus_received"] >= 8_000, 20)
        paths = ["/logs/history?text=none", "/logs/history?limit=10000", "/logs?text=none", "/logs?replay=all"]
        with contextlib.ExitStack() as searching:
            for path in paths:
                searching.enter_context(at_once(api.port, path, 3))
            began_s = time.monotonic()
            assert trigger(api.port)[0] == 202
            assert time.monotonic() - began_s < 0.5
