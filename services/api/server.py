"""uvicorn's server with our own acceptance of connections, and without its own signals."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from services.api.connections import Connection, Connections
from services.api.listener import Http, Listener

# What else the API opens: ZeroMQ (the bus has a connection for each capture, a question takes two), files, the log.
RESERVED_DESCRIPTORS: Final = 256
CONNECTIONS_MIN: Final = 16


def room_for(wanted: int, descriptors_limit: int | None) -> int:
    """How many of `wanted` connections the process has descriptors for: each may have a file open, too."""
    if descriptors_limit is None:
        return wanted
    return min(wanted, max(CONNECTIONS_MIN, (descriptors_limit - RESERVED_DESCRIPTORS) // 2))


class Server(uvicorn.Server):
    """Serves what comes to the listening sockets."""

    def __init__(self, config: uvicorn.Config, listening: list[socket.socket], connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._listener = Listener(listening, connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self._listener.start(self._protocol, self.config.ssl)
        self.servers = [self._listener]  # type: ignore[list-item]  # it closes them, and waits until they are closed
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # it would raise them again at its end

    def _protocol(self, connection: Connection) -> Http:
        return Http(
            connection,
            self._connections,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
