"""A clip that is kept as the camera sent it: no browser plays Motion JPEG, and the page says so."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.pages import Watched, drawn_number
from tests.support.processes import System

pytestmark = pytest.mark.timeout(60)


def test_it_shows_the_trigger_frame_and_offers_the_file(browser: Browser, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", format="mjpeg")
        system.wait_ring(1, "cam1")
        event = system.wait_state(system.trigger(pre_s=0.5, post_s=0.5)["event_id"], "ready")
        (clip,) = event["clips"]
        context = browser.new_context()
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{system.url}/ui/events/{event['event_id']}")
        screen = page.locator("figure[data-camera=cam1]")
        expect(screen).to_contain_text("No browser plays this clip")
        sidecar = system.http.get(clip["files"]["sidecar"]["url"]).json()
        assert drawn_number(screen.locator("img")) == sidecar["frames"][sidecar["trigger_frame"]][1]
        expect(page.locator("#play")).to_be_disabled()
        download = page.get_by_role("link", name="Download MP4 (MJPEG) of cam1")
        assert (
            system.http.get(download.get_attribute("href") or "")
            .headers["content-disposition"]
            .startswith("attachment")
        )
        context.close()
        watched.assert_clean()
