"""An event that lacks something: the page says what, where and why."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import Watched
from tests.support.processes import Json, System

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Json]]:
    """An event of three cameras: one is whole, one was started anew inside the window, one was dead before it."""
    with System(tmp_path_factory.mktemp("torn")) as system:
        system.start_all("whole", "broken", "dead")
        system.wait_ring(1, "whole", "broken", "dead")
        assert system.services["dead"].stop() == 0
        system.wait_frames(60, "whole")  # two seconds: more than the window reaches back
        run_id = system.cameras()["broken"]["run_id"]
        accepted = system.trigger(pre_s=0.5, post_s=8)
        system.services["broken"].kill()
        system.services["broken"].start()
        system.wait_new_run("broken", run_id)
        yield system, system.wait_state(accepted["event_id"], "ready")


@pytest.fixture
def page(browser: Browser, torn: tuple[System, Json]) -> Iterator[Page]:
    system, event = torn
    context = browser.new_context(base_url=system.url, viewport={"width": 1440, "height": 900}, timezone_id="UTC")
    context.set_default_timeout(10_000)
    opened = context.new_page()
    watched = Watched(opened)
    opened.goto(f"/ui/events/{event['event_id']}")
    expect(opened.locator("figure.screen[data-moment]")).to_have_count(2)
    yield opened
    context.close()
    watched.assert_clean()


def test_a_gap_is_marked_on_the_time_axis_and_said_over_the_picture(page: Page) -> None:
    hole = page.locator(".lane .hole")
    expect(hole).to_have_count(1)
    expect(hole).to_have_attribute("title", re.compile(r"^\d+\.\d\d s: camera restarted"))
    broken = page.locator("figure[data-camera=broken]")
    expect(broken.locator(".over")).to_be_hidden()
    box = hole.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(broken.locator(".over")).to_have_text(re.compile(r"^Gap of \d+\.\d\d s: camera restarted$"))
    expect(page.locator("figure[data-camera=whole] .over")).to_be_hidden()


def test_the_player_plays_over_a_gap_to_the_end(page: Page) -> None:
    page.get_by_text("4×", exact=True).click()
    page.keyboard.press("Home")
    page.locator("#play").click()
    expect(page.locator("#player")).to_have_attribute("data-playing", "true")
    expect(page.locator("#player")).to_have_attribute("data-playing", "false", timeout=15_000)
    assert float(page.locator("#seek").input_value()) > 7.9


def test_a_camera_that_was_dead_is_said_to_have_recorded_nothing(page: Page) -> None:
    expect(page.locator("figure[data-camera=dead]")).to_contain_text("Nothing recorded")
    expect(page.locator(".lane[data-state=failed]")).to_have_text("dead")
    clip = page.locator("#clips [data-camera=dead]")
    expect(clip.locator(".chip")).to_have_text("failed")
    expect(clip.locator(".shortfall")).to_be_visible()
    expect(clip.locator("a[download]", has_text="MP4")).to_have_count(0)
    expect(page.locator("#states")).to_contain_text("1 failed")
