"""Retention takes finished events that nobody protects, and no others."""

from pathlib import Path

import pytest

from tests.support.explaining import drawn, shown
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


def test_retention_takes_what_is_finished_and_not_protected(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=5, pre_s=0.3, post_s=0.5, format="mjpeg", retention_max_gb=0.000_001)
        system.wait_ring(1, "cam1")

        def is_gone(event_id: str) -> bool:
            return system.http.get(f"/events/{event_id}").status_code == 404

        system.trigger(event_id="kept")
        assert system.http.put("/events/kept/protection", json={"protected": True}).status_code == 200
        system.trigger(event_id="running", post_s=30)
        system.trigger(event_id="taken")
        wait_until(lambda: is_gone("taken"), 30, "retention takes the event that is not protected")
        wait_until(lambda: not list(system.clips_dir.glob("*/taken")), 5, "and its files")
        drawn(shown(system, "kept"))
        assert system.event("running")["state"] == "recording"
        refused = system.http.delete("/events/kept")
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
        assert "protected" in refused.json()["detail"]
        assert system.http.put("/events/running/protection", json={"protected": True}).status_code == 200
        assert system.http.patch("/events/running", json={"post_s": 0}).status_code == 200
        drawn(shown(system, "running"))
        for event_id in ("kept", "running"):
            answer = system.http.put(f"/events/{event_id}/protection", json={"protected": False})
            assert answer.json()["protected"] is False
            wait_until(lambda: is_gone(event_id), 30, "without protection it goes")  # noqa: B023 - asked at once
