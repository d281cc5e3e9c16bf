"""The figures of a real system: what was triggered is counted, and a recorder that is away is told as such."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

Figures = dict[tuple[str, ...], float]


def scrape(system: System) -> Figures:
    """Each sample's value by its name and its labels' values."""
    answer = system.http.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_trigger_shows_in_the_figures_and_so_does_a_recorder_that_is_away(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", "cam2", ring_s=5)
        system.wait_ring(1, "cam1", "cam2")
        before = scrape(system)
        assert before["preroll_recorder_up",] == 1
        assert before["preroll_trigger_to_acceptance_seconds_count",] == 0
        assert before["preroll_camera_state", "cam1", "live"] == 1
        assert before["preroll_camera_state", "cam1", "lost"] == 0

        event = system.trigger(pre_s=0.5, post_s=0.5)
        system.wait_state(event["event_id"], "ready")
        ready = "preroll_window_end_to_ready_seconds_count"
        after = wait_until(lambda: figures if (figures := scrape(system))[ready,] == 2 else {}, 10, "both are counted")
        assert after["preroll_trigger_to_acceptance_seconds_count",] == 1
        assert after["preroll_trigger_to_acceptance_seconds_bucket", "0.5"] == 1
        assert after["preroll_window_end_to_saved_seconds_count",] == 2
        assert after["preroll_clips_total", "complete"] == 2
        assert after["preroll_events_stored",] == 1
        assert (
            after["preroll_camera_frames_received_total", "cam1"]
            > before["preroll_camera_frames_received_total", "cam1"]
        )
        assert after["preroll_camera_source_open", "cam2"] == 1
        assert after["preroll_disk_total_bytes",] > after["preroll_disk_free_bytes",] > 0
        assert after["preroll_recorder_memory_bytes",] > 1_000_000

        # Changed afterwards, it is the same event and counts no more.
        assert system.http.put(f"/events/{event['event_id']}/protection", json={"protected": True}).status_code == 200
        again = system.trigger(cameras=["cam1"], pre_s=0.2, post_s=0.2)
        system.wait_state(again["event_id"], "ready")
        figures = wait_until(lambda: now if (now := scrape(system))[ready,] >= 3 else {}, 10, "the third is counted")
        assert figures[ready,] == 3

        system.services["recorder"].stop()
        away = scrape(system)
        assert away["preroll_recorder_up",] == 0
        assert ("preroll_disk_free_bytes",) not in away
        assert away[ready,] == 3
