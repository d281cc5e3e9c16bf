"""A response that is sent as it comes into being, to clients that may be slow, stalled or gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.problems import Problem, response_of
from services.api.seats import Seats


class BoundedStream(Response):
    """Sends what `chunks` gives, until the client leaves. How long a send may take is limited at the edge."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        media_type: str,
        seats: Seats,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`chunks` is begun when one of the `seats` has been taken; where all are, the answer is a problem."""
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", **(headers or {})})
        del self.headers["content-length"]
        self._chunks = chunks
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._seats.one())
            except Problem as problem:
                await response_of(problem)(scope, receive, send)
                return
            await self._serve(receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            outcome, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
