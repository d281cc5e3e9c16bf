"""What `preroll watch` knows and draws. Pure: documents and times in, a renderable out.

Drawn by another thread than the one that takes messages: what is drawn is replaced as a whole, never changed.
"""

from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from preroll.cli.documents import Camera, Event, Health
from preroll.cli.terminal import clean, size
from preroll.cli.views import cameras_table, events_table

EVENTS_KEPT: Final = 200
SILENT_AFTER_S: Final = 5.0


class Board:
    """The cameras and the newest events, as of the last message."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cameras: dict[str, Camera] = {}
        self._events: dict[str, Event] = {}
        self._health: Health | None = None
        self._heard_s: float | None = None
        self._lost: str | None = None

    def load(self, cameras: list[Camera], events: list[Event], health: Health | None, now_s: float) -> None:
        """Begin anew with what the API answers now."""
        self._cameras = {camera["camera_id"]: camera for camera in cameras}
        self._events = {event["event_id"]: event for event in events}
        self._health = health
        self._heard_s = None if health is None else now_s
        self._lost = None

    def lose(self, reason: str) -> None:
        self._lost = reason

    def take(self, kind: str, document: Any, now_s: float) -> None:
        """Take one message of the stream in; kinds that are not known change nothing."""
        match kind:
            case "status":
                self._cameras = {camera["camera_id"]: camera for camera in document["cameras"]}
                self._health = document["recorder"]
                self._heard_s = now_s
            case "camera":
                self._cameras = {**self._cameras, document["camera_id"]: document}
            case "event":
                together = {**self._events, document["event_id"]: document}
                newest = sorted(together.values(), key=lambda event: event["triggered_at"], reverse=True)
                self._events = {event["event_id"]: event for event in newest[:EVENTS_KEPT]}
            case "event_deleted":
                self._events = {name: one for name, one in self._events.items() if name != document["event_id"]}
            case _:
                pass

    def draw(self, width: int, height: int, now_s: float) -> RenderableType:
        cameras = sorted(self._cameras.values(), key=lambda camera: camera["camera_id"])
        room = max(1, height - len(cameras) - 6)
        return Group(
            self._headline(now_s),
            Text(),
            cameras_table(cameras, width) if cameras else Text("no camera has been seen yet", style="dim"),
            Text(),
            events_table(list(self._events.values())[:room], width)
            if self._events
            else Text("no event yet", style="dim"),
        )

    def _headline(self, now_s: float) -> Text:
        where = Text(f"Preroll {clean(self._url)}  ", style="bold", no_wrap=True, overflow="ellipsis")
        if self._lost is not None:
            return where.append(f"away: {clean(self._lost)}", style="bold red")
        if self._health is None or self._heard_s is None:
            return where.append("the recorder is away", style="bold red")
        if now_s - self._heard_s > SILENT_AFTER_S:
            return where.append(f"the recorder is silent for {now_s - self._heard_s:.0f} s", style="bold red")
        health, disk = self._health, self._health["disk"]
        encodes = health["encodes_waiting"] + health["encodes_running"]
        said = f"recording {health['clips_recording']}, encoding {encodes}, memory {size(health['memory_bytes'])}, "
        where.append(said, style="not bold")
        free = f"disk {size(disk['free_bytes'])} free of {size(disk['total_bytes'])}"
        return where.append(free, style="bold red" if disk["is_full"] else "not bold")


class LiveBoard:
    """The board as rich draws it again and again, at the size and the time of each drawing."""

    def __init__(self, board: Board, now: Any) -> None:
        self._board = board
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._board.draw(options.max_width, options.height or console.height, self._now())
