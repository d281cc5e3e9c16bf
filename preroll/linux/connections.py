"""The TCP connections that others have made to ports of this process: how much each has sent, and cutting them.

libzmq tells neither. Elsewhere than on Linux there are none to be found, and nothing is cut.

Sources: proc_pid_fd(5); tcp(7) and linux/tcp.h for TCP_INFO, whose `tcpi_bytes_received` is there since Linux 4.1.
"""

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OPEN: Final = Path("/proc/self/fd")
_RECEIVED_AT: Final = 128
_INFO_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Connection:
    """`inode` names it for as long as it lives."""

    inode: str
    peer: str
    received_bytes: int


def accepted(ports: Collection[int]) -> list[Connection]:
    """The connections to these ports; none where they cannot be read."""
    return [
        Connection(inode, f"{peer[0]}:{peer[1]}", _received(connection))
        for inode, peer, connection in _connections(ports)
    ]


def cut(ports: Collection[int], inodes: Collection[str]) -> list[str]:
    """End those connections to these ports; their peers. Each peer sees the end of the stream, and may connect again."""
    peers: list[str] = []
    for inode, peer, connection in _connections(ports):
        if inode in inodes:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
                peers.append(f"{peer[0]}:{peer[1]}")
    return peers


def _connections(ports: Collection[int]) -> Iterator[tuple[str, tuple[str, int], socket.socket]]:
    if sys.platform != "linux":
        return
    for fd, inode in _sockets():
        try:
            # A descriptor of our own: what is asked and done below is done to one and the same connection, though libzmq
            # may close its own meanwhile.
            connection = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        with connection:
            try:
                if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
                    continue
                if connection.getsockname()[1] not in ports:
                    continue
                peer = connection.getpeername()
            except OSError:  # it listens, or has just ended
                continue
            yield inode, peer, connection


def _sockets() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    with contextlib.suppress(OSError):
        for link in _OPEN.iterdir():
            with contextlib.suppress(OSError):
                target = str(link.readlink())
                if target.startswith("socket:"):
                    found.append((int(link.name), target))
    return found


def _received(connection: socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return 0
    return int(struct.unpack_from("=Q", info, _RECEIVED_AT)[0]) if len(info) >= _RECEIVED_AT + 8 else 0
