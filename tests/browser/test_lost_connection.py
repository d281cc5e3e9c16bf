"""The API goes away and comes back: every page says so, and heals by itself."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.pages import Watched
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


def test_every_page_says_that_the_connection_is_lost_and_heals_by_itself(browser: Browser, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1")
        system.wait_ring(1, "cam1")
        event = system.wait_state(system.trigger(pre_s=0.5, post_s=0.5)["event_id"], "ready")
        context = browser.new_context(base_url=system.url)
        pages = {path: context.new_page() for path in ("/", "/ui/events", f"/ui/events/{event['event_id']}", "/viewer")}
        watched = [Watched(page) for page in pages.values()]
        for path, page in pages.items():
            page.goto(path)
            expect(page.locator("#link-state")).to_have_text("Live", timeout=15_000)

        assert system.services["api"].stop() == 0
        for page in pages.values():
            expect(page.locator("#link-state")).to_have_text("Connection lost", timeout=15_000)
            expect(page.get_by_role("alert").filter(has_text="Connection lost.")).to_contain_text("Trying to reconnect")
        expect(pages["/"].locator("#trigger-all")).to_be_disabled()

        system.services["api"].start()
        system.wait_ready()
        for page in pages.values():
            expect(page.locator("#link-state")).to_have_text("Live", timeout=30_000)
            expect(page.locator("#banner")).to_be_hidden()
        expect(pages["/"].locator("#trigger-all")).to_be_enabled()
        later = system.trigger(pre_s=0.2, post_s=0.2)["event_id"]
        for path in ("/", "/ui/events"):
            expect(pages[path].locator(f"[data-event='{later}']")).to_be_visible(timeout=15_000)
        tile = pages["/"].locator("[data-camera=cam1]")
        before = tile.get_attribute("data-seq")
        wait_until(lambda: tile.get_attribute("data-seq") != before, 10, "new pictures")
        context.close()
        for each in watched:
            each.assert_clean(allowed=r"(net::ERR_.*|503 .*)")  # the API is away, and comes back before the recorder
