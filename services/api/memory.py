"""What the stream remembers: its newest records, bounded by their number and by their bytes. Pure.

A record is made into bytes once, as a server-sent event. Two kinds are the state of something and not a record of what
happened, so that only their newest matters: the system's `status`, which comes every second, and an `event`, which comes
whole at each change of a clip. A newer status takes the place of the one before; of an event, former versions are emptied.

A record's id is `N000`, by its number N; a status that came after record N has an id from `N001` on. So ids rise, a client
that has seen one can be told exactly how many records it has missed, and a status that is gone is none of them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from preroll import wire

IDS_EACH: Final = 1_000
ENTRY_BYTES: Final = 400  # the objects around a record's own bytes
EMPTY_BYTES: Final = 16
CHUNK_RECORDS: Final = 500
CHUNK_BYTES: Final = 256 * 1024
LEVELS: Final[tuple[wire.Level, ...]] = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_NOTHING: Final = b": nothing happened\n\n"


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What filters look at in a log record. `unix_us` is its time in microseconds since 1970."""

    service: wire.Service
    instance: str
    camera_id: str | None
    event_id: str | None
    level: wire.Level
    message: str
    unix_us: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which log records a client wants; other kinds always come."""

    service: str | None = None
    camera: str | None = None
    event: str | None = None
    level: wire.Level | None = None
    text: str | None = None

    def takes(self, log: LogFacts) -> bool:
        return (
            (self.service is None or log.service == self.service)
            and (self.camera is None or self.camera in (log.camera_id, log.instance))
            and (self.event is None or log.event_id == self.event)
            and (self.level is None or LEVELS.index(log.level) >= LEVELS.index(self.level))
            and (self.text is None or self.text.lower() in log.message.lower())
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its id, its bytes as a server-sent event, and where in them its document begins."""

    id: int
    sse: bytes
    begin: int = 0
    log: LogFacts | None = None
    of_event: str | None = None

    @property
    def document(self) -> memoryview:
        """Its JSON."""
        return memoryview(self.sse)[self.begin : -2]

    @property
    def size_bytes(self) -> int:
        return ENTRY_BYTES + len(self.sse) + (len(self.log.message) if self.log is not None else 0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records for one client: how many it has missed before them, their bytes, and the id to go on from."""

    missed: int
    parts: list[bytes]
    last_id: int


class Memory:
    """The records of one life of the API, whose `name` is in every id. Nothing here may be called by two threads."""

    def __init__(self, name: str, records_max: int, bytes_max: int) -> None:
        self.name = name
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._entries: deque[Entry | None] = deque()  # None: emptied
        self._first = 1  # the number of the oldest
        self._kept = 0
        self._status: Entry | None = None
        self._version_of: dict[str, int] = {}  # each remembered event's newest record
        self.bytes = 0

    @property
    def newest_id(self) -> int:
        """The id that was given last; 0 before the first."""
        return max(self._newest * IDS_EACH, self._status.id if self._status is not None else 0)

    @property
    def before_all(self) -> int:
        """The id to go on from in order to get all that is remembered."""
        return (self._first - 1) * IDS_EACH

    def add(self, kind: str, document: str, log: LogFacts | None = None, of_event: str | None = None) -> None:
        """Remember a record; where it is the state `of_event`, in place of the one before."""
        if of_event is not None and (former := self._version_of.pop(of_event, None)) is not None:
            self._empty(former)
        self._keep(self._made((self._newest + 1) * IDS_EACH, kind, document, log, of_event))
        if of_event is not None:
            self._version_of[of_event] = self._newest

    def put_status(self, document: str) -> None:
        """Remember the system's newest status, and no other."""
        if self.newest_id % IDS_EACH == IDS_EACH - 1:
            self._keep(Entry((self._newest + 1) * IDS_EACH, _NOTHING))
        if self._status is not None:
            self.bytes -= self._status.size_bytes
        self._status = self._made(self.newest_id + 1, "status", document)
        self.bytes += self._status.size_bytes
        self._bound()

    def logs(self) -> list[Entry]:
        """All log records that are remembered, oldest first."""
        return [entry for entry in self._entries if entry is not None and entry.log is not None]

    def after(self, last_id: int, wanted: Filter) -> Chunk:
        """What came after `last_id`, at most `CHUNK_RECORDS` and, but for the last of them, `CHUNK_BYTES`."""
        begin = last_id // IDS_EACH + 1
        missed = max(0, self._first - begin)
        begin += missed
        status = self._status if self._status is not None and self._status.id > last_id else None
        parts: list[bytes] = []
        size_bytes = 0
        for number, entry in enumerate(self._from(begin), begin):
            if status is not None and status.id < number * IDS_EACH:
                parts.append(status.sse)
                status = None
            if entry is not None and (entry.log is None or wanted.takes(entry.log)):
                parts.append(entry.sse)
                size_bytes += len(entry.sse)
            last_id = number * IDS_EACH
            if size_bytes >= CHUNK_BYTES:
                break
        if status is not None and last_id >= self._newest * IDS_EACH:
            parts.append(status.sse)
            last_id = status.id
        return Chunk(missed, parts, last_id)

    @property
    def _newest(self) -> int:
        return self._first + len(self._entries) - 1

    def _from(self, number: int) -> Iterator[Entry | None]:
        behind = self._newest - number + 1
        if behind <= CHUNK_RECORDS:  # the usual case: near the end, where a deque is quick
            yield from reversed(list(islice(reversed(self._entries), max(0, behind))))
        else:
            yield from islice(self._entries, number - self._first, number - self._first + CHUNK_RECORDS)

    def _made(
        self, own_id: int, kind: str, document: str, log: LogFacts | None = None, of_event: str | None = None
    ) -> Entry:
        head = f"id: {self.name}-{own_id}\nevent: {kind}\ndata: ".encode()
        return Entry(own_id, b"%b%b\n\n" % (head, document.encode()), len(head), log, of_event)

    def _keep(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._kept += 1
        self.bytes += entry.size_bytes
        self._bound()

    def _empty(self, number: int) -> None:
        at = number - self._first
        entry = self._entries[at]
        if entry is not None:
            self._entries[at] = None
            self._kept -= 1
            self.bytes += EMPTY_BYTES - entry.size_bytes

    def _bound(self) -> None:
        while len(self._entries) > 1 and (self._kept > self._records_max or self.bytes > self._bytes_max):
            entry = self._entries.popleft()
            self._first += 1
            if entry is None:
                self.bytes -= EMPTY_BYTES
                continue
            self._kept -= 1
            self.bytes -= entry.size_bytes
            if entry.of_event is not None and self._version_of.get(entry.of_event) == self._first - 1:
                del self._version_of[entry.of_event]
