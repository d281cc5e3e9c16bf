"""The log viewer: filters, pauses, and keeps up with a flood."""

import re
import secrets
import time

import pytest
import zmq
from playwright.sync_api import Page, expect

from preroll import sockets, wire
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


class Talker:
    """Says things on the bus as a service would."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", system: System) -> None:
        self._socket = sockets.bus_sender(context)
        self._socket.connect(system.bus_address)
        self._sender_id = secrets.token_hex(8)
        self._number = 0

    def say(
        self,
        message: str,
        level: wire.Level = "INFO",
        camera_id: str = "conveyor",
        event_id: str = "",
        service: wire.Service = "capture",
    ) -> None:
        fields: dict[str, wire.Scalar] = {"camera_id": camera_id}
        if event_id:
            fields["event_id"] = event_id
        self._socket.send(
            wire.encode(
                wire.LogMessage(
                    service=service,
                    instance=camera_id,
                    sender_id=self._sender_id,
                    number=self._number,
                    unix_ns=time.time_ns(),
                    level=level,
                    logger="test",
                    message=message,
                    fields=fields,
                )
            )
        )
        self._number += 1


@pytest.fixture
def talker(context: "zmq.Context[zmq.Socket[bytes]]", system: System) -> Talker:
    return Talker(context, system)


def shown(page: Page) -> list[str]:
    return page.locator(".log-row:visible .message").all_inner_texts()


def test_text_level_camera_and_event_each_narrow_the_list(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    talker.say(f"{mark} calm", "INFO", "conveyor", "event-1")
    talker.say(f"{mark} grave", "ERROR", "press-left", "event-2")
    page.get_by_label("Text").fill(mark)
    expect(page.locator(".log-row:visible")).to_have_count(2)
    page.get_by_label("Level").select_option("Error and above")
    expect(page.locator(".log-row:visible .message")).to_have_text([f"{mark} grave"])
    page.get_by_label("Level").select_option("All")
    page.get_by_label("Camera or instance").select_option("conveyor")
    expect(page.locator(".log-row:visible .message")).to_have_text([f"{mark} calm"])
    page.get_by_label("Camera or instance").select_option("All")
    page.get_by_label("Event id").fill("event-2")
    expect(page.locator(".log-row:visible .message")).to_have_text([f"{mark} grave"])
    page.get_by_label("Event id").fill("")
    page.get_by_label("Service").select_option("recorder")
    expect(page.locator("#nothing")).to_have_text("No record matches the filter.")


def test_a_pause_holds_the_list_still_and_loses_nothing(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    page.get_by_label("Text").fill(mark)
    talker.say(f"{mark} before")
    expect(page.locator(".log-row:visible")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    talker.say(f"{mark} while paused")
    expect(page.locator("#tally")).to_contain_text("waiting")
    wait_until(lambda: "0 waiting" not in page.locator("#tally").inner_text(), 5, "a record waits")
    assert shown(page) == [f"{mark} before"]
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".log-row:visible .message")).to_have_text([f"{mark} before", f"{mark} while paused"])


def test_a_record_opens_by_key_and_its_event_can_be_followed(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    talker.say(f"{mark} of an event", event_id=f"event-{mark}")
    page.get_by_label("Text").fill(mark)
    expect(page.locator(".log-row:visible")).to_have_count(1)
    page.get_by_role("listbox").focus()
    page.keyboard.press("End")
    expect(page.locator("#detail .full")).to_have_text(f"{mark} of an event")
    page.get_by_role("button", name="Follow this event").click()
    assert f"event=event-{mark}" in page.url


def test_an_event_is_followed_through_all_services_and_nothing_else_is_shown(page: Page, talker: Talker) -> None:
    mark = secrets.token_hex(4)
    followed, others = f"event-{mark}", (f"event-{mark}0", f"event-{mark[:-1]}", "")

    def all_speak(when: str) -> list[str]:
        services: tuple[wire.Service, ...] = ("api", "recorder", "capture")
        for service in services:
            talker.say(f"{mark} {service} {when}", event_id=followed, service=service)
            for other in others:
                talker.say(f"{mark} of another, {followed}", event_id=other, service=service)
        talker.say(f"{mark} end {when}")
        return [f"{mark} {service} {when}" for service in services]

    page.goto("/viewer")
    before = all_speak("before")
    page.get_by_label("Text").fill(mark)
    expect(page.locator(".log-row:visible")).to_have_count(13)
    page.locator(".log-row:visible").filter(has_text=before[0]).click()
    page.get_by_role("button", name="Follow this event").click()
    page.get_by_label("Text").fill("")
    expect(page.locator(".log-row:visible .message")).to_have_text(before)
    live = all_speak("live")
    expect(page.locator(".log-row:visible .message")).to_have_text([*before, *live])
    page.goto(page.url)  # the address is all that it takes
    expect(page.locator(".log-row:visible .message")).to_have_text([*before, *live])
    page.get_by_label("Event id").fill("")
    page.get_by_label("Text").fill(mark)
    expect(page.locator(".log-row:visible")).to_have_count(26)  # the others had come; they were not shown


def test_jump_to_now_leads_back_from_far_and_follows_again(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    page.get_by_label("Text").fill(mark)
    rows = page.locator(".log-row:visible .message")
    for number in range(300):
        talker.say(f"{mark} {number}")
    expect(page.locator("#tally")).to_contain_text("300 of")
    page.get_by_role("listbox").press("Home")
    expect(page.locator("#tally")).to_contain_text("Scrolled back")
    talker.say(f"{mark} while away")
    expect(page.locator("#tally")).to_contain_text("301 of")
    expect(rows.filter(has_text=re.compile(f"^{mark} 0$"))).to_be_in_viewport()
    expect(rows.filter(has_text=f"{mark} while away")).to_have_count(0)
    page.get_by_role("button", name="Jump to now").click()
    expect(rows.filter(has_text=f"{mark} while away")).to_be_in_viewport()
    expect(page.locator("#tally")).not_to_contain_text("Scrolled back")
    talker.say(f"{mark} after")
    expect(rows.filter(has_text=f"{mark} after")).to_be_in_viewport()


def test_the_newest_stays_in_sight_when_the_window_changes(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    page.get_by_label("Text").fill(mark)
    for number in range(100):
        talker.say(f"{mark} {number}")
    newest = page.locator(".log-row:visible .message").filter(has_text=re.compile(f"^{mark} 99$"))
    expect(newest).to_be_in_viewport()
    for width, height in ((390, 844), (844, 390), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        expect(newest).to_be_in_viewport()


def test_jump_to_now_ends_a_pause(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    page.get_by_label("Text").fill(mark)
    page.get_by_role("button", name="Pause").click()
    talker.say(f"{mark} while paused")
    wait_until(lambda: re.search(r"[1-9]\d* waiting", page.locator("#tally").inner_text()), 5, "a record waits")
    page.get_by_role("button", name="Jump to now").click()
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".log-row:visible .message")).to_have_text([f"{mark} while paused"])


def test_a_thousand_records_a_second_do_not_freeze_the_page(page: Page, talker: Talker) -> None:
    page.goto("/viewer")
    mark = secrets.token_hex(4)
    page.get_by_label("Text").fill(mark)
    page.evaluate(
        """() => {
            window.longest = 0;
            let before = performance.now();
            const look = (now) => {
                window.longest = Math.max(window.longest, now - before);
                before = now;
                requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
        }"""
    )
    began = time.monotonic()
    for hundred in range(50):
        for number in range(100):
            talker.say(f"{mark} {hundred * 100 + number}")
        wait_until(lambda hundred=hundred: time.monotonic() - began > hundred * 0.1, 5, "its turn")  # type: ignore[misc]
    expect(page.locator("#tally")).to_contain_text("5,000 of", timeout=15_000)
    expect(page.locator(".log-row:visible .message").last).to_have_text(f"{mark} 4999")
    assert page.locator(".log-row").count() < 100
    assert page.evaluate("window.longest") < 500
