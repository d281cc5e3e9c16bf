"""The stream: what all services say, kept for a while and sent to every client that listens.

A client is a place in the shared memory, not a queue of its own: one that falls behind the memory's oldest record is told
how many it missed, and goes on from there.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final, Literal

from services.api.memory import Entry, Filter, LogFacts, Memory
from services.api.seats import Seats

GATHER_S: Final = 0.05
KEEP_ALIVE_S: Final = 15.0
LOOKED_AT: Final = 500  # records, until others have their turn
ID_MAX_CHARS: Final = 18
Replay = Literal["all", "none"]


class Stream:
    """The memory of records, and the clients that follow it. Used from one event loop."""

    def __init__(self, records_max: int, bytes_max: int, max_clients: int) -> None:
        # Ids of another life of the API are foreign.
        self.memory = Memory(secrets.token_hex(4), records_max, bytes_max)
        self.seats = Seats(max_clients, f"max_log_clients={max_clients} listen already")
        self._changed = asyncio.Event()
        self._is_telling = False

    def add(self, kind: str, document: str, log: LogFacts | None = None, of_event: str | None = None) -> None:
        """Add a record; `of_event` where it is that event as it now is."""
        self.memory.add(kind, document, log, of_event)
        self._tell_soon()

    def add_status(self, document: str) -> None:
        """Add the system's status in place of the one before."""
        self.memory.put_status(document)
        self._tell_soon()

    async def history(self, wanted: Filter, since_us: int, until_us: int, limit: int) -> list[Entry]:
        """The newest log records that match, at most `limit`, in order of arrival."""
        found: list[Entry] = []
        for number, entry in enumerate(reversed(self.memory.logs())):
            if number % LOOKED_AT == LOOKED_AT - 1:
                await asyncio.sleep(0)
            log = entry.log
            if log is not None and since_us <= log.unix_us <= until_us and wanted.takes(log):
                found.append(entry)
                if len(found) == limit:
                    break
        found.reverse()
        return found

    async def follow(
        self, wanted: Filter, last_id: str | None, replay: Replay, is_ending: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """SSE for one client: what it missed since `last_id`, or without one what `replay` says, then what comes."""
        place, greeting = self._begin(last_id, replay)
        yield greeting
        while not is_ending():
            changed = self._changed
            chunk = self.memory.after(place, wanted)
            if chunk.missed:
                yield f"event: dropped\ndata: {json.dumps({'dropped': chunk.missed})}\n\n".encode()
            if chunk.parts:
                yield b"".join(chunk.parts)
            elif chunk.last_id != place:
                await asyncio.sleep(0)  # nothing of that was wanted, and there may be much more of it
            else:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await changed.wait()
                except TimeoutError:
                    yield b": keep-alive\n\n"
            place = chunk.last_id

    def wake(self) -> None:
        """Wake every client, so that it sees that the end has come."""
        self._tell()

    def _tell_soon(self) -> None:
        """Clients are woken some 20 times a second, however many records come."""
        if not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_later(GATHER_S, self._tell)

    def _tell(self) -> None:
        self._is_telling = False
        self._changed.set()
        self._changed = asyncio.Event()

    def _begin(self, last_id: str | None, replay: Replay) -> tuple[int, bytes]:
        memory = self.memory
        greeting = b"retry: 1000\n\n"
        if not last_id:
            return (memory.before_all if replay == "all" else memory.newest_id), greeting
        name, _, number = last_id.rpartition("-")
        is_number = number.isascii() and number.isdigit() and len(number) <= ID_MAX_CHARS
        if name != memory.name or not is_number or int(number) > memory.newest_id:
            reset = json.dumps({"reason": f"id {last_id[:80]!r} is not of this life of the API"})
            return memory.before_all, greeting + f"event: reset\ndata: {reset}\n\n".encode()
        return int(number), greeting
