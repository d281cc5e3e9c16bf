"""The stream: what all services say, kept for a while and sent to every client that listens.

Each record is made into bytes once. A client is a place in the shared memory, not a queue of its own: one that falls
behind the memory's oldest record is told how many it missed, and goes on from there.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from preroll import wire
from services.api import schemas

GATHER_S: Final = 0.05
KEEP_ALIVE_S: Final = 15.0
CHUNK_RECORDS: Final = 500
EventType = str
Replay = Literal["all", "none"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the stream: its number, its kind, its bytes as SSE, and what filters look at."""

    number: int
    kind: EventType
    sse: bytes
    log: schemas.LogRecord | None

    def matches(self, wanted: "Filter") -> bool:
        return self.log is None or wanted.takes(self.log)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which log records a client wants; other kinds always come."""

    service: str | None = None
    camera: str | None = None
    event: str | None = None
    level: wire.Level | None = None
    text: str | None = None

    @property
    def is_open(self) -> bool:
        return self == Filter()

    def takes(self, record: schemas.LogRecord) -> bool:
        return (
            (self.service is None or record.service == self.service)
            and (self.camera is None or self.camera in (record.camera_id, record.instance))
            and (self.event is None or record.event_id == self.event)
            and (self.level is None or _LEVELS.index(record.level) >= _LEVELS.index(self.level))
            and (self.text is None or self.text.lower() in record.message.lower())
        )


_LEVELS: Final[tuple[wire.Level, ...]] = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Stream:
    """The memory of records, and the clients that follow it. Used from one event loop."""

    def __init__(self, memory: int, max_clients: int) -> None:
        self.name = secrets.token_hex(4)  # ids of another life of the API are foreign
        self.clients = 0
        self.max_clients = max_clients
        self._entries: deque[Entry] = deque(maxlen=memory)
        self._next = 0
        self._changed = asyncio.Event()
        self._is_telling = False

    def add(self, kind: EventType, document: str, log: schemas.LogRecord | None = None) -> None:
        """Add a record. Clients are woken some 20 times a second, however many records come."""
        sse = f"id: {self.name}-{self._next}\nevent: {kind}\ndata: {document}\n\n".encode()
        self._entries.append(Entry(self._next, kind, sse, log))
        self._next += 1
        if not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_later(GATHER_S, self._tell)

    def history(self, wanted: Filter, limit: int) -> list[schemas.LogRecord]:
        """The newest log records that match, in order of arrival."""
        found: list[schemas.LogRecord] = []
        for entry in reversed(self._entries):
            if entry.log is not None and wanted.takes(entry.log):
                found.append(entry.log)
                if len(found) == limit:
                    break
        found.reverse()
        return found

    async def follow(
        self, wanted: Filter, last_id: str | None, replay: Replay, is_ending: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """SSE for one client: what it missed since `last_id`, or without one what `replay` says, then what comes."""
        number, greeting = self._begin(last_id, replay)
        self.clients += 1
        try:
            yield greeting
            while not is_ending():
                changed = self._changed
                chunk, number = self._since(number, wanted)
                if chunk:
                    yield chunk
                elif number == self._next:
                    try:
                        async with asyncio.timeout(KEEP_ALIVE_S):
                            await changed.wait()
                    except TimeoutError:
                        yield b": keep-alive\n\n"
        finally:
            self.clients -= 1

    def wake(self) -> None:
        """Wake every client, so that it sees that the end has come."""
        self._tell()

    def _tell(self) -> None:
        self._is_telling = False
        self._changed.set()
        self._changed = asyncio.Event()

    def _begin(self, last_id: str | None, replay: Replay) -> tuple[int, bytes]:
        oldest = self._entries[0].number if self._entries else self._next
        greeting = b"retry: 1000\n\n"
        if not last_id:
            return (oldest if replay == "all" else self._next), greeting
        name, _, number = last_id.rpartition("-")
        if name != self.name or not number.isascii() or not number.isdigit() or int(number) >= self._next:
            reset = json.dumps({"reason": f"id {last_id[:80]!r} is not of this life of the API"})
            return oldest, greeting + f"event: reset\ndata: {reset}\n\n".encode()
        return int(number) + 1, greeting

    def _since(self, number: int, wanted: Filter) -> tuple[bytes, int]:
        """The bytes of what follows `number`, at most `CHUNK_RECORDS`, and where to go on."""
        if not self._entries or number >= self._next:
            return b"", number
        parts: list[bytes] = []
        oldest = self._entries[0].number
        if number < oldest:
            dropped = json.dumps({"dropped": oldest - number})
            parts.append(f"event: dropped\ndata: {dropped}\n\n".encode())
            number = oldest
        behind = self._next - number
        if behind <= CHUNK_RECORDS:  # the usual case: near the end, where a deque is quick
            entries = list(islice(reversed(self._entries), behind))
            entries.reverse()
        else:
            entries = list(islice(self._entries, number - oldest, number - oldest + CHUNK_RECORDS))
        if wanted.is_open:
            parts.extend(entry.sse for entry in entries)
        else:
            parts.extend(entry.sse for entry in entries if entry.matches(wanted))
        return b"".join(parts), number + len(entries)
