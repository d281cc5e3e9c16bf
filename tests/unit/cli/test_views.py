"""What a person reads, and what a script reads."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from preroll.cli.board import Board, LiveBoard
from preroll.cli.documents import Health
from preroll.cli.terminal import Terminal, clean, moment, size
from tests.support.answering import a_camera, a_clip, an_event, answers

Run = Callable[..., Any]


def test_json_is_the_document_of_the_api_byte_for_byte(run: Run) -> None:
    body = '{"event_id":"line4-0017",  "labels":{"ort":"Köln"},"unknown":1.50}'
    ended = run(lambda _: httpx.Response(200, text=body), "show", "line4-0017", "--json")
    assert ended.stdout == body + "\n"
    assert ended.stderr == ""


def test_cameras_say_whether_a_trigger_would_be_complete(run: Run) -> None:
    cameras = [a_camera(), a_camera("door", state="lost", ring_s=2.5, age_s=None, losses={"lost_on_wire": 7})]
    ended = run(answers({"/cameras": cameras}), "cameras")
    head, first, second = ended.stdout.splitlines()
    assert head.split()[:4] == ["CAMERA", "STATE", "SIZE", "FPS"]
    assert first.split() == [
        "cam1",
        "live",
        "1280x720",
        "30.0",
        "30.0",
        "of",
        "5",
        "s",
        "0",
        "0.0",
        "s",
        "ago",
        "synthetic:",
    ]
    assert second.split() == ["door", "lost", "1280x720", "30.0", "2.5", "of", "5", "s", "7", "-", "synthetic:"]


@pytest.mark.parametrize(
    ("columns", "has_labels", "has_cameras"), [(200, True, True), (80, False, True), (40, False, False)]
)
def test_a_table_fits_its_terminal(run: Run, columns: int, has_labels: bool, has_cameras: bool) -> None:
    page = {"events": [an_event("e" * 64), an_event()], "next_cursor": None}
    shown = run(answers({"/events": page}), "events", columns=columns).stdout
    assert max(len(line) for line in shown.splitlines()) <= columns
    assert ("line=4" in shown, "cam1" in shown) == (has_labels, has_cameras)
    assert shown.count("e" * 20) or columns == 40
    assert shown.replace("\n", "").count("e") >= 64


def test_without_a_terminal_nothing_is_cut_or_coloured(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    terminal = Terminal()
    assert terminal.out.width >= 1000
    assert not terminal.out.is_terminal


def test_events_ask_for_what_was_wished_and_name_the_next_page(run: Run) -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"events": [an_event()], "next_cursor": "abc"})

    ended = run(answer, "events", "--camera", "cam1", "--label", "line=4", "--since", "1", "-n", "1")
    assert asked == [{"camera": "cam1", "label": "line=4", "since": "1", "limit": "1"}]
    assert "2026-03-01 12:00:00.250Z" in ended.stdout
    assert ended.stderr == "preroll: there are more: --cursor abc\n"


def test_all_pages_are_fetched_a_document_a_line(run: Run) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        following = {"": "b", "b": "c", "c": None}[request.url.params.get("cursor", "")]
        return httpx.Response(200, json={"events": [an_event()], "next_cursor": following})

    lines = run(answer, "events", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["next_cursor"] for line in lines] == ["b", "c", None]
    assert run(answer, "events", "--all").stdout.count("line4-0017") == 3


def test_an_event_shows_what_its_clips_lack(run: Run) -> None:
    clip = a_clip(complete=False, shortfall=["camera lost for 3 s"])
    shown = run(answers({"/events/line4-0017": an_event(clips=[clip], protected=True)}), "show", "line4-0017").stdout
    assert "cam1 lacks: camera lost for 3 s" in shown
    assert "protected" in shown
    assert "line=4" in shown


def test_what_comes_from_afar_cannot_steer_the_terminal(run: Run) -> None:
    evil = "\x1b]0;gotcha\x07\x9b2J\n[bold]x[/bold]\u202e"
    event = an_event(labels={"k": evil}, clips=[a_clip(shortfall=[evil], state=evil)])
    shown = run(answers({"/events/line4-0017": event}), "show", "line4-0017").stdout
    assert not any(sign in shown for sign in "\x1b\x07\x9b\u202e")
    assert r"\x1b]0;gotcha\x07\x9b2J\n[bold]x[/bold]\u202e" in shown


def test_empty_lists_are_said_on_stderr(run: Run) -> None:
    ended = run(answers({"/cameras": [], "/events": {"events": [], "next_cursor": None}}), "events")
    assert (ended.stdout, ended.stderr) == ("", "preroll: no such event\n")


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1342304, "1.3 MB"),
        (99_960_000, "100 MB"),
        (999_600_000, "1.0 GB"),
        (5e12, "5.0 TB"),
    ],
)
def test_sizes_are_for_people(size_bytes: float, shown: str) -> None:
    assert size(size_bytes) == shown


def test_moments_keep_their_date_and_lose_their_microseconds() -> None:
    assert moment("2026-03-01T12:00:00.250999Z") == "2026-03-01 12:00:00.250Z"
    assert moment("yesterday\x1b") == clean("yesterday\x1b")


def health(**other: Any) -> Health:
    made: Health = {
        "uptime_s": 1.0,
        "memory_bytes": 200_000_000,
        "clips_recording": 1,
        "encodes_waiting": 2,
        "encodes_running": 1,
        "disk": {"total_bytes": 100 * 10**9, "free_bytes": 40 * 10**9, "is_full": False},
    }
    made.update(other)  # type: ignore[typeddict-item]
    return made


def drawn(board: Board, now_s: float) -> str:
    terminal = Terminal()
    with terminal.out.capture() as captured:
        terminal.out.print(LiveBoard(board, lambda: now_s))
    return captured.get()


def test_the_board_follows_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    board = Board("http://here")
    board.load([a_camera()], [an_event("first")], health(), 10)
    assert "recording 1, encoding 3, memory 200 MB, disk 40.0 GB free of 100 GB" in drawn(board, 11)
    board.take("camera", a_camera("door", state="lost"), 11)
    board.take("event", an_event("second", state="recording", triggered_at="2026-03-01T13:00:00.000000Z"), 11)
    shown = drawn(board, 12)
    assert shown.index("second") < shown.index("first")
    assert "door" in shown
    board.take("event_deleted", {"event_id": "first"}, 12)
    board.take("of tomorrow", {}, 12)
    assert "first" not in drawn(board, 13)
    assert "silent for 20 s" in drawn(board, 30)
    board.take("status", {"recorder": health(clips_recording=0), "cameras": [a_camera("new")]}, 30)
    shown = drawn(board, 31)
    assert "recording 0" in shown
    assert "door" not in shown
    board.lose("connection refused")
    assert "away: connection refused" in drawn(board, 31)
