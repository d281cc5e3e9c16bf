"""What the routes work with: one object, made by the composition root and given to each request."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from preroll.clock import BootId, Clock
from preroll.process import Shutdown
from services.api.bus_receiver import BusReceiver
from services.api.connections import Connections
from services.api.guard import Gate
from services.api.live import Live
from services.api.readiness import ReadinessCheck
from services.api.recorder_client import RecorderClient
from services.api.seats import Seats
from services.api.settings import ApiSettings
from services.api.stream import Stream


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the API."""

    settings: ApiSettings
    clock: Clock
    boot_id: BootId
    shutdown: Shutdown
    connections: Connections
    recorder: RecorderClient
    bus: BusReceiver
    stream: Stream
    live: Live
    archives: Seats
    lists: Seats
    converting: asyncio.Lock
    gate: Gate
    readiness: ReadinessCheck


async def _parts(request: Request) -> Parts:  # as a function it would be called in another thread
    parts: Parts = request.app.state.parts
    return parts


FromParts = Annotated[Parts, Depends(_parts)]
