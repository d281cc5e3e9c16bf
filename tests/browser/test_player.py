"""The player: all cameras of an event on one time axis, in step within a frame."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.pages import drawn_number, look_at, moments, wait_steady
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)

CAMERAS = ("conveyor", "press-left", "press-right")
PERIOD_S = 1 / 25
JITTER_S = 0.01  # of a drawn camera's own times, on a busy machine


@pytest.fixture(scope="module")
def event(system: System) -> Json:
    """A ready event of three cameras."""
    system.wait_ring(2.5, *CAMERAS)
    accepted = system.trigger(pre_s=2, post_s=2, labels={"fault": "E17"})
    return system.wait_state(accepted["event_id"], "ready")


def opened(page: Page, event: Json) -> None:
    page.goto(f"/ui/events/{event['event_id']}")
    wait_until(lambda: set(moments(page)) == set(CAMERAS), 15, "all cameras show a frame")
    wait_steady(lambda: moments(page))


def spread_s(shown: dict[str, float]) -> float:
    return max(shown.values()) - min(shown.values())


def assert_pictures_are_what_is_named(page: Page) -> None:
    for camera_id in CAMERAS:
        screen = page.locator(f"figure[data-camera={camera_id}]")
        assert str(drawn_number(screen.locator("canvas"))) == screen.get_attribute("data-seq")


def test_it_opens_on_the_trigger_frame_of_every_camera(page: Page, event: Json) -> None:
    opened(page, event)
    for camera_id in CAMERAS:
        expect(page.locator(f"figure[data-camera={camera_id}] figcaption")).to_contain_text("trigger frame")
    assert_pictures_are_what_is_named(page)


@pytest.mark.parametrize("rate", ["1×", "0.5×"])
def test_all_cameras_play_in_step_within_one_frame(page: Page, event: Json, rate: str) -> None:
    opened(page, event)
    page.keyboard.press("Home")
    wait_steady(lambda: moments(page))
    page.get_by_text(rate, exact=True).click()
    page.locator("#play").click()
    lags_s: list[float] = []

    def is_played() -> bool:
        look = look_at(page)
        lags_s.extend(look.moment_s - shown_s for shown_s in look.shown_s.values())
        assert look.drawn == look.named
        return look.moment_s > -0.5

    # A camera's first frame is up to a period later than the window's begin, and is shown before its time.
    wait_until(lambda: look_at(page).moment_s > -2 + PERIOD_S, 10, "every camera has begun")
    wait_until(is_played, 20, "it plays on")
    page.keyboard.press("Space")
    wait_steady(lambda: moments(page))
    # Each camera shows its last frame that is not later than the clock. Where the browser skips a frame of a video, as
    # it may when a turn of the display comes late, that camera stays on the one before: two periods, and rarely. The
    # bounds leave room for a processor that others use meanwhile: alone, 98 looks in a hundred are within one period.
    assert min(lags_s) >= -0.001
    within = sum(lag_s <= PERIOD_S + JITTER_S for lag_s in lags_s) / len(lags_s)
    print(f"{len(lags_s)} looks, {within:.3f} within one period, the worst {max(lags_s) / PERIOD_S:.2f} periods")
    assert max(lags_s) <= 3 * PERIOD_S + JITTER_S
    assert within >= 0.85, sorted(lags_s)[-20:]
    assert spread_s(moments(page)) <= PERIOD_S + JITTER_S
    assert_pictures_are_what_is_named(page)


def test_a_frame_that_is_told_late_has_its_own_number(page: Page, event: Json) -> None:
    """The video may have gone on to its next frame when a busy page gets round to the one before."""
    page.add_init_script(
        """const { requestVideoFrameCallback: request } = HTMLVideoElement.prototype;
        HTMLVideoElement.prototype.requestVideoFrameCallback = function (told) {
          return request.call(this, (...frame) => setTimeout(() => told(...frame), 30));
        };"""
    )
    opened(page, event)
    page.keyboard.press("Home")
    wait_steady(lambda: moments(page))
    page.locator("#play").click()
    looks = 0

    def is_played() -> bool:
        nonlocal looks
        look = look_at(page)
        assert look.drawn == look.named
        looks += 1
        return look.moment_s > 1

    wait_until(is_played, 20, "it plays on")
    assert looks > 10


def test_a_step_by_key_is_one_frame_of_the_chosen_camera(page: Page, event: Json) -> None:
    opened(page, event)
    page.get_by_role("button", name="Step by the frames of press-left").click()
    screen = page.locator("figure[data-camera=press-left]")
    first = int(screen.get_attribute("data-seq") or 0)
    for step in (1, 2, 3):
        page.locator("#seek").press("ArrowRight")
        wait_until(lambda step=step: screen.get_attribute("data-seq") == str(first + step), 5, "one frame on")  # type: ignore[misc]
    page.locator("#seek").press("ArrowLeft")
    wait_until(lambda: screen.get_attribute("data-seq") == str(first + 2), 5, "one frame back")
    wait_steady(lambda: moments(page))
    assert spread_s(moments(page)) <= PERIOD_S + 0.002
    assert_pictures_are_what_is_named(page)


def test_a_seek_brings_every_camera_to_that_moment(page: Page, event: Json) -> None:
    opened(page, event)
    box = page.locator("#seek").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    wait_until(lambda: min(moments(page).values()) > 1, 5, "moved to 1.2 s")
    shown: dict[str, float] = wait_steady(lambda: moments(page))
    assert all(moment == pytest.approx(1.2, abs=0.1) for moment in shown.values()), shown
    assert spread_s(shown) <= PERIOD_S + 0.002
    assert_pictures_are_what_is_named(page)


def test_it_plays_slowly_and_fast(page: Page, event: Json) -> None:
    opened(page, event)
    page.get_by_text("4×", exact=True).click()
    page.locator("#play").click()
    wait_until(lambda: page.locator("#player").get_attribute("data-playing") == "false", 10, "played to its end")
    assert min(moments(page).values()) > 1.8
    page.keyboard.press("Home")
    page.get_by_text("0.1×", exact=True).click()
    page.locator("#play").click()
    wait_until(lambda: min(moments(page).values()) > -1.95, 10, "it moves slowly")
    rate = page.locator("video").first.evaluate("(video) => video.playbackRate")
    assert rate == pytest.approx(0.1, abs=0.025)


def test_protect_is_kept_and_shown(page: Page, system: System, event: Json) -> None:
    opened(page, event)
    button = page.locator("#protect")
    button.click()
    expect(button).to_have_text("Protected")
    assert system.event(event["event_id"])["protected"] is True
    button.click()
    expect(button).to_have_text("Protect")
    assert system.event(event["event_id"])["protected"] is False


def test_delete_asks_first(page: Page, system: System) -> None:
    accepted = system.trigger(cameras=["conveyor"], pre_s=0.5, post_s=0.2)
    event_id = system.wait_state(accepted["event_id"], "ready")["event_id"]
    page.goto(f"/ui/events/{event_id}")
    page.locator("#delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert system.http.get(f"/events/{event_id}").status_code == 200
    page.locator("#delete").click()
    page.get_by_role("button", name="Delete event").click()
    page.wait_for_url("**/ui/events")
    assert system.http.get(f"/events/{event_id}").status_code == 404


def downloaded(page: Page, link: Locator, into: Path) -> str:
    """What a click on a link saves, in `into`; the name that the browser gives it."""
    with page.expect_download() as waiting:
        link.click()
    waiting.value.save_as(into)
    return waiting.value.suggested_filename


def test_a_clip_is_saved_byte_for_byte(page: Page, event: Json, tmp_path: Path) -> None:
    opened(page, event)
    saved = tmp_path / "clip.mp4"
    name = downloaded(page, page.get_by_role("link", name="Download MP4 of conveyor"), saved)
    assert name.endswith(".mp4")
    clip = next(clip for clip in event["clips"] if clip["camera_id"] == "conveyor")
    assert hashlib.sha256(saved.read_bytes()).hexdigest() == clip["files"]["clip"]["sha256"]


def test_the_link_of_an_event_is_copied(page: Page, event: Json) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, event)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".notice")).to_contain_text("Link copied.")
    assert page.evaluate("() => navigator.clipboard.readText()") == page.url


def test_all_clips_come_in_one_archive(page: Page, event: Json, tmp_path: Path) -> None:
    opened(page, event)
    saved = tmp_path / "event.zip"
    assert downloaded(page, page.get_by_role("link", name="Download all"), saved).endswith(".zip")
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert {f"{camera_id}.mp4" for camera_id in CAMERAS} <= {name.rsplit("/", 1)[-1] for name in names}


def test_the_logs_of_the_span_lie_beside(page: Page, event: Json) -> None:
    opened(page, event)
    expect(page.locator("#logs li").filter(has_text="clip saved").first).to_be_visible()


def test_events_are_found_by_label_and_camera(page: Page, event: Json) -> None:
    page.goto("/ui/events")
    card = page.locator(f"[data-event='{event['event_id']}']")
    expect(card).to_be_visible()
    page.get_by_label("Label").fill("fault=nothing-like-it")
    expect(page.locator("#empty-title")).to_have_text("No event matches")
    page.get_by_label("Label").fill("fault=E17")
    expect(card).to_be_visible()
    assert "label=fault%3DE17" in page.url
