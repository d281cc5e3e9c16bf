"""An HTTP camera that misbehaves on command: the test holds every byte that it sends."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

from tests.support.waiting import wait_until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def part(jpeg: bytes, *, counted: bool = True) -> bytes:
    """One picture as most cameras send it."""
    length = b"Content-Length: %d\r\n" % len(jpeg) if counted else b""
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + jpeg + b"\r\n"


class CameraServer:
    """Answers every connection with the bytes that `answer(request)` yields; then holds it open until `close`."""

    def __init__(self, answer: Callable[[bytes], Iterator[bytes]], *, closes: bool = False) -> None:
        self._answer = answer
        self._closes = closes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self.requests: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept, name="camera server", daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, path: str = "/", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}{path}"

    def wait_for_requests(self, count: int, timeout_s: float = 20) -> None:
        wait_until(lambda: len(self.requests) >= count, timeout_s, f"{count} requests")

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="camera", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            request = b""
            try:
                while b"\r\n\r\n" not in request:
                    request += connection.recv(4096)
                self.requests.append(request)
                for data in self._answer(request):
                    if self._stop.is_set():
                        return
                    connection.sendall(data)
            except OSError:  # the client has gone
                return
            if not self._closes:
                self._stop.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()
