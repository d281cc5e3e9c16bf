"""The outermost layer: takes the time of receipt, bounds what comes in and how long going out may take. ASGI middleware.

A client that reads nothing is cut off after a time: otherwise it would hold a task, a file or a buffer for ever.
"""

import asyncio
import logging
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from preroll.clock import BootId, Clock, Instant
from services.api.connections import ClientStalled, Connections
from services.api.problems import Problem, response_of

log = logging.getLogger(__name__)

BODY_MAX_BYTES: Final = 64 * 1024
STREAMS: Final = ("text/event-stream", "multipart/x-mixed-replace")
CONTENT_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Edge:
    """`scope["preroll.received"]` is the moment at which a request's headers had come."""

    def __init__(
        self, app: ASGIApp, clock: Clock, boot_id: BootId, connections: Connections, send_timeout_s: float
    ) -> None:
        self._app = app
        self._clock = clock
        self._boot_id = boot_id
        self._connections = connections
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = scope.get("client")  # of the connection; a trusted proxy's word on the client comes further in
        scope["preroll.received"] = Instant.now(self._clock, self._boot_id)
        is_begun = False
        taken_bytes = 0

        async def bounded_receive() -> Message:
            nonlocal taken_bytes
            message = await receive()
            if message["type"] == "http.request":
                taken_bytes += len(message.get("body", b""))
                if taken_bytes > BODY_MAX_BYTES:
                    raise HTTPException(413, f"a body of more than {BODY_MAX_BYTES} bytes")
            return message

        async def limited_send(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith(STREAMS):
                    self._connections.bound_sending(peer)
            try:
                async with asyncio.timeout(self._send_timeout_s):
                    await send(message)
            except TimeoutError:
                self._connections.abort(peer)
                raise ClientStalled(f"nothing read for {self._send_timeout_s:g} s") from None

        try:
            await self._app(scope, bounded_receive, limited_send)
        except ClientDisconnect:
            pass  # within its rights, and so often as it likes: no line in the log
        except ClientStalled:
            log.info("client cut off or gone", extra={"fields": {"path": scope["path"]}})
        except Exception:
            # Where the handler of the application has answered already, this is its echo; it logged it.
            if not is_begun:
                log.exception("request failed", extra={"fields": {"path": scope["path"]}})
                problem = Problem(500, "internal", "the API failed; its log says why")
                await response_of(problem)(scope, receive, limited_send)
