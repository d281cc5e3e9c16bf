"""Pictures of every page, wide and narrow, light and dark, in every condition; for people to look at.

They are put into `test-results/screenshots`. What is asserted is what a picture cannot prove: that each condition is
said in words.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import Watched, moments, wait_steady
from tests.support.processes import REPOSITORY, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(170)

CAMERAS = ("conveyor", "press-left", "press-right")
SIZES = {"1440": (1440, 900), "390": (390, 844)}
SCHEMES: tuple[Any, ...] = ("light", "dark")
OF_WINDOW_HEIGHT = {"viewer", "sign-in", "rewind"}


POSTERS_SHOWN = "[...document.querySelectorAll('.posters img')].filter((poster) => poster.naturalWidth).length"


class Album:
    """Takes a page in both sizes and both schemes."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, condition: str) -> None:
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            if name not in OF_WINDOW_HEIGHT and size == "390":
                whole = self.page.evaluate("document.documentElement.scrollHeight")
                self.page.set_viewport_size({"width": width, "height": min(4000, max(height, whole))})
                self._wait_pictures()
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                # As bytes: given a path, Playwright leaves a thread behind.
                picture = self.page.screenshot()
                (self._folder / f"{name}-{condition}-{size}-{scheme}.png").write_bytes(picture)
        self.page.set_viewport_size({"width": 1440, "height": 900})

    def _wait_pictures(self) -> None:
        waiting = self.page.locator(".tile[data-state=live] .veil:visible")
        wait_until(lambda: waiting.count() == 0, 5, "every live tile has its picture")


@pytest.fixture
def album(browser: Browser) -> Iterator[Album]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC")
    context.set_default_timeout(15_000)
    page = context.new_page()
    watched = Watched(page)
    yield Album(page, REPOSITORY / "test-results" / "screenshots")
    context.close()
    watched.assert_clean(
        allowed=r"(404 .* /events/never-was|503 .*)"
    )  # an event that never was, a recorder that is away


def test_every_page_in_every_condition(album: Album, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start("api")
        system.start("recorder", ring_s=20)
        wait_until(
            lambda: (answer := system.get("/cameras")) and answer.status_code == 200, 20, "the recorder is there"
        )
        empty(album, system)
        for camera_id in CAMERAS:
            system.start_capture(camera_id, width=1280, height=720, fps=15)
        system.wait_live(*CAMERAS)
        event_id = live(album, system)
        system.services["press-right"].stop()
        lost(album, system)
        system.services["recorder"].stop()
        away(album, system, event_id)


def goto(album: Album, system: System, path: str, link: str = "Live") -> Page:
    album.page.goto(system.url + path)
    expect(album.page.locator("#link-state")).to_have_text(link, timeout=15_000)
    return album.page


def empty(album: Album, system: System) -> None:
    page = goto(album, system, "/")
    expect(page.locator("#cameras-empty")).to_be_visible()
    expect(page.locator("#events-empty")).to_be_visible()
    album.take("dashboard", "empty")
    page = goto(album, system, "/ui/events")
    expect(page.locator("#empty-title")).to_have_text("No events yet")
    album.take("events", "empty")
    goto(album, system, "/viewer?text=nothing-of-the-kind")
    expect(page.locator("#nothing")).to_have_text("No record matches the filter.")
    album.take("viewer", "empty")
    page = goto(album, system, "/ui/events/never-was")
    expect(page.locator("#failed-title")).to_have_text("This event does not exist")
    album.take("event", "empty")
    page.goto(f"{system.url}/sign-in")
    album.take("sign-in", "live")


def live(album: Album, system: System) -> str:
    system.wait_ring(5.5, *CAMERAS)
    system.trigger(cameras=["conveyor"], pre_s=2, post_s=1, labels={"reason": "manual"})
    system.trigger(cameras=["conveyor", "press-left"], pre_s=3, post_s=1, labels={"line": "3", "part": "A-2207"})
    accepted = system.trigger(pre_s=4, post_s=3, labels={"line": "3", "fault": "E17"})
    event_id = str(accepted["event_id"])
    system.wait_state(event_id, "ready")
    page = goto(album, system, "/")
    page.get_by_label("Seconds after").fill("60")
    page.get_by_role("button", name="Trigger press-left").click()
    page.get_by_role("button", name="Close message").click()
    expect(page.locator(".event-rows .chip[data-state=recording]")).to_be_visible()
    wait_until(lambda: page.locator(".tile .veil:visible").count() == 0, 10, "every tile has its picture")
    expect(page.locator("#health")).to_contain_text("1 active")
    album.take("dashboard", "live")
    page.get_by_role("button", name="Rewind conveyor").click()
    expect(page.locator("#rewind-frame")).to_contain_text("#")
    for _ in range(6):
        before = page.locator("#rewind").get_attribute("data-seq")
        page.keyboard.press("Shift+ArrowLeft")
        wait_until(lambda before=before: page.locator("#rewind").get_attribute("data-seq") != before, 5)  # type: ignore[misc]
    album.take("rewind", "live")
    page = goto(album, system, "/ui/events")
    expect(page.locator(".card")).to_have_count(4)
    wait_until(lambda: page.evaluate(POSTERS_SHOWN) == 6, 10, "every poster is there")
    album.take("events", "live")
    page = goto(album, system, f"/ui/events/{event_id}")
    wait_until(lambda: set(moments(page)) == set(CAMERAS), 15, "all cameras show a frame")
    expect(page.locator("#logs li").filter(has_text="clip ready").first).to_be_visible()
    wait_steady(lambda: moments(page))
    album.take("event", "live")
    page = goto(album, system, "/viewer")
    expect(page.locator(".log-row:visible").first).to_be_visible()
    page.get_by_role("listbox").press("End")
    album.take("viewer", "live")
    return event_id


def lost(album: Album, system: System) -> None:
    event_id = str(system.trigger(pre_s=2, post_s=1)["event_id"])
    page = goto(album, system, "/")
    expect(page.locator("[data-camera=press-right] .chip")).to_have_text("lost", timeout=20_000)
    expect(page.locator("[data-camera=press-right] .verdict")).to_contain_text("Nothing to record")
    album.take("dashboard", "lost")
    system.wait_state(event_id, "ready")
    page = goto(album, system, f"/ui/events/{event_id}")
    expect(page.locator("#clips [data-camera=press-right] .shortfall")).to_be_visible()
    wait_until(lambda: {"conveyor", "press-left"} <= set(moments(page)), 15, "the living cameras show a frame")
    wait_steady(lambda: moments(page))
    album.take("event", "lost")


def away(album: Album, system: System, event_id: str) -> None:
    page = goto(album, system, "/", "Recorder away")
    expect(page.locator("#banner")).to_contain_text("The recorder does not answer.")
    expect(page.locator("#trigger-all")).to_be_disabled()
    expect(page.locator("#cameras-away")).to_be_visible()
    expect(page.locator("#events-away")).to_be_visible()
    album.take("dashboard", "away")
    page = goto(album, system, "/ui/events", "Recorder away")
    expect(page.locator("#failed")).to_contain_text("Events could not be loaded")
    album.take("events", "away")
    page = goto(album, system, f"/ui/events/{event_id}", "Recorder away")
    expect(page.locator("#failed-title")).to_have_text("The event could not be loaded")
    album.take("event", "away")
    goto(album, system, "/viewer", "Recorder away")
    album.take("viewer", "away")
