"""When a request came in, as the edge has noted it before anything else was done: a trigger is anchored there."""

from typing import Annotated

from fastapi import Depends, Request

from preroll import wire
from preroll.clock import Instant


async def _receipt(request: Request) -> wire.InstantRecord:  # as a function it would be called in another thread
    received: Instant = request.scope["preroll.received"]
    return wire.InstantRecord(boot_id=received.boot_id, monotonic_ns=received.monotonic_ns, unix_ns=received.unix_ns)


Received = Annotated[wire.InstantRecord, Depends(_receipt)]
