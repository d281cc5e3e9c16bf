"""`preroll logs`, and the stream under it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from preroll.cli.api import Api
from preroll.cli.exits import Stopped
from preroll.cli.sse import Lost, Message, Opened, follow, messages
from tests.support.answering import Chunks, a_problem, a_record, answers, sse

Run = Callable[..., Any]
STREAM = (
    b": hello\nretry: 1000\n\nid: a-1\nevent: log\ndata: {\ndata: }\n\n"
    b'event: x\r\ndata:{"u":"\xe2\x80\xa8"}\r\n\r\ndata: cut off'
)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_stream_is_read_the_same_however_it_is_cut(step: int) -> None:
    chunks = [STREAM[at : at + step] for at in range(0, len(STREAM), step)]
    assert list(messages(chunks)) == [Message("log", "{\n}", "a-1"), Message("x", '{"u":"\u2028"}', None)]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(Stopped, match="line of more than"):
        list(messages(b"x" * 1024 * 1024 for _ in range(20)))


class Restarting:
    """A stream that ends, is away for a while and comes back."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str | None, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/logs":
            return httpx.Response(200, json={"records": [a_record("old"), a_record("seen twice")]})
        self.asked.append((request.headers.get("last-event-id"), request.url.params["replay"]))
        return self.answers.pop(0)(request)


def streaming(*chunks: bytes, error: Exception | None = None) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, stream=Chunks(*chunks, error=error))


def refusing(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def test_a_stream_is_followed_from_its_last_id_through_losses() -> None:
    server = Restarting(
        streaming(b"retry: 1000\n\n", sse(1, "log", {}), sse(2, "log", {}), error=httpx.ReadError("reset")),
        refusing,
        lambda _: a_problem(503, "shutting_down", "ending"),
        streaming(b"retry: 1000\n\n", sse(3, "log", {})),
        lambda _: a_problem(401, "unauthorized", "the key was changed"),
    )
    pauses: list[float] = []
    items: list[Any] = []
    with Api("http://x", None, None, httpx.MockTransport(server)) as api, pytest.raises(Stopped, match="key was"):
        items.extend(iter(follow(api, "/logs", {"replay": "none"}, pauses.append)))
    with Api("http://x", None, None, httpx.MockTransport(refusing)) as api, pytest.raises(Stopped):
        next(follow(api, "/logs", {"replay": "none"}, pauses.append))
    assert server.asked == [(None, "none"), *[("life-2", "all")] * 3, ("life-3", "all")]
    assert pauses == [0.5, 1.0, 2.0, 0.5]
    del items


def test_the_followers_items_say_what_happened() -> None:
    server = Restarting(streaming(b"retry: 1\n\n", sse(1, "log", {})), refusing, streaming(b"retry: 1\n\n"))
    with Api("http://x", None, None, httpx.MockTransport(server)) as api:
        stream = follow(api, "/logs", {"replay": "none"}, lambda _: None)
        items = [next(stream) for _ in range(5)]
        stream.close()
    assert items == [
        Opened(is_first=True),
        Message("log", "{}", "life-1"),
        Lost("the stream ended"),
        Lost("http://x does not answer: refused"),
        Opened(is_first=False),
    ]


def test_history_and_stream_meet_without_a_gap_or_a_repeat(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preroll.cli.sse.RETRY_FIRST_S", 0)
    server = Restarting(
        streaming(
            b"retry: 1000\n\n",
            sse(1, "log", a_record("seen twice")),
            sse(2, "status", {}),
            sse(3, "log", a_record("new")),
            sse(4, "log", a_record("old")),
        ),
        refusing,
        streaming(b"retry: 1000\n\n", sse(5, "dropped", {"dropped": 12}), sse(6, "log", a_record("after"))),
        lambda _: a_problem(403, "forbidden", "enough"),
    )
    ended = run(server, "logs", "-f", "--json")
    assert [json.loads(line)["message"] for line in ended.stdout.splitlines()] == [
        "old",
        "seen twice",
        "new",
        "old",
        "after",
    ]
    assert ended.stderr.splitlines() == [
        "preroll: the stream ended; waiting for it",
        "preroll: http://127.0.0.1:8000 does not answer: refused; waiting for it",
        "preroll: the API is back",
        "preroll: 12 records missed: this end was too slow",
        "preroll: the stream ended; waiting for it",
        "preroll: enough",
    ]
    assert ended.exit_code == 4


def test_a_record_is_one_line(run: Run) -> None:
    record = a_record("two\nlines \x1b[2J", level="ERROR")
    shown = run(answers({"/logs/history": {"records": [record]}}), "logs").stdout
    assert shown == ("2026-03-01 12:00:10.123Z ERROR    recorder/cam1    two\\nlines \\x1b[2J  event_id=line4-0017\n")


def test_a_long_record_is_not_broken(run: Run) -> None:
    record = a_record("word " * 100)
    shown = run(answers({"/logs/history": {"records": [record]}}), "logs", columns=60).stdout
    assert shown.count("\n") == 1


def test_filters_are_the_servers(run: Run) -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"records": []})

    filters = ("--service", "recorder", "--camera", "cam1", "--event", "e", "--level", "warning", "--text", "a b")
    assert run(answer, "logs", "-n", "7", "--since", "1", "--until", "2", *filters).exit_code == 0
    wanted = {"service": "recorder", "camera": "cam1", "event": "e", "level": "WARNING", "text": "a b"}
    assert asked == [{**wanted, "limit": "7", "since": "1", "until": "2"}]


def test_an_api_that_is_away_at_the_start_is_not_waited_for(run: Run) -> None:
    ended = run(refusing, "logs", "-f")
    assert ended.exit_code == 5
