"""Live pictures: each camera's newest frame is fetched once, however many clients look."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

from preroll import wire
from preroll.logs import fields
from services.api.problems import Problem
from services.api.recorder_client import RecorderClient
from services.api.seats import Seats

log = logging.getLogger(__name__)

BOUNDARY: Final = "preroll-frame"
AWAY_S: Final = 1.0


class _Feed:
    """One camera's newest picture, for those who look at it now."""

    def __init__(self) -> None:
        self.part = b""
        self.changed = asyncio.Event()
        self.clients = 0
        self.task: asyncio.Task[None] | None = None


class Live:
    """MJPEG for browsers. A client that is slow misses pictures, and holds up nobody."""

    def __init__(self, recorder: RecorderClient, fps: float, max_clients: int) -> None:
        self._recorder = recorder
        self._period_s = 1 / fps
        self._feeds: dict[str, _Feed] = {}
        self.seats = Seats(max_clients, f"max_live_clients={max_clients} are looking already")

    async def follow(self, camera_id: str, is_ending: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The parts of a multipart/x-mixed-replace stream."""
        feed = self._feeds.setdefault(camera_id, _Feed())
        feed.clients += 1
        if feed.task is None:
            feed.task = asyncio.create_task(self._fetch(camera_id, feed), name=f"live-{camera_id}")
        try:
            while not is_ending():
                changed = feed.changed
                if feed.part:
                    yield feed.part
                await changed.wait()
        finally:
            feed.clients -= 1
            if feed.clients == 0:
                feed.task.cancel()
                self._feeds.pop(camera_id, None)

    def wake(self) -> None:
        """Wake every client, so that it sees that the end has come."""
        for feed in self._feeds.values():
            feed.changed.set()

    async def _fetch(self, camera_id: str, feed: _Feed) -> None:
        shown: wire.FrameRef | None = None
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._period_s
            try:
                frame = await self._recorder.frame(wire.GetFrame(camera_id=camera_id))
                if frame.ref != shown:
                    shown = frame.ref
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame.jpeg)}\r\n\r\n"
                    feed.part = head.encode() + frame.jpeg + b"\r\n"
                    feed.changed.set()
                    feed.changed = asyncio.Event()
            except Exception as err:
                if not isinstance(err, Problem):
                    log.exception("live picture failed", extra=fields(camera_id=camera_id))
                due = loop.time() + AWAY_S  # the recorder or the camera is away: the picture stands, as it does there
            await asyncio.sleep(max(0.0, due - loop.time()))
