"""The figures: their names, their labels, and what is written about them."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from preroll import wire
from services.api import metrics
from services.api.connections import Connections
from services.api.examples import RESPONSES
from services.api.sources import SharedSources
from services.api.timings import Timings
from tests.support.recorder import camera_of

REPOSITORY: Final = Path(__file__).resolve().parents[3]
HEALTH: Final = wire.RecorderHealth.model_validate(RESPONSES["GET /status", "200"]["recorder"])
HURT: Final = camera_of("cam2", "lost").model_copy(
    update={"losses": wire.Losses(lost_on_wire=7, restarts=2, refused_foreign_key=9), "age_s": None}
)
RECORDER: Final = metrics.Recorder(HEALTH, (camera_of("cam1"), HURT))


def parts_of() -> Any:
    capture = wire.CaptureStatus(
        service="capture",
        instance="cam1",
        sender_id="s",
        number=0,
        unix_ns=0,
        camera_id="cam1",
        run_id="run",
        source="synthetic:",
        is_open=True,
        fps=30.0,
        frames=1,
        rejected=0,
        reopened=3,
    )
    return SimpleNamespace(
        bus=SimpleNamespace(
            timings=Timings(),
            captures={"cam1": capture},
            received=5,
            lost=1,
            malformed=0,
            refused=0,
            peers_refused=7,
            connections_cut=0,
        ),
        connections=Connections(most=512, send_timeout_s=15, shared=SharedSources(None)),
        gate=SimpleNamespace(failed_sign_ins=4, refused_hosts=1, refused_origins=2, refused_attempts=3),
        stream=SimpleNamespace(seats=SimpleNamespace(taken=2, limit=100)),
        live=SimpleNamespace(seats=SimpleNamespace(taken=1, limit=32)),
        recorder=SimpleNamespace(timeouts=6),
    )


def families(recorder: metrics.Recorder | None = RECORDER) -> dict[str, Metric]:
    text = metrics.rendered(parts_of(), recorder).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def full_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def samples(family: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def test_every_name_says_preroll_and_every_quantity_its_unit() -> None:
    for family in families().values():
        assert re.fullmatch(r"preroll_[a-z_]+", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in {"gauge", "counter", "histogram"}
        assert not family.name.endswith(("_s", "_mb", "_ms")), family.name


def test_a_cameras_state_is_one_of_all() -> None:
    states = samples(families()["preroll_camera_state"])
    assert {state for (camera, state), value in states.items() if camera == "cam2" and value == 1} == {"lost"}
    assert sum(states.values()) == 2
    assert len(states) == 8


def test_losses_are_told_by_camera_and_stage() -> None:
    losses = samples(families()["preroll_camera_frames_lost"])
    assert losses["cam2", "lost_on_wire"] == 7
    assert {stage for camera, stage in losses if camera == "cam1"} == set(wire.Losses.model_fields) - {
        "restarts",
        "refused_foreign_key",
    }
    assert samples(families()["preroll_camera_restarts"])["cam2",] == 2
    assert samples(families()["preroll_camera_frames_refused"])["cam2",] == 9


def test_what_is_not_known_is_left_out() -> None:
    assert set(samples(families()["preroll_camera_last_frame_age_seconds"])) == {("cam1",)}
    assert samples(families()["preroll_camera_source_reopened"]) == {("cam1",): 3}


def test_while_the_recorder_is_away_its_figures_are_too() -> None:
    away = families(None)
    assert samples(away["preroll_recorder_up"]) == {(): 0}
    assert "preroll_disk_free_bytes" not in away
    assert samples(away["preroll_sign_in_failures"]) == {(): 4}


def test_the_page_about_the_figures_names_them_all_and_no_other() -> None:
    page = (REPOSITORY / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(preroll_\w+)` \| (\w+) \| (.*?) \|", page, re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    given = {
        full_name(family): (
            family.type,
            tuple(sorted({label for sample in family.samples for label in sample.labels if label != "le"})),
        )
        for family in families().values()
    }
    assert told == given


def test_the_alerts_are_about_figures_that_exist() -> None:
    rules = (REPOSITORY / "deploy/prometheus/alerts.yaml").read_text()
    named = set(re.findall(r"\bpreroll_\w+", rules))
    given = {full_name(family) for family in families().values()} | {
        f"{family.name}_bucket" for family in families().values() if family.type == "histogram"
    }
    assert named
    assert named <= given


def test_the_alerts_choose_by_labels_and_values_that_exist() -> None:
    rules = (REPOSITORY / "deploy/prometheus/alerts.yaml").read_text()
    chosen = [
        (name, label, value)
        for name, selector in re.findall(r"\b(preroll_\w+)\{([^}]*)\}", rules)
        for label, values in re.findall(r'(\w+)[=!~]+"([^"]*)"', selector)
        for value in values.split("|")
    ]
    assert len(chosen) >= 5
    given = {
        (sample.name, label, value)
        for family in families().values()
        for sample in family.samples
        for label, value in sample.labels.items()
    }
    assert set(chosen) <= given


def test_each_figure_is_told_once_under_its_help_and_its_type() -> None:
    lines = metrics.rendered(parts_of(), RECORDER).decode().splitlines()
    told = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(told) == len(set(told))
    assert told == [line.split()[2] for line in lines if line.startswith("# HELP ")]
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    counters = [line.split()[2] for line in lines if line.startswith("# TYPE ") and line.endswith(" counter")]
    assert counters
    assert all(name.endswith("_total") for name in counters)


@pytest.mark.parametrize(
    ("name", "alarming_s"),
    [("trigger_to_acceptance", 0.25), ("window_end_to_saved", 5.0), ("window_end_to_ready", 300.0)],
)
def test_a_duration_is_a_histogram_with_a_bound_where_its_alert_is(name: str, alarming_s: float) -> None:
    family = families()[f"preroll_{name}_seconds"]
    assert family.type == "histogram"
    bounds = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == float("inf")
    assert alarming_s in bounds
    rules = (REPOSITORY / "deploy/prometheus/alerts.yaml").read_text()
    assert re.search(rf"preroll_{name}_seconds_bucket\[\w+\]\)\)\) > {alarming_s:g}\n", rules)
