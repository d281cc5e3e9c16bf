"""Notes when a request came in, before anything else is done with it: a trigger is anchored there."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from preroll import wire
from preroll.clock import BootId, Clock, Instant


class NoteReceipt:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, clock: Clock, boot_id: BootId) -> None:
        self._app = app
        self._clock = clock
        self._boot_id = boot_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["preroll.received"] = Instant.now(self._clock, self._boot_id)
        await self._app(scope, receive, send)


def _receipt(request: Request) -> wire.InstantRecord:
    received: Instant = request.scope["preroll.received"]
    return wire.InstantRecord(boot_id=received.boot_id, monotonic_ns=received.monotonic_ns, unix_ns=received.unix_ns)


Received = Annotated[wire.InstantRecord, Depends(_receipt)]
