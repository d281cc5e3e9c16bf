"""The player: all cameras of an event on one time axis, in step within a frame."""

import hashlib
import signal
import zipfile
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.explaining import sidecar_of
from tests.support.pages import Look, look_at, moments, wait_steady
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)

CAMERAS = ("conveyor", "press-left", "press-right")
ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Recorded:
    """One camera's frames in an event, as its sidecar states them: what the page is judged by."""

    moments_s: list[float]  # from the trigger
    numbers: list[int]

    def index_at(self, moment_s: float) -> int:
        """The frame that belongs on the screen: the last that is not later, and before the first, the first."""
        return max(0, bisect_right(self.moments_s, moment_s + ROUNDING_S) - 1)


@pytest.fixture(scope="module")
def event(system: System) -> Json:
    """A ready event of three cameras, one of which was late in the middle of it, as any camera may be."""
    system.wait_ring(2.5, *CAMERAS)
    late = system.services["press-right"]
    late.signal(signal.SIGSTOP)
    try:
        system.wait_frames(4, "conveyor")
    finally:
        late.signal(signal.SIGCONT)
    system.wait_frames(15, "press-right")
    accepted = system.trigger(pre_s=2, post_s=2, labels={"fault": "E17"})
    return system.wait_state(accepted["event_id"], "ready")


@pytest.fixture(scope="module")
def recorded(system: System, event: Json) -> dict[str, Recorded]:
    """What each camera's clip holds."""
    found: dict[str, Recorded] = {}
    for camera_id in CAMERAS:
        sidecar = sidecar_of(system, event["event_id"], camera_id)
        found[camera_id] = Recorded(
            moments_s=[(us - sidecar["trigger_us"]) / 1e6 for _, _, us in sidecar["frames"]],
            numbers=[number for _, number, _ in sidecar["frames"]],
        )
    return found


def opened(page: Page, event: Json) -> None:
    page.goto(f"/ui/events/{event['event_id']}")
    wait_until(lambda: set(moments(page)) == set(CAMERAS), 15, "all cameras show a frame")
    wait_steady(lambda: moments(page))


def behind(look: Look, recorded: dict[str, Recorded]) -> list[int]:
    """How many frames each camera's picture is behind the clock."""
    assert look.drawn == look.named
    return [
        recorded[camera_id].index_at(look.moment_s) - recorded[camera_id].numbers.index(named)
        for camera_id, named in look.named.items()
    ]


def assert_in_step(page: Page, recorded: dict[str, Recorded]) -> None:
    """The player stands, and every camera shows the frame of that moment: in its picture and by its name."""
    wait_steady(lambda: moments(page))
    look = look_at(page)
    assert behind(look, recorded) == [0] * len(CAMERAS), look


def test_it_opens_on_the_trigger_frame_of_every_camera(page: Page, event: Json, recorded: dict[str, Recorded]) -> None:
    opened(page, event)
    for camera_id in CAMERAS:
        expect(page.locator(f"figure[data-camera={camera_id}] figcaption")).to_contain_text("trigger frame")
    assert_in_step(page, recorded)


@pytest.mark.parametrize("rate", ["1×", "0.5×"])
def test_all_cameras_play_in_step_within_one_frame(
    page: Page, event: Json, recorded: dict[str, Recorded], rate: str
) -> None:
    opened(page, event)
    page.keyboard.press("Home")
    wait_steady(lambda: moments(page))
    page.get_by_text(rate, exact=True).click()
    page.locator("#play").click()
    seen: list[int] = []

    def is_played() -> bool:
        look = look_at(page)
        seen.extend(behind(look, recorded))
        return look.moment_s > 0.5

    wait_until(is_played, 20, "it plays on")
    page.keyboard.press("Space")
    # Each camera shows its last frame that is not later than the clock. Where the browser skips a frame of a video, as
    # it may when a turn of the display comes late, that camera stays on the one before: one behind, and rarely. The
    # bounds leave room for a processor that others use meanwhile: alone, 98 looks in a hundred are at the very frame.
    exact = seen.count(0) / len(seen)
    print(f"{len(seen)} looks, {exact:.3f} at the very frame, at most {max(seen)} behind")
    assert min(seen) >= 0
    assert max(seen) <= 3
    assert exact >= 0.85
    assert_in_step(page, recorded)


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


def test_a_step_by_key_is_one_frame_of_the_chosen_camera(
    page: Page, event: Json, recorded: dict[str, Recorded]
) -> None:
    opened(page, event)
    page.get_by_role("button", name="Step by the frames of press-left").click()
    screen = page.locator("figure[data-camera=press-left]")
    first = int(screen.get_attribute("data-seq") or 0)
    for step in (1, 2, 3):
        page.locator("#seek").press("ArrowRight")
        wait_until(lambda step=step: screen.get_attribute("data-seq") == str(first + step), 5, "one frame on")  # type: ignore[misc]
    page.locator("#seek").press("ArrowLeft")
    wait_until(lambda: screen.get_attribute("data-seq") == str(first + 2), 5, "one frame back")
    assert_in_step(page, recorded)


def test_a_seek_brings_every_camera_to_that_moment(page: Page, event: Json, recorded: dict[str, Recorded]) -> None:
    opened(page, event)
    box = page.locator("#seek").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    wait_until(lambda: min(moments(page).values()) > 0.5, 5, "moved on")
    assert_in_step(page, recorded)
    assert look_at(page).moment_s == pytest.approx(1.2, abs=0.1)


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
