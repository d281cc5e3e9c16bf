"""A client of a stream of server-sent events, in a thread of its own, that keeps all it gets."""

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a stream; `data` is decoded JSON, or `None` when it is no JSON."""

    event: str
    id: str
    data: Any


class SseClient:
    """Follows `url` from `__enter__` to `__exit__`."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._url = url
        self._headers = headers or {}
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=None), trust_env=False)
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._follow, name="sse-client", daemon=True)
        self.opened = threading.Event()
        self.received: list[Received] = []
        self.comments = 0
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.opened.wait(10), f"no stream at {self._url}: {self.error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        self._thread.join(10)
        self._client.close()

    def records(self) -> list[dict[str, Any]]:
        """The log records among what was received."""
        return [got.data for got in list(self.received) if isinstance(got.data, dict) and "message" in got.data]

    def _follow(self) -> None:
        try:
            with self._client.stream("GET", self._url, headers=self._headers) as answer:
                answer.raise_for_status()
                self._socket = answer.extensions["network_stream"].get_extra_info("socket")
                self.opened.set()
                self._read(answer)
        except Exception as err:  # judged by the test: a thread cannot raise there
            self.error = None if self._stop.is_set() else err

    def _read(self, answer: httpx.Response) -> None:
        fields: dict[str, list[str]] = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            elif fields:
                self._take(fields)
                fields = {}

    def _take(self, fields: dict[str, list[str]]) -> None:
        data: Any = None
        with contextlib.suppress(json.JSONDecodeError):
            data = json.loads("\n".join(fields.get("data", [])))
        self.received.append(Received("".join(fields.get("event", ["message"])), "".join(fields.get("id", [])), data))
