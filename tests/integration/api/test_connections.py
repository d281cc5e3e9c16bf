"""However many connections strangers hold, and whatever they leave unsaid: a trigger gets in, and they are let go."""

import socket
import ssl
import time
from pathlib import Path

import pytest
import zmq

from services.api import connections, listener
from tests.support.processes import System
from tests.support.recorder import FakeRecorder, RunningApi, camera_of
from tests.support.sse import SseClient
from tests.support.strangers import HELD, REQUEST, holding, is_cut, trigger
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]
TRIGGERED_WITHIN_S = 1.0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of tenths of a second."""
    for name in ("TLS_S", "REQUEST_S", "BODY_S"):
        monkeypatch.setattr(connections, name, 0.3)
    monkeypatch.setattr(listener, "SWEEP_S", 0.05)


def cut_for(api: RunningApi, reason: str) -> float:
    text = api.http.get("/metrics").text
    return float(text.split(f'preroll_http_connections_cut_total{{reason="{reason}"}} ')[1].split("\n")[0])


@pytest.mark.parametrize("addresses", [1, 50], ids=["one address", "many addresses"])
@pytest.mark.parametrize("said", [text for text in HELD if "TLS" not in text])
def test_a_trigger_gets_in_whatever_strangers_hold(context: Context, tmp_path: Path, said: str, addresses: int) -> None:
    with (
        RunningApi(context, tmp_path, max_connections=32) as api,
        holding(api.port, 150, HELD[said], addresses) as held,
    ):
        for _ in range(3):
            status, took_s = trigger(api.port)
            assert (status, took_s < TRIGGERED_WITHIN_S) == (202, True)
        assert sum(map(is_cut, held)) >= len(held) - 32


def test_a_trigger_gets_in_beside_half_handshakes(
    context: Context, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with (
        RunningApi(context, tmp_path, max_connections=32, tls_cert=cert, tls_key=key) as api,
        holding(api.port, 60, b""),
        holding(api.port, 60, HELD["half of a TLS record"], addresses=20),
    ):
        status, took_s = trigger(api.port, context=ssl.create_default_context(cafile=cert))
        assert (status, took_s < TRIGGERED_WITHIN_S) == (202, True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [("nothing", "request"), ("half of the headers", "request"), ("half of a body", "body")],
)
def test_what_is_never_finished_is_cut(impatient: None, api: RunningApi, said: str, reason: str) -> None:
    before = cut_for(api, reason)
    with holding(api.port, 1, HELD[said]) as (held,):
        wait_until(lambda: is_cut(held), 5)
    assert cut_for(api, reason) > before


def test_a_handshake_that_is_never_finished_is_cut(
    context: Context, tmp_path: Path, impatient: None, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with (
        RunningApi(context, tmp_path, tls_cert=cert, tls_key=key) as api,
        holding(api.port, 1, HELD["half of a TLS record"]) as (held,),
    ):
        wait_until(lambda: is_cut(held), 5)


@pytest.mark.parametrize("begin", [b"GET /", REQUEST + b"\r\n"], ids=["headers", "body"])
def test_a_byte_now_and_then_is_no_progress(impatient: None, api: RunningApi, begin: bytes) -> None:
    with holding(api.port, 1, begin) as (held,):

        def is_cut_though_it_goes_on() -> bool:
            try:
                held.sendall(b"x")
            except OSError:
                return True
            return is_cut(held)

        began_s = time.monotonic()
        wait_until(is_cut_though_it_goes_on, 5)
        assert time.monotonic() - began_s < 3


def test_a_body_that_nobody_wants_does_not_hold_its_connection_for_ever(impatient: None, api: RunningApi) -> None:
    endless = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    with holding(api.port, 1, endless) as (held,):
        wait_until(lambda: is_cut(held), 5)


def test_who_takes_nothing_of_an_answer_that_is_whole_is_cut(context: Context, tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, send_timeout_s=1) as api, socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", api.port))
        stalled.sendall(b"GET /docs-assets/swagger-ui.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
        wait_until(lambda: cut_for(api, "reader") == 1, 10)


def test_a_connection_that_is_being_answered_is_never_cut_for_another(context: Context, tmp_path: Path) -> None:
    """The next one waits, and gets in when there is room."""
    with RunningApi(context, tmp_path, max_connections=16) as api:
        api.http.close()
        url = f"{api.url}/logs"
        streams = [SseClient(url) for _ in range(16)]
        try:
            for stream in streams:
                stream.__enter__()
            with socket.create_connection(("127.0.0.1", api.port), 10) as waiting:
                waiting.sendall(b"POST /trigger HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                streams.pop().__exit__(None, None, None)
                assert waiting.recv(12) == b"HTTP/1.1 202"
            assert not [stream.error for stream in streams if stream.error]
        finally:
            for stream in streams:
                stream.__exit__(None, None, None)


def test_malformed_requests_are_counted_and_fill_no_log(api: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        with holding(api.port, 1, b"\x16\x03\x01 no HTTP\r\n\r\n") as (held,):
            wait_until(lambda: is_cut(held), 5)
    assert "preroll_http_requests_malformed_total 20.0" in api.http.get("/metrics").text
    assert sum("nvalid HTTP" in record.message for record in caplog.records) == 0


@pytest.mark.parametrize("limit", [1024, 96])
def test_few_descriptors_are_enough(context: Context, tmp_path: Path, limit: int) -> None:
    recorder = FakeRecorder(context)
    recorder.cameras["cam1"] = camera_of("cam1")
    try:
        with System(tmp_path) as system:
            within = ("sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh")
            asked = {"control_connect": recorder.control_address, "query_connect": recorder.query_address}
            api = system.start("api", within=within, **asked)
            wait_until(lambda: system.get("/healthz"), 20, "the API answers")
            with holding(system.http_port, limit + 100, b"", addresses=7):
                for _ in range(3):
                    status, took_s = trigger(system.http_port)
                    assert (status, took_s < TRIGGERED_WITHIN_S) == (202, True)
            assert len(api.log_text().splitlines()) < 30, api.log_tail()
            assert "out of system resource" not in api.log_text()
    finally:
        recorder.close()
