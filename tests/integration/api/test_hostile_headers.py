"""Whatever a stranger writes into a header, a target or a body: an answer that names it, and never a failure of the API."""

import socket
import time
from pathlib import Path
from typing import Final

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.access import COOKIE
from tests.support.raw_http import ask
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

KEY: Final = "operate-" + "o" * 16
TARGETS: Final = (
    *(b"GET /events/ev1/clips/cam1.mp4", b"GET /events?limit=2", b"GET /ui/events", b"GET /logs", b"GET /status"),
    *(b"POST /trigger", b"POST /session", b"DELETE /session", b"PATCH /events/ev1", b"PUT /events/ev1/protection"),
    *(b"GET http://[/cameras", b"GET [", b"GET /[", b"OPTIONS *", b"CONNECT [::1", b"HEAD /logs", b"GET //["),
)
NAMES: Final = (
    *(b"Host", b"Origin", b"Cookie", b"Authorization", b"X-API-Key", b"Range", b"If-Range", b"If-None-Match"),
    *(b"Last-Event-ID", b"Idempotency-Key", b"Content-Length", b"Content-Type", b"Transfer-Encoding", b"Accept"),
    *(
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"Forwarded",
        b"Expect",
        b"Upgrade",
        b"Connection",
    ),
)
VALUES: Final = (
    *(b"http://[", b"http://[::1", b"http://]", b"[", b"[::1", b"a:b:c", b"bytes=0-,-0,9999999999999999999999-", b"*"),
    *(b"application/json; charset=\xff", b"application/json;charset=x;a*=b'c", b"multipart/form-data", b"1" * 5000),
    *(
        b"\xb2",
        b"-1",
        b"0x10",
        b"chunked",
        b"100-continue",
        b"h2c",
        b"websocket",
        b"Upgrade",
        b"null",
        b'"',
        b'W/"',
        b"a-\xb2",
    ),
    *(f"{COOKIE}={value}".encode() for value in ('"', "look.1.2.3", "operate.x.y.z", "\\" * 50, "é")),
    *(b"Bearer", b"Bearer \xff", b"[::1]:\xb2, [::1", b"999.1.1.1:x", b"127.0.0.1:" + b"9" * 5000),
)
BODIES: Final = (
    *(
        b"",
        b"{",
        b"[" * 30_000,
        b'{"\\ud800": 1}',
        b'{"labels": {"\\ud800": "\\udfff"}}',
        b"\xff\xfe",
        b'{"at": 1e999}',
    ),
    *(b'{"at": "\\ud800"}', b'{"key": "\\ud800"}', b'{"event_id": "\\u0000"}', b'{"post_s": NaN}', b"1" * 5000),
)


def status_of(port: int, head: bytes, body: bytes) -> int | None:
    """The status of the answer, however long that would be; `None` when there is none within half a second."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(head + b"\r\n" + body)
        client.settimeout(0.5)  # what was promised as a body and is not sent is waited for
        try:
            begin = client.recv(16)
        except TimeoutError:
            return None
        except ConnectionError:
            return 400
        return int(begin.split(b" ")[1]) if begin else 400


@pytest.mark.timeout(120)
@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
def test_no_header_makes_the_api_fail(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    headers = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=40)), max_size=4)

    with RunningApi(context, tmp_path, key=key, allow_anonymous=True, trusted_proxies="127.0.0.1") as api:
        api.recorder.cameras["cam1"] = camera_of("cam1")
        api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("ev1/cam1.mp4", 6)))
        (api.clips_dir / "ev1").mkdir()
        (api.clips_dir / "ev1/cam1.mp4").write_bytes(b"abcdef")

        @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.sampled_from(TARGETS), headers, st.sampled_from(BODIES), st.booleans())
        def judge(target: bytes, extra: list[tuple[bytes, bytes]], body: bytes, is_known: bool) -> None:
            given_names = {name for name, _ in extra}
            lines = [target + b" HTTP/1.1", *(name + b": " + value for name, value in extra)]
            if b"Host" not in given_names:
                lines.append(b"Host: localhost")
            if b"Content-Length" not in given_names and body:
                lines.append(b"Content-Length: " + str(len(body)).encode())
            if key is not None and is_known:
                lines.append(b"X-API-Key: " + key.encode())
            status = status_of(api.port, b"\r\n".join(lines) + b"\r\n", body)
            assert status is None or status < 500, (status, lines)

        judge()
        assert api.http.get("/healthz").status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_origin_that_is_none_is_foreign(api: RunningApi) -> None:
    for origin in (b"http://[", b"http://[::1", b"http://]", b"\xff", b"", b"://"):
        answer = ask(api.port, b"/trigger", b"POST", b"Origin: " + origin)
        assert (answer.status, b"foreign_origin" in answer.body) == (403, True), origin
    assert not api.recorder.asked


def test_of_two_origins_none_may_be_foreign(api: RunningApi) -> None:
    own = b"Origin: http://localhost"
    assert ask(api.port, b"/trigger", b"POST", own, b"Origin: http://evil.example").status == 403
    assert ask(api.port, b"/trigger", b"POST", own).status == 202


@pytest.mark.parametrize("host", ["[::1", "127.0.0.1:80:evil", "a@localhost", "2130706433", "%6cocalhost", ""])
@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
def test_a_malformed_host_is_refused_with_its_value(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, key: str | None, host: str
) -> None:
    with RunningApi(context, tmp_path, key=key) as api:
        answer = api.http.get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_host")
        assert repr(host) in answer.json()["detail"]


def test_a_cookie_header_of_any_kind_is_read_at_once(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with RunningApi(context, tmp_path, key=KEY) as api:
        for hostile in (b'"' + b"\\" * 50_000 + b'"', b"; " * 25_000, b" " * 50_000, (COOKIE + "=;").encode() * 1500):
            began_s = time.monotonic()
            answer = ask(api.port, b"/cameras", b"GET", b"Cookie: " + COOKIE.encode() + b"=" + hostile)
            assert answer.status == 401
            assert time.monotonic() - began_s < 1
