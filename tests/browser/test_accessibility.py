"""Every page for a keyboard and a screen reader, as far as a program can judge: axe-core finds nothing serious."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.processes import System

pytestmark = pytest.mark.timeout(90)

GRAVE = {"serious", "critical"}


def findings(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{violation['id']}: {violation['help']}: {[node['target'] for node in violation['nodes']][:5]}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
    ]


@pytest.fixture(scope="module")
def event_id(system: System) -> str:
    system.wait_ring(1, "conveyor", "press-left", "press-right")
    accepted = system.trigger(pre_s=0.5, post_s=0.5, labels={"line": "3"})
    return str(system.wait_state(accepted["event_id"], "ready")["event_id"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/", "/ui/events", "/ui/events/{event_id}", "/viewer", "/sign-in", "rewind"])
def test_axe_finds_nothing_serious(page: Page, event_id: str, path: str, width: int, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/" if path == "rewind" else path.format(event_id=event_id))
    if path != "/sign-in":
        expect(page.locator("#link-state")).to_have_text("Live")
    match path:
        case "/":
            expect(page.locator("#events li").first).to_be_visible()
        case "rewind":
            page.get_by_role("button", name="Rewind conveyor").click()
            expect(page.locator("#rewind-frame")).to_contain_text("#")
        case "/viewer":
            expect(page.locator(".log-row:visible").first).to_be_visible()
            page.get_by_role("listbox").press("End")
        case "/ui/events":
            expect(page.locator(".card").first).to_be_visible()
        case "/ui/events/{event_id}":
            expect(page.locator("#clips .clip").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("path", ["/", "/ui/events", "/ui/events/{event_id}", "/viewer"])
def test_every_control_is_reached_by_the_tab_key(page: Page, event_id: str, path: str) -> None:
    page.goto(path.format(event_id=event_id))
    expect(page.locator("#link-state")).to_have_text("Live")
    page.wait_for_load_state("networkidle") if path == "/ui/events" else None
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input, select, summary')]
            .filter((control) => control.checkVisibility({visibilityProperty: true}) && !control.disabled)
            .filter((control) => control.type !== 'radio' || control.checked)
            .map((control, index) => { control.dataset.wanted = index; return index; }).length"""
    )
    reached: set[str] = set()
    for _ in range(wanted * 3):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement?.dataset.wanted ?? ''"))
    missed = page.evaluate(
        """(reached) => [...document.querySelectorAll('[data-wanted]')]
            .filter((control) => !reached.includes(control.dataset.wanted)).map((control) => control.outerHTML)""",
        list(reached),
    )
    assert missed == []
