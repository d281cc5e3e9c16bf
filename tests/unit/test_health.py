import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.api.health import is_healthy as api_is_healthy
from services.capture.health import is_running


def process(proc: Path, pid: int, command: str, state: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"\0".join(part.encode() for part in command.split()) + b"\0")
    (folder / "stat").write_text(f"{pid} (python (x) y) {state} 1 1")


@pytest.mark.parametrize(
    ("command", "state", "expected"),
    [
        ("python -m services.capture", "S", True),
        ("python -m services.capture", "R", True),
        ("python -m services.capture", "T", False),
        ("python -m services.capture", "Z", False),
        ("python -m services.capture.health", "R", False),
        ("docker-init -- python -m services.capture", "S", False),
    ],
)
def test_a_capture_is_healthy_while_its_process_runs(tmp_path: Path, command: str, state: str, expected: bool) -> None:
    process(tmp_path, 7, command, state)
    assert is_running(tmp_path) is expected


class Answering(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library names it
        pass


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("PREROLL_API_PORT", str(server.server_port))
        monkeypatch.setenv("PREROLL_API_HOST", "0.0.0.0")
        yield server.server_port
        server.shutdown()
        thread.join()


def test_an_api_that_answers_is_healthy(port: int) -> None:
    assert api_is_healthy()


def test_an_api_that_answers_with_an_error_is_not(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answering, "status", 503)
    assert not api_is_healthy()


def test_an_api_that_nobody_hears_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_API_PORT", "1")
    assert not api_is_healthy()
