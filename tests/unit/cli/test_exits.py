"""How commands end: the code, and one line that says why."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from preroll.cli.app import EPILOG
from preroll.cli.exits import ExitCode, exit_code_of
from services.api.problems import STATUS_OF
from tests.support.answering import a_problem, answers

REPOSITORY: Final = Path(__file__).resolve().parents[3]
Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (422, "invalid", 2),
        (400, "malformed", 2),
        (404, "unknown_event", 3),
        (422, "window_out_of_bounds", 4),
        (422, "out_of_reach", 4),
        (409, "conflict", 4),
        (401, "unauthorized", 4),
        (403, "forbidden", 4),
        (429, "too_many_events", 4),
        (507, "storage_full", 4),
        (503, "recorder_away", 5),
        (500, "internal", 1),
    ],
)
def test_a_problem_ends_with_its_code_and_its_detail_in_one_line(
    run: Run, status: int, code: str, expected: int
) -> None:
    ended = run(lambda _: a_problem(status, code, "clip of 505 s exceeds\nmax_clip_s=120"), "trigger")
    assert ended.exit_code == expected
    assert ended.stdout == ""
    assert ended.stderr.startswith(r"preroll: clip of 505 s exceeds\nmax_clip_s=120")
    assert ended.stderr.count("\n") == 1


def test_every_refusal_of_the_recorder_has_an_exit_code_of_its_own_kind() -> None:
    unmapped = [code for code, status in STATUS_OF.items() if exit_code_of(status, code) is ExitCode.FAILED]
    assert unmapped == ["internal"]


def test_an_api_that_is_not_there_is_away(run: Run) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    ended = run(refuse, "cameras", "--url", "http://192.0.2.1:8000/")
    assert ended.exit_code == 5
    assert ended.stderr == "preroll: http://192.0.2.1:8000 does not answer: [Errno 111] Connection refused\n"


def test_an_answer_that_is_no_problem_document_is_named_by_its_status(run: Run) -> None:
    ended = run(lambda _: httpx.Response(502, text="<html>nginx</html>"), "cameras")
    assert (ended.exit_code, ended.stderr) == (5, "preroll: /cameras answered 502 Bad Gateway\n")


@pytest.mark.parametrize("answer", [httpx.Response(200, json={"no": "list"}), httpx.Response(200, text="<html>")])
def test_an_answer_of_another_program_is_no_traceback(run: Run, answer: httpx.Response) -> None:
    ended = run(lambda _: answer, "events")
    assert ended.exit_code == 1
    assert "not as expected" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_redirect_is_not_followed(run: Run) -> None:
    seen: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://192.0.2.9/"})

    ended = run(redirect, "cameras", "--key", "k" * 16)
    assert ended.exit_code == 1
    assert seen == ["http://127.0.0.1:8000/cameras"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("cameras", "--url", "127.0.0.1:8000"),
        ("cameras", "--url", "http://user:secret@host"),
        ("cameras", "--ca", "/nowhere.pem", "--url", "https://127.0.0.1"),
        ("cameras", "--key", "with space"),
        ("cameras", "--key-file", "/nowhere"),
        ("show", "../cameras"),
        ("trigger", "--label", "novalue"),
        ("trigger", "--label", "a=1", "--label", "a=2"),
        ("trigger", "--pre", "-1"),
        ("logs", "-f", "--until", "1"),
        ("logs", "--level", "LOUD"),
        ("watch",),
        ("nonsense",),
    ],
)
def test_wrong_use_ends_with_2_and_asks_nobody(run: Run, arguments: tuple[str, ...]) -> None:
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    ended = run(note, *arguments)
    assert ended.exit_code == 2, ended.output
    assert ended.stdout == ""
    assert asked == []
    assert "secret" not in ended.stderr


def test_the_key_is_sent_as_bearer_and_the_file_wins(run: Run, tmp_path: Path) -> None:
    sent: list[str | None] = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        return httpx.Response(200, json=[])

    file = tmp_path / "key"
    file.write_text("from-file\n")
    assert run(note, "cameras").exit_code == 0
    assert run(note, "cameras", PREROLL_KEY="from-environment").exit_code == 0
    assert run(note, "cameras", "--key", "from-option", PREROLL_KEY="from-environment").exit_code == 0
    assert run(note, "cameras", "--key-file", str(file), PREROLL_KEY="from-environment").exit_code == 0
    assert sent == [None, "Bearer from-environment", "Bearer from-option", "Bearer from-file"]


def test_without_a_key_the_refusal_says_how_to_give_one(run: Run) -> None:
    ended = run(lambda _: a_problem(401, "unauthorized", "a key is needed"), "cameras")
    assert ended.stderr == "preroll: a key is needed; a key is given by --key-file or PREROLL_KEY\n"


def test_the_address_comes_from_the_environment(run: Run) -> None:
    hosts: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, json=[])

    run(note, "cameras", PREROLL_URL="http://192.0.2.7:80/")
    assert hosts == ["192.0.2.7"]


def test_a_command_that_is_found_ends_with_0(run: Run) -> None:
    assert run(answers({"/cameras": []}), "cameras").exit_code == 0


@pytest.mark.parametrize("document", [EPILOG, (REPOSITORY / "README.md").read_text()], ids=["help", "readme"])
def test_the_exit_codes_are_documented(document: str) -> None:
    listed = re.search(r"[Ee]xit codes: (.*?)\.(\s|$)", document, re.DOTALL)
    assert listed is not None
    assert [int(number) for number in re.findall(r"\d+", listed[1])] == [*(int(code) for code in ExitCode), 130]


def test_the_command_line_loads_nothing_that_only_services_need() -> None:
    asked = "import sys, preroll.cli.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "httpx" in loaded
    assert {"zmq", "msgpack", "pydantic", "av", "cv2", "numpy", "services"}.isdisjoint(loaded)
    assert [name for name in loaded if name.startswith("preroll.") and not name.startswith("preroll.cli")] == []
