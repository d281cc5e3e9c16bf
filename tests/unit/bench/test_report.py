"""Goals are judged by the figures, and the page shows every part that was measured and no other."""

from pathlib import Path
from typing import Any

import pytest

from bench import plots, report, tables
from bench.goals import evaluate
from bench.parts.profile import shares_in

Json = dict[str, Any]


def figure(value: float) -> Json:
    return {"median": value, "min": value * 0.9, "max": value * 1.1, "repeats": 3}


def subject(cpu: float, memory: float, ring: float = 44) -> Json:
    clip = {"frames": 300, "lost": 0, "repeated": 0, "outside": 0, "begin_error_ms": 3.0, "end_error_ms": -4.0}
    return {
        "idle_cpu_percent": figure(cpu),
        "idle_pss_mb": figure(memory),
        "event_pss_mb": figure(memory),
        "event_cpu_s": figure(4),
        "finished_after_s": figure(5),
        "recorder_pss_mb": figure(memory),
        "ring_mb": figure(ring),
        "answered_ms": figure(3),
        "saved_after_s": figure(0.02),
        "clips": [clip | {"expected": 300}],
        "codec": "h264, yuv420p",
    }


def run(cameras: int, *, is_carried: bool = True, lost: int = 0) -> Json:
    return {
        "cameras": cameras,
        "is_carried": is_carried,
        "why": "" if is_carried else "9 lost",
        "recorder_cpu_percent": [1.5 * cameras],
        "captures_cpu_percent": 3.0 * cameras,
        "feeder_cpu_percent": 0.5 * cameras,
        "recorder_pss_mb": 45 * cameras + 60,
        "ring_mb": 44 * cameras,
        "lost": lost,
        "missing": 0,
        "skipped": 0,
        "camera_late_ms": 2,
        "clip": {"frames": 100, "lost": 0, "repeated": 0, "outside": 0},
        **({} if is_carried else {"is_up": True, "lost_in_all": lost}),
    }


def results(**parts: Json) -> Json:
    return {
        "date": "2026-03-01",
        "commit": "abc1234",
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "memory_gb": 8,
            "system": "Debian",
            "kernel": "6.1",
            "python": "3.11.2",
            "versions": {"pyzmq": "27"},
        },
        "footage": {"from": "noise", "frames": 600, "width": 1920, "height": 1080, "fps": 30, "mean_bytes": 295_936},
        "parts": parts,
        "not_run": {},
    }


def everything() -> Json:
    latency = {"p50_ms": 3, "p99_ms": 9, "max_ms": 9.5, "count": 100}
    return results(
        ingest={
            "cameras": 16,
            "ratio": figure(0.85),
            "ratio_to_least": figure(0.7),
            "bare_frames_per_cpu_s": figure(5000),
            "least_frames_per_cpu_s": figure(6000),
            "recorder_frames_per_cpu_s": figure(4250),
        },
        camera={
            "pre_s": 5,
            "post_s": 5,
            "long_pre_s": 15,
            "idle_ratio": {"motion": figure(7.5), "single_process": figure(13.7)},
            "subjects": {
                "preroll": subject(4, 100),
                "motion": subject(30, 554),
                "single_process": subject(55, 850),
            },
            "long_subjects": {"preroll": subject(4, 190, 132), "motion": subject(30, 1500)},
        },
        burst={
            "cameras": 8,
            "clips": 32,
            "window_s": 2,
            "answered": latency,
            "answered_all_cameras": latency,
            "saved": latency,
            "ready": latency,
            "lost": 0,
            "incomplete": 0,
            "frames_short": 0,
            "cores_busy_while_encoding": 1.97,
            "encoding_watched_s": 20,
        },
        limit={"limit": 64, "is_bounded_by_run": False, "runs": [run(1), run(64), run(72, is_carried=False, lost=9)]},
        encode={
            "frames": 240,
            "remux_frames_per_s": figure(4000),
            "ratio": figure(1.01),
            "are_settings_equal": True,
            "preroll": {"frames_per_s": figure(66), "cpu_ms_per_frame": figure(30), "file_mb": 3.1},
            "ffmpeg": {"frames_per_s": figure(65), "cpu_ms_per_frame": figure(30), "file_mb": 3.1},
        },
        container={"first_frame_s": figure(1.9), "image_mb": {"preroll-api": 259}, "base_image_mb": 130},
        path={"instructions_per_frame": 600, "held_bytes_per_frame": 700},
        profile={"recorder, 64 cameras": shares_in("# a report\n  35.10%;ZMQbg/IO/0;[kernel.kallsyms]  \n\n")},
    )


def met(found: Json) -> dict[str, bool | None]:
    return {goal.name + ": " + goal.wanted: goal.is_met for goal in evaluate(found | {"machine_cores": 2})}


def test_goals_that_are_reached_are_met_and_parts_that_did_not_run_are_neither() -> None:
    said = met(everything()["parts"])
    assert [name for name, is_met in said.items() if is_met is False] == []
    assert [name for name, is_met in said.items() if is_met is None] == [
        "1080p30 cameras with no frame lost, captures that pass through: at least 28"
    ]
    assert all(is_met is None for is_met in met({}).values())


@pytest.mark.parametrize(
    ("part", "path", "value", "goal"),
    [
        ("ingest", ("ratio", "median"), 0.79, "Ingest against"),
        ("camera", ("subjects", "preroll", "idle_cpu_percent", "median"), 5.1, "CPU of one passthrough"),
        ("camera", ("idle_ratio", "motion", "median"), 5.9, "CPU of one passthrough"),
        ("camera", ("idle_ratio", "single_process", "median"), 10.9, "CPU of one passthrough"),
        ("camera", ("subjects", "preroll", "idle_pss_mb", "median"), 190, "Memory of recorder and one capture, 5 s"),
        ("camera", ("subjects", "preroll", "recorder_pss_mb", "max"), 119, "Recorder's memory"),
        ("camera", ("subjects", "preroll", "clips"), [{"lost": 1}], "Frames lost"),
        ("limit", ("limit",), 63, "1080p30 cameras with no frame lost, the recorder alone"),
        ("limit", ("runs", 2, "is_up"), False, "Past the limit"),
        ("burst", ("saved", "p99_ms"), 251, "`saved`"),
        ("burst", ("lost",), 1, "Several clips waiting"),
        ("encode", ("ratio", "median"), 0.94, "H.264 against"),
        ("encode", ("are_settings_equal",), False, "H.264 against"),
        ("container", ("first_frame_s", "max"), 3.1, "Container start"),
    ],
)
def test_a_figure_beyond_its_bound_misses_its_goal(
    part: str, path: tuple[str | int, ...], value: Any, goal: str
) -> None:
    found = everything()["parts"]
    place = found[part]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    said = met(found)
    assert any(is_met is False for name, is_met in said.items() if name.startswith(goal)), said


def test_losses_beyond_the_limit_are_no_fault_below_it() -> None:
    said = met(everything()["parts"])
    assert said["Frames lost, repeated or outside the window, in every run up to the limit: 0"] is True


def test_the_page_states_machine_date_goals_and_every_part() -> None:
    page = report.page(everything(), "bench/results/2026-03-01.json")
    for text in (
        "a processor",
        "2026-03-01",
        "abc1234",
        "pyzmq 27",
        "**met**",
        "no: 9 lost; the recorder stays up and states 9 lost",
        "| recorder, 64 cameras | ZeroMQ's thread | [kernel.kallsyms] | 35 |",
        "Motion",
        "images/bench-",
    ):
        assert text in page
    assert "## Containers" not in report.page(results(), "x.json")


def test_a_run_beyond_the_limit_tells_what_the_services_state() -> None:
    assert tables.afterwards({"is_up": False}) == "the recorder did not outlive it"
    said = tables.afterwards({"is_up": True, "lost_in_all": 3, "captures_behind": 60})
    assert said == "the recorder stays up and states 3 lost, 60 captures stated at some time that they were behind"


def test_the_plots_are_the_same_for_the_same_results(tmp_path: Path) -> None:
    first = {path.name: path.read_text() for path in plots.draw(everything(), tmp_path / "first")}
    second = {path.name: path.read_text() for path in plots.draw(everything(), tmp_path / "second")}
    assert set(first) == {"bench-cameras.svg", "bench-peers.svg", "bench-latency.svg"}
    assert first == second


def test_parts_of_another_commit_are_told() -> None:
    found = everything()
    assert "commit abc1234." in report.page(found, "a.json")
    found["parts"]["path"]["commit"] = "def5678"
    assert "commit def5678: path." in report.page(found, "a.json")
