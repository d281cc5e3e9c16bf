"""Signing in and out, and what each key may do on the pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import Watched
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

KEY = "operate-5c1e0b7f4d2a9e83"
VIEW_KEY = "look-8d3f6a1b9c0e7245"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An API with both keys set; there is nothing behind it."""
    with System(tmp_path_factory.mktemp("guarded")) as system:
        system.start("api", key=KEY, view_key=VIEW_KEY)
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        yield system


@pytest.fixture
def visitor(browser: Browser, guarded: System) -> Iterator[Page]:
    context = browser.new_context(base_url=guarded.url)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched = Watched(page)
    yield page
    context.close()
    watched.assert_clean(allowed=r"401 \(Unauthorized\) /session")  # a wrong key


def enter(page: Page, key: str) -> None:
    page.get_by_label("Access key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_closed_page_leads_to_the_sign_in_and_back(visitor: Page, guarded: System) -> None:
    visitor.goto("/viewer?level=30")
    expect(visitor).to_have_url(f"{guarded.url}/sign-in?next=%2Fviewer%3Flevel%3D30")
    enter(visitor, KEY)
    expect(visitor).to_have_url(f"{guarded.url}/viewer?level=30")
    expect(visitor.locator("#link-state")).not_to_have_text("Connecting")


def test_a_wrong_key_is_refused_in_words(visitor: Page) -> None:
    visitor.goto("/sign-in")
    enter(visitor, "not-the-key-of-this-place")
    expect(visitor.locator("#refusal")).to_have_text("This key is not right.")
    expect(visitor.get_by_label("Access key")).to_be_focused()


def test_who_operates_sees_the_trigger_and_signs_out_again(visitor: Page, guarded: System) -> None:
    visitor.goto("/sign-in")
    enter(visitor, KEY)
    expect(visitor).to_have_url(f"{guarded.url}/")
    expect(visitor.locator("#trigger-all")).to_be_visible()
    visitor.get_by_role("button", name="Sign out").click()
    expect(visitor).to_have_url(f"{guarded.url}/sign-in?next=%2F")
    visitor.goto("/ui/events")
    expect(visitor.get_by_label("Access key")).to_be_visible()


def test_who_only_looks_sees_nothing_that_changes_anything(visitor: Page, guarded: System) -> None:
    visitor.goto("/sign-in")
    enter(visitor, VIEW_KEY)
    expect(visitor).to_have_url(f"{guarded.url}/")
    expect(visitor.locator("#role")).to_have_text("Viewing only")
    assert visitor.locator(".operates:visible").count() == 0


def test_a_link_cannot_lead_away_after_the_sign_in(visitor: Page, guarded: System) -> None:
    visitor.goto("/sign-in?next=//example.org/")
    enter(visitor, KEY)
    expect(visitor).to_have_url(f"{guarded.url}/")


def test_axe_finds_nothing_serious_with_a_refusal_shown(visitor: Page, tmp_path: Path) -> None:
    visitor.goto("/sign-in")
    enter(visitor, "not-the-key-of-this-place")
    expect(visitor.locator("#refusal")).not_to_be_empty()
    violations = Axe().run(visitor).response["violations"]
    assert [found["id"] for found in violations if found["impact"] in {"serious", "critical"}] == []
