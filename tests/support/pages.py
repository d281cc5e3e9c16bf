"""Looking at Preroll's pages as a person would: what is drawn in a picture on the screen, and what must never happen."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request

from tests.support.waiting import wait_until

CHROMIUM_ARGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)

# The number that the drawn camera writes into its pictures: 32 squares, the least significant first, white for 1.
_READ_NUMBER: Final = """
(element) => {
    const width = element.naturalWidth ?? element.width;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = element.naturalHeight ?? element.height;
    const brush = canvas.getContext('2d', {willReadFrequently: true});
    brush.drawImage(element, 0, 0);
    const side = width / 40;
    let number = 0;
    for (let bit = 0; bit < 32; bit += 1) {
        const [red] = brush.getImageData(Math.floor((bit + 0.5) * side), Math.floor(side / 2), 1, 1).data;
        if (red > 127) number += 2 ** bit;
    }
    return number;
}
"""


class Watched:
    """What a page says and asks for while it is open; `assert_clean` is the judgement."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        self.went_to: set[str] = set()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", self._follow)

    def assert_clean(self, allowed: str | None = None) -> None:
        """Nothing in the console, and no request to anywhere but this machine.

        `allowed` is a pattern for what Chromium itself writes there of each request that is not answered well.
        """
        bad = [
            said
            for said in self.said
            if allowed is None or not re.fullmatch(f"error: Failed to load .*{allowed}", said)
        ]
        assert not bad, "\n".join(bad)
        assert self.went_to <= {"127.0.0.1"}, f"requests to {self.went_to}"

    def _hear(self, message: ConsoleMessage) -> None:
        self.said.append(f"{message.type}: {message.text} {urlsplit(message.location['url']).path}")

    def _follow(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"}:
            self.went_to.add(address.hostname or "")


def drawn_number(element: Locator) -> int:
    """The frame number read out of the picture that an image or a canvas shows now."""
    number: int = element.evaluate(_READ_NUMBER)
    return number


def named_and_drawn(tile: Locator) -> tuple[int, int]:
    """The number that a tile names, and the one in its picture, both of one moment."""
    named, drawn = tile.evaluate(f"(tile) => [Number(tile.dataset.seq), ({_READ_NUMBER})(tile.querySelector('img'))]")
    return int(named), int(drawn)


def moments(page: Page) -> dict[str, float]:
    """What each camera of the player shows, in seconds from the trigger, by the true times of its frames."""
    found: dict[str, Any] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('figure.screen[data-moment]')]"
        ".map((screen) => [screen.dataset.camera, Number(screen.dataset.moment)]))"
    )
    return {camera_id: float(moment) for camera_id, moment in found.items()}


@dataclass(frozen=True, slots=True)
class Look:
    """The player at one instant: its clock, and of each camera the frame's moment, its number named and drawn."""

    moment_s: float
    shown_s: dict[str, float]
    named: dict[str, int]
    drawn: dict[str, int]


def look_at(page: Page) -> Look:
    """All cameras in one turn of the page, between which nothing on it can change."""
    moment_s, screens = page.evaluate(
        f"""() => [Number(document.getElementById('seek').value),
            [...document.querySelectorAll('figure.screen[data-moment]')].map((screen) => [screen.dataset.camera,
                Number(screen.dataset.moment), Number(screen.dataset.seq),
                ({_READ_NUMBER})(screen.querySelector('canvas'))])]"""
    )
    return Look(
        moment_s=float(moment_s),
        shown_s={camera_id: float(shown_s) for camera_id, shown_s, _, _ in screens},
        named={camera_id: int(named) for camera_id, _, named, _ in screens},
        drawn={camera_id: int(drawn) for camera_id, _, _, drawn in screens},
    )


def wait_steady(look: Callable[[], Any], timeout_s: float = 5) -> Any:
    """The value of `look` once it has been the same for a while of looking."""
    same: list[Any] = []

    def is_steady() -> bool:
        value = look()
        if same and same[-1] != value:
            same.clear()
        same.append(value)
        return len(same) > 20

    wait_until(is_steady, timeout_s, "what is shown stays the same")
    return same[-1]
