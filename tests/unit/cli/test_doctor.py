"""What the doctor found, for a person and for a script."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.answering import answers

Run = Callable[..., Any]

WELL = {"subject": "disk", "state": "ok", "said": "350 GB are free", "advice": None}
ILL = {"subject": "clock", "state": "problem", "said": "the clock was never set", "advice": "set it"}


def diagnosis(state: str, *findings: object) -> dict[str, object]:
    return {"state": state, "asked_at": "2026-03-01T12:00:00.000000Z", "findings": list(findings)}


def test_nothing_wrong_ends_with_0(run: Run) -> None:
    ended = run(answers({"/doctor": diagnosis("ok", WELL)}), "doctor")
    assert ended.exit_code == 0
    assert ended.stdout.splitlines()[1].split() == ["disk", "ok", "350", "GB", "are", "free"]


def test_what_is_wrong_is_shown_with_what_to_do_and_ends_with_1(run: Run) -> None:
    ended = run(answers({"/doctor": diagnosis("problem", WELL, ILL)}), "doctor")
    assert ended.exit_code == 1
    assert "the clock was never set" in ended.stdout
    assert "-> set it" in ended.stdout


def test_a_script_gets_the_document_and_the_exit_code(run: Run) -> None:
    ended = run(answers({"/doctor": diagnosis("warning", ILL)}), "doctor", "--json")
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["findings"] == [ILL]
