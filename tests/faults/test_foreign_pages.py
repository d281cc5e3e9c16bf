"""What a web page of somebody else can make a browser send is refused: by every route, with a key and without one."""

import re
import socket
from pathlib import Path
from typing import Final

import pytest
import zmq

from tests.support.raw_http import ask
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

KEY: Final = "operate-" + "o" * 16
READING: Final = {"get", "head"}
FOREIGN: Final = (
    b"Origin: http://evil.example",
    b"Origin: http://localhost:1",
    b"Origin: http://localhost.evil.example",
    b"Origin: http://evil.example@localhost",
    b"Origin: null",
    b"Origin: file://",
    b"Sec-Fetch-Site: cross-site",
)
REBOUND: Final = ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "EVIL.EXAMPLE")


def api_of(context: zmq.Context[zmq.Socket[bytes]], folder: Path, key: str | None) -> RunningApi:
    api = RunningApi(context, folder, key=key, recorder_timeout_s=0.5)
    api.recorder.cameras["cam1"] = camera_of("cam1")
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("ev1/cam1.mp4", 6)))
    return api


def routes(api: RunningApi, headers: dict[str, str]) -> list[tuple[str, str]]:
    """Every documented operation, its path filled in."""
    paths = api.http.get("/openapi.json", headers=headers).json()["paths"]
    filled = {path: re.sub(r"\{\w+\}", "ev1" if "event_id" in path else "cam1", path) for path in paths}
    return [(method, filled[path]) for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with the operating key"])
def test_no_route_changes_anything_for_another_sites_page(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, key: str | None
) -> None:
    own = {"Authorization": f"Bearer {key}"} if key else {}
    with api_of(context, tmp_path, key) as api:
        changing = [(method, path) for method, path in routes(api, own) if method not in READING]
        assert len(changing) >= 7
        given = [f"{name}: {value}".encode() for name, value in own.items()]
        for method, path in changing:
            for header in FOREIGN:
                answer = ask(api.port, path.encode(), method.upper().encode(), header, *given)
                assert (answer.status, b"foreign_origin" in answer.body) == (403, True), (method, path, header)
        assert not api.recorder.asked
        refused = api.http.get("/metrics", headers=own).text
        assert f'preroll_requests_refused_total{{reason="origin"}} {len(changing) * len(FOREIGN)}.0' in refused


def test_no_route_lets_another_sites_page_read(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path, None) as api:
        for method, path in (*routes(api, {}), ("options", "/trigger"), ("get", "/"), ("get", "/static/style.css")):
            if method not in READING | {"options"} or path in {"/logs", "/cameras/cam1/live"}:
                continue
            answer = ask(api.port, path.encode(), method.upper().encode(), b"Origin: http://evil.example")
            assert b"access-control-" not in answer.head.lower(), path
            assert b"cross-origin-resource-policy: same-origin" in answer.head.lower(), path
            assert b"x-frame-options: deny" in answer.head.lower(), path


def test_without_a_key_no_route_is_served_under_a_name_that_can_be_rebound(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    with api_of(context, tmp_path, None) as api:
        walked = [*routes(api, {}), ("get", "/"), ("get", "/docs"), ("get", "/openapi.json"), ("get", "/static/x")]
        for method, path in walked:
            for name in REBOUND:
                assert api.http.request(method, path, headers={"Host": name}).status_code == 421, (method, path, name)
        assert not api.recorder.asked
        for name in ("127.0.0.1", f"localhost:{api.port}", "[::1]:80", "press-pc", "tablet.localhost"):
            assert api.http.get("/cameras", headers={"Host": name}).status_code == 200, name


def test_a_request_with_two_names_or_none_is_none(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path, None) as api:
        for names in (b"", b"Host: localhost\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: localhost\r\n"):
            with socket.create_connection(("127.0.0.1", api.port), 10) as client:
                client.sendall(b"GET /cameras HTTP/1.1\r\n" + names + b"Connection: close\r\n\r\n")
                assert client.recv(1 << 16).startswith(b"HTTP/1.1 400 "), names
        assert not api.recorder.asked
