"""Large pictures: the player draws them as large as they are seen, for whole ones of many cameras would fill the memory."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import Watched, look_at, moments
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def player(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of an event of one camera of 1080p, in a narrow window."""
    with System(tmp_path_factory.mktemp("large")) as system:
        system.start("api")
        system.start("recorder")
        system.start_capture("large", width=1920, height=1080, fps=20)
        system.wait_ready()
        system.wait_ring(2, "large")
        event = system.wait_state(system.trigger(pre_s=2, post_s=0.5)["event_id"], "ready")
        context = browser.new_context(base_url=system.url, viewport={"width": 700, "height": 900})
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"/ui/events/{event['event_id']}")
        wait_until(lambda: set(moments(page)) == {"large"}, 15, "a frame is shown")
        yield page
        context.close()
        watched.assert_clean()


def widths(page: Page) -> tuple[int, int]:
    """How wide the picture is drawn, and how wide it is seen."""
    drawn, seen = page.evaluate(
        "(({width, clientWidth}) => [width, clientWidth])(document.querySelector('.screen canvas'))"
    )
    return int(drawn), int(seen)


def test_a_frame_is_drawn_as_large_as_it_is_seen_and_again_when_that_is_larger(player: Page) -> None:
    drawn, seen = widths(player)
    assert 300 < seen < 700
    assert drawn == seen
    before = look_at(player)
    assert before.named == before.drawn
    player.set_viewport_size({"width": 1400, "height": 900})
    wait_until(lambda: widths(player)[0] == widths(player)[1] > 700, 5, "it is drawn larger")
    assert look_at(player) == before

    player.keyboard.press("Home")
    player.get_by_role("button", name="Play", exact=True).click()
    looks = [(look_at(player), widths(player)) for _ in range(10)]
    assert all(look.named == look.drawn and drawn == seen for look, (drawn, seen) in looks)
    expect(player.locator("#play")).to_have_text("Play", timeout=15_000)
