"""`preroll trigger`, and waiting for its end."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.answering import a_clip, a_problem, an_event

Run = Callable[..., Any]


class Machine:
    """Takes a trigger; its event goes through `states`, a step each time it is asked for."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.bodies: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.bodies.append(json.loads(request.content))
            return httpx.Response(202, json=self.event("recording"))
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "away":
            return a_problem(503, "recorder_away", "the recorder is away")
        return httpx.Response(200, json=self.event(state))

    def event(self, state: str) -> Any:
        return an_event(self.bodies[-1]["event_id"], state, clips=[a_clip(state=state)])


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preroll.cli.waiting.ASK_EVERY_S", 0)


def test_a_trigger_sends_what_was_wished_and_nothing_else(run: Run) -> None:
    machine = Machine("ready")
    wishes = ("--at", "2026-03-01T12:00:00Z", "--pre", "2", "--post", "0.5", "--label", "line=4", "--label", "why=a=b")
    ended = run(machine, "trigger", "cam1", "door", *wishes, "--event-id", "mine")
    assert ended.exit_code == 0
    assert machine.bodies == [
        {
            "cameras": ["cam1", "door"],
            "at": "2026-03-01T12:00:00Z",
            "pre_s": 2.0,
            "post_s": 0.5,
            "labels": {"line": "4", "why": "a=b"},
            "event_id": "mine",
        }
    ]
    assert "mine" in ended.stdout


def test_a_lost_answer_is_asked_for_again_with_the_same_id(run: Run) -> None:
    bodies: list[Any] = []

    def lose_the_first(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if len(bodies) == 1:
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(200, json=an_event(bodies[0]["event_id"]))

    assert run(lose_the_first, "trigger").exit_code == 0
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert set(bodies[0]) == {"event_id"}


def test_wait_ends_when_every_clip_is_ready(run: Run) -> None:
    ended = run(Machine("scheduled", "recording", "away", "saved", "ready"), "trigger", "--wait", "--json")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["state"] == "ready"
    assert ended.stdout.count("\n") == 1


def test_wait_ends_with_1_when_a_clip_has_failed(run: Run) -> None:
    ended = run(Machine("recording", "failed"), "trigger", "--wait", "--event-id", "mine")
    assert ended.exit_code == 1
    assert ended.stderr.endswith("preroll: event mine has failed clips: cam1\n")


def test_wait_ends_with_6_when_it_was_not_in_time(run: Run) -> None:
    ended = run(Machine("recording"), "trigger", "--wait", "--timeout", "0", "--event-id", "mine")
    assert ended.exit_code == 6
    assert ended.stderr.endswith("preroll: event mine did not end within 0 s: it is recording\n")


def test_an_incomplete_event_is_said_and_no_failure(run: Run) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=an_event("mine", clips=[a_clip(complete=False, shortfall=["ring too short"])]))

    ended = run(answer, "trigger", "--wait", "--event-id", "mine")
    assert ended.exit_code == 0
    assert "event mine is incomplete: cam1" in ended.stderr
