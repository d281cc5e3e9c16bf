"""The stream: ids, replay, reset, limits, and its end."""

import socket
import time
from pathlib import Path

import pytest
import zmq

from preroll import sockets, wire
from tests.support.recorder import RunningApi
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


def say(context: Context, api: RunningApi, count: int, first: int = 0, size: int = 1) -> None:
    with sockets.bus_sender(context) as sender:
        sender.connect(api.bus_address)
        for number in range(first, first + count):
            record = wire.LogMessage(
                service="recorder",
                instance="host",
                sender_id="s",
                number=number,
                unix_ns=1,
                level="INFO",
                logger="t",
                message=f"m{number}".ljust(size, "."),
            )
            sender.send(wire.encode(record))


def drain(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def messages(client: SseClient) -> list[str]:
    return [record["message"] for record in client.records()]


def test_every_client_gets_every_record_and_one_that_returns_what_it_missed(context: Context, api: RunningApi) -> None:
    with SseClient(f"{api.url}/logs?replay=none") as one, SseClient(f"{api.url}/logs?replay=none") as other:
        say(context, api, 50)
        wait_until(lambda: len(messages(one)) == len(messages(other)) == 50, 10)
        last = one.received[-1].id
    assert messages(one) == messages(other) == [f"m{n}" for n in range(50)]
    say(context, api, 20, first=50)
    with SseClient(f"{api.url}/logs", {"Last-Event-ID": last}) as returned:
        wait_until(lambda: len(messages(returned)) == 20, 10)
    assert messages(returned) == [f"m{n}" for n in range(50, 70)]
    assert "reset" not in {got.event for got in returned.received}
    assert api.http.get("/status").json()["bus_lost"] == 0


def test_a_foreign_id_resets(api: RunningApi) -> None:
    with SseClient(f"{api.url}/logs", {"Last-Event-ID": "foreign-7"}) as client:
        wait_until(lambda: "reset" in {got.event for got in client.received}, 10)


def test_too_many_clients_are_refused_and_those_who_leave_forgotten(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, max_log_clients=2) as api:
        with SseClient(f"{api.url}/logs"), SseClient(f"{api.url}/logs"):
            wait_until(lambda: api.http.get("/status").json()["log_clients"] == 2, 10)
            assert api.http.get("/logs").status_code == 503
        wait_until(lambda: api.http.get("/status").json()["log_clients"] == 0, 10)


def test_malformed_messages_are_counted(context: Context, api: RunningApi) -> None:
    with sockets.bus_sender(context) as sender:
        sender.connect(api.bus_address)
        sender.send(b"\xc1")
        sender.send_multipart([b"a", b"b"])
        wait_until(lambda: api.http.get("/status").json()["bus_malformed"] >= 2, 10)


@pytest.mark.parametrize("forwarded", [b"", b"X-Forwarded-For: 192.0.2.7\r\n"], ids=["straight", "by a proxy"])
def test_a_client_that_reads_nothing_is_cut_off(
    context: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture, forwarded: bytes
) -> None:
    caplog.set_level("INFO")
    proxied = {"allow_anonymous": True, "trusted_proxies": "127.0.0.1"}
    with RunningApi(context, tmp_path, send_timeout_s=1, **proxied) as api, socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", api.port))
        stalled.sendall(b"GET /logs HTTP/1.1\r\nHost: localhost\r\n" + forwarded + b"\r\n")
        wait_until(lambda: api.http.get("/status").json()["log_clients"] == 1, 10)
        say(context, api, 2_000, size=8_000)
        wait_until(lambda: api.http.get("/status").json()["log_clients"] == 0, 15)
        wait_until(lambda: "client cut off or gone" in caplog.messages, 5)
        with pytest.raises(ConnectionResetError):  # not a polite end, for which the rest would have to be held
            drain(stalled)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]  # it is no failure of the API


def test_the_end_comes_at_once_with_streams_open(api: RunningApi) -> None:
    with SseClient(f"{api.url}/logs"), api.http.stream("GET", "/cameras/cam1/live"):
        began_s = time.monotonic()
        api.stop()
        assert time.monotonic() - began_s < 4
