"""Each event and each step of each clip counts once."""

from typing import Any

import pytest

from preroll import wire
from services.api.timings import Timings
from tests.support.recorder import clip_of, event_of


def clip(camera_id: str, state: wire.ClipState, **facts: Any) -> wire.Clip:
    return clip_of(camera_id, state).model_copy(update=facts)


def value(timings: Timings, name: str, **labels: str) -> float:
    found = timings.registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


def counts(timings: Timings) -> tuple[float, float, float]:
    return (
        value(timings, "preroll_trigger_to_acceptance_seconds_count"),
        value(timings, "preroll_window_end_to_saved_seconds_count"),
        value(timings, "preroll_window_end_to_ready_seconds_count"),
    )


def test_each_step_of_each_clip_counts_once_however_often_it_is_told() -> None:
    timings = Timings()
    told = [
        event_of("e", clip("cam1", "recording"), clip("cam2", "recording")),
        event_of("e", clip("cam1", "recording"), clip("cam2", "saved", saved_after_s=0.02)),
        event_of(
            "e", clip("cam1", "saved", saved_after_s=0.03), clip("cam2", "ready", saved_after_s=0.02, ready_after_s=2.0)
        ),
    ]
    for event in told:
        for _ in range(3):
            timings.note(event)
    assert counts(timings) == (1, 2, 1)
    assert value(timings, "preroll_window_end_to_saved_seconds_sum") == 0.05
    assert value(timings, "preroll_window_end_to_ready_seconds_bucket", le="2.5") == 1
    assert value(timings, "preroll_clips_total", outcome="complete") == 1


def test_an_old_event_that_changes_tells_nothing() -> None:
    timings = Timings()
    timings.note(event_of("old", clip("cam1", "ready", saved_after_s=0.1, ready_after_s=2.0)))
    assert counts(timings) == (0, 0, 0)


def test_what_became_of_each_clip_is_counted() -> None:
    timings = Timings()
    timings.note(event_of("e", clip("cam1", "recording")))
    timings.note(
        event_of(
            "e",
            clip("cam1", "failed"),
            clip("cam2", "ready", complete=False, saved_after_s=1.0, ready_after_s=1.0),
            clip("cam3", "ready", saved_after_s=1.0, ready_after_s=1.0),
        )
    )
    for outcome in ("failed", "incomplete", "complete"):
        assert value(timings, "preroll_clips_total", outcome=outcome) == 1


def test_an_event_that_ended_or_is_gone_is_not_remembered() -> None:
    timings = Timings()
    for number in range(20_000):
        timings.note(event_of(f"e{number}", clip("cam1", "recording")))
    assert len(timings._watched) <= 10_000
    for number in range(20_000):
        timings.note(event_of(f"e{number}", clip("cam1", "failed")))
    assert not timings._watched
    timings.note(event_of("gone", clip("cam1", "recording")))
    timings.forget("gone")
    assert not timings._watched


def test_steps_that_are_waited_for_in_vain_take_a_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.timings.STEPS_MAX", 500)
    timings = Timings()
    for number in range(100):
        clips = [clip(f"cam{n}", "saved", saved_after_s=0.1) for n in range(20)]
        timings.note(event_of(f"e{number}", *clips).model_copy(update={"state": "recording"}))
        assert sum(map(len, timings._watched.values())) == timings._steps <= 500
    assert "e99" in timings._watched
