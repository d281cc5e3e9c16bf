"""The open connections by their peer, so that one whose peer reads nothing can be cut.

uvicorn itself closes politely, which waits for the peer to take what is buffered: a stalled one never does.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

STREAM_SEND_BYTES: Final = 128 * 1024

Peer = tuple[str, int]
_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ClientStalled(OSError):
    """A client has read nothing for the whole time limit; its connection was cut."""


class Connections:
    """Every open connection's transport, by the peer's address and port."""

    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._transports)

    def add(self, transport: asyncio.Transport) -> None:
        self._transports[_peer_of(transport)] = transport

    def remove(self, transport: asyncio.Transport) -> None:
        self._transports.pop(_peer_of(transport), None)

    def abort(self, peer: Any) -> None:
        """Cut the connection of a request's `scope["client"]`; nothing when it is gone."""
        transport = self._transports.pop((str(peer[0]), int(peer[1])), None) if peer else None
        if transport is not None:
            _abort(transport)

    def bound_sending(self, peer: Any) -> None:
        """Have the kernel hold little for a peer that follows a stream.

        It would hold some megabytes: memory that nobody counts, for a slow one pictures that are seconds old, and for
        one that reads nothing a long time until it is noticed.
        """
        transport = self._transports.get((str(peer[0]), int(peer[1]))) if peer else None
        own = transport.get_extra_info("socket") if transport is not None else None
        if own is not None:
            with contextlib.suppress(OSError):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SEND_BYTES)

    def abort_all(self) -> None:
        for transport in list(self._transports.values()):
            _abort(transport)

    def protocol(self) -> type[H11Protocol]:
        """Uvicorn's HTTP protocol, which tells this object of every connection."""
        connections = self

        class NotedProtocol(H11Protocol):
            _noted: asyncio.Transport | None = None

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self._noted = transport
                connections.add(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                if self._noted is not None:
                    connections.remove(self._noted)
                super().connection_lost(exc)

        return NotedProtocol


def _abort(transport: asyncio.Transport) -> None:
    """Cut it, and have the kernel drop what the peer has not taken, instead of offering it for minutes more."""
    own = transport.get_extra_info("socket")
    if own is not None:
        with contextlib.suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def _peer_of(transport: asyncio.Transport) -> Peer:
    peer = transport.get_extra_info("peername") or ("unknown", 0)
    return str(peer[0]), int(peer[1])
