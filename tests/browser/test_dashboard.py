"""The dashboard: what it shows is what is, and a trigger made there is the one that was meant."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.pages import drawn_number, named_and_drawn, wait_steady
from tests.support.pictures import read_codes, read_jpeg
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


def test_every_camera_has_a_tile_with_its_newest_picture(page: Page, system: System) -> None:
    page.goto("/")
    for camera_id in system.cameras():
        tile = page.locator(f"[data-camera={camera_id}]")
        expect(tile.get_by_role("status").first).to_have_text("live")
        expect(tile.get_by_role("meter")).to_be_visible()
        wait_until(lambda tile=tile: tile.get_attribute("data-seq"), 10, f"a picture of {camera_id}")  # type: ignore[misc]
        first, _ = named_and_drawn(tile)
        wait_until(lambda tile=tile, first=first: drawn_number(tile.locator("img")) > first, 5, "a newer picture")  # type: ignore[misc]


def test_the_number_beside_a_picture_is_always_that_of_the_picture(page: Page) -> None:
    page.goto("/")
    tile = page.locator("[data-camera=conveyor]")
    wait_until(lambda: tile.get_attribute("data-seq"), 10, "a picture")
    seen: set[int] = set()

    def has_changed_often() -> bool:
        named, drawn = named_and_drawn(tile)
        assert named == drawn
        seen.add(named)
        return len(seen) >= 6

    wait_until(has_changed_often, 15, "six pictures")


def test_the_ring_says_when_a_trigger_would_be_complete(page: Page, system: System) -> None:
    system.wait_ring(5.2, "conveyor")
    page.goto("/")
    expect(page.locator("[data-camera=conveyor] .verdict")).to_contain_text("5 s needed")
    expect(page.locator("#readiness")).to_contain_text("A trigger now would be complete")


def test_a_trigger_from_a_tile_records_that_camera_and_its_event_becomes_ready_before_the_eye(
    page: Page, system: System
) -> None:
    system.wait_ring(1.5, "press-left")
    page.goto("/")
    page.get_by_label("Seconds before").fill("1")
    page.get_by_label("Seconds after").fill("0.5")
    page.get_by_label("Labels").fill("line=3, fault=E17")
    page.get_by_role("button", name="Trigger press-left").click()
    notice = page.locator(".notice").get_by_role("link", name="Open event")
    event_id = (notice.get_attribute("href") or "").rsplit("/", 1)[1]
    row = page.locator(f"#events [data-event='{event_id}']")
    expect(row.locator(".chip").first).to_have_text("ready", timeout=30_000)
    event = system.event(event_id)
    assert [clip["camera_id"] for clip in event["clips"]] == ["press-left"]
    assert event["labels"] == {"line": "3", "fault": "E17"}
    assert (event["pre_s"], event["post_s"]) == (1, 0.5)


def test_a_trigger_two_seconds_back_is_the_very_frame_on_the_screen(page: Page, system: System, tmp_path: Path) -> None:
    system.wait_ring(4, "conveyor", "press-left", "press-right")
    page.goto("/")
    page.get_by_label("Seconds before").fill("1")
    page.get_by_label("Seconds after").fill("1")
    page.get_by_role("button", name="Rewind conveyor").click()
    dialog = page.locator("#rewind")
    wait_until(lambda: dialog.get_attribute("data-seq"), 5, "the newest frame")
    newest = drawn_number(page.locator("#rewind-picture"))
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    wait_steady(lambda: dialog.get_attribute("data-seq"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    shown = wait_steady(lambda: drawn_number(page.locator("#rewind-picture")))
    assert 25 <= newest - shown + 1 <= 75, f"{newest} less about two seconds is {shown}"
    assert dialog.get_attribute("data-seq") == str(shown)

    page.get_by_role("button", name="Trigger at this frame").click()
    event_id = wait_until(lambda: dialog.get_attribute("data-event"), 5, "the trigger is accepted") or ""
    event = system.wait_state(event_id, "ready")
    assert len(event["clips"]) == len(system.cameras())
    clip = next(clip for clip in event["clips"] if clip["camera_id"] == "conveyor")
    sidecar = system.http.get(clip["files"]["sidecar"]["url"]).json()
    at = sidecar["trigger_frame"]
    assert sidecar["frames"][at][1] == shown
    assert read_jpeg(system.http.get(clip["files"]["poster"]["url"]).content)[0] == shown
    codes = read_codes(system.download(clip["files"]["clip"]["url"], tmp_path / "clip.mp4"))
    assert codes[at].number == shown


def test_what_cannot_be_triggered_is_said_where_it_was_asked(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Labels").fill("=E17")
    page.get_by_role("button", name="Trigger all cameras").click()
    expect(page.locator("#trigger-refusal")).to_contain_text("has no name before the =")
    expect(page.get_by_label("Labels")).to_be_focused()


def test_what_is_wrong_is_said_in_a_box_that_is_there_only_then(page: Page) -> None:
    well = {"subject": "disk", "state": "ok", "said": "350 GB are free", "advice": None}
    ill = {"subject": "clock", "state": "problem", "said": "the clock was never set", "advice": "set it, or let NTP"}
    told = {"state": "problem", "asked_at": "2026-03-01T12:00:00.000000Z", "findings": [well, ill]}
    page.route("**/doctor", lambda route: route.fulfill(json=told))
    page.goto("/")
    box = page.get_by_role("region", name="Something is wrong")
    expect(box.get_by_role("listitem")).to_have_count(1)
    expect(box).to_contain_text("The clock was never set.")
    expect(box).to_contain_text("Set it, or let NTP.")
    page.unroute("**/doctor")
    page.route("**/doctor", lambda route: route.fulfill(json={**told, "state": "ok", "findings": [well]}))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#doctor")).to_be_hidden()


def test_the_real_doctor_is_asked_by_the_page(page: Page, system: System) -> None:
    with page.expect_response("**/doctor") as asked:
        page.goto("/")
    assert {finding["subject"] for finding in asked.value.json()["findings"]} >= {"trigger", "clock", "disk", "memory"}
