"""One browser, and one running system with three cameras, for all tests of the pages."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.pages import CHROMIUM_ARGS, Watched
from tests.support.processes import System

CAMERAS = ("conveyor", "press-left", "press-right")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("PREROLL_TEST_EVERYTHING"):
            pytest.fail("no Chromium")
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("system")) as started:
        started.start("api")
        started.start("recorder")
        for camera_id in CAMERAS:
            started.start_capture(camera_id, fps=25)
        started.wait_ready()
        started.wait_live(*CAMERAS)
        yield started


@pytest.fixture
def page(browser: Browser, system: System) -> Iterator[Page]:
    """A page that must stay silent and ask nobody else."""
    context = browser.new_context(base_url=system.url, viewport={"width": 1440, "height": 900}, timezone_id="UTC")
    context.set_default_timeout(10_000)
    opened = context.new_page()
    watched = Watched(opened)
    yield opened
    context.close()
    watched.assert_clean()
