"""Connections that are held open and never say what they want, from one address of this machine or from many."""

import contextlib
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final

REQUEST: Final = b"POST /trigger HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
HELD: Final = {
    "nothing": b"",
    "half of the headers": REQUEST,
    "half of a body": REQUEST + b"\r\n{",
    "an answer and then nothing": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half of a TLS record": b"\x16\x03\x01\x02\x00\x01",
}


@contextlib.contextmanager
def holding(port: int, count: int, said: bytes, addresses: int = 1) -> Iterator[list[socket.socket]]:
    """`count` connections that have said `said`, in turn from so many addresses 127.0.1.x."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: list[socket.socket] = []
    try:
        for number in range(count):
            source = ("127.0.0.1" if addresses == 1 else f"127.0.1.{1 + number % addresses}", 0)
            with contextlib.suppress(ConnectionError):  # cut already: what follows is judged, not this
                held.append(socket.create_connection(("127.0.0.1", port), 10, source_address=source))
                held[-1].sendall(said)
        yield held
    finally:
        for one in held:
            one.close()


def is_cut(held: socket.socket) -> bool:
    """Whether the other end has ended a connection; what it said before is read and forgotten."""
    held.setblocking(False)
    try:
        while held.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def trigger(port: int, headers: bytes = b"", context: ssl.SSLContext | None = None) -> tuple[int, float]:
    """Trigger over a connection of its own, as a machine does: the status, and the seconds that it took."""
    began_s = time.monotonic()
    with contextlib.ExitStack() as opened:
        client = opened.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        if context is not None:
            client = opened.enter_context(context.wrap_socket(client, server_hostname="127.0.0.1"))
        client.sendall(
            b"POST /trigger HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n"
            + headers
            + b"\r\n"
        )
        answer = b""
        while chunk := client.recv(1 << 16):
            answer += chunk
    return int(answer.split(b" ", 2)[1]), time.monotonic() - began_s
