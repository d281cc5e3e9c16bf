"""A peer that speaks ZMTP 3.0 (https://rfc.zeromq.org/spec/23/) and begins one message that it never ends.

libzmq itself sends nothing of a message before its last part is there.
"""

import select
import socket
import threading
from types import TracebackType
from typing import Final, Self

_GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
_MORE_LONG: Final = 0x01 | 0x02


def _ready(socket_type: bytes) -> bytes:
    body = b"\x05READY" + b"\x0bSocket-Type" + len(socket_type).to_bytes(4, "big") + socket_type
    return b"\x04" + bytes([len(body)]) + body


def part(data: bytes) -> bytes:
    """A part after which there are more."""
    return bytes([_MORE_LONG]) + len(data).to_bytes(8, "big") + data


class Endless:
    """Sends parts of one message for ever, over one connection; `first` comes before those."""

    def __init__(self, port: int, socket_type: str, part_bytes: int = 1_000_000, *first: bytes) -> None:
        self._port = port
        self._type = socket_type.encode()
        self._first = b"".join(part(data) for data in first)
        one = part(b"\xff\xd8" + bytes(part_bytes - 2))
        self._parts = one * max(1, 256_000 // len(one))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endless")
        self.sent_bytes = 0
        self.was_cut = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
            connection.sendall(_GREETING + _ready(self._type))
            heard = b""
            while b"\x05READY" not in heard:  # before that it takes no message
                heard += connection.recv(1024)
            connection.sendall(self._first)
            connection.setblocking(False)
            left = memoryview(b"")
            while not self._stop.is_set():
                left = left or memoryview(self._parts)
                try:
                    readable, writable, _ = select.select([connection], [connection], [], 0.2)
                    if readable and not connection.recv(65_536):
                        break
                    if writable:
                        count = connection.send(left)
                        self.sent_bytes += count
                        left = left[count:]
                except BlockingIOError:
                    continue
                except OSError:
                    break
            self.was_cut.set()
