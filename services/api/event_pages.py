"""A list of events, asked for and made into JSON piece by piece, so that a long one takes no time from a trigger.

A thousand events of many cameras are tens of megabytes: more than one message, and seconds of work. The recorder is asked
for some at a time, which it hands out as the index has them. A thread makes them into JSON, one list at a time.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from preroll import wire
from services.api import schemas
from services.api.problems import Problem
from services.api.recorder_client import RecorderClient

log = logging.getLogger(__name__)

EVENTS_EACH: Final = 100


class EventPages:
    """The events that `query` asks for. `cursor` leads on from what was taken; `None` when that was all there is."""

    def __init__(self, recorder: RecorderClient, converting: asyncio.Lock, query: wire.ListEvents) -> None:
        self._recorder = recorder
        self._converting = converting
        self._query = query
        self._left = query.limit
        self.cursor: str | None = query.cursor
        self.is_done = False

    async def take(self) -> list[bytes]:
        """The documents of some further events; `Problem` when the recorder gives none."""
        query = self._query.model_copy(
            update={"limit": min(self._left, EVENTS_EACH), "cursor": self.cursor, "as_records": True}
        )
        page = await self._recorder.list_events(query)
        async with self._converting:
            documents = await asyncio.to_thread(_documents_of, page)
        self._left -= len(page.records) + len(page.events)
        self.cursor = page.next_cursor
        self.is_done = self._left <= 0 or page.next_cursor is None
        return documents


def whole(documents: Iterable[bytes], cursor: str | None) -> bytes:
    """The answer in one."""
    return _HEAD + b",".join(documents) + _tail(cursor)


async def document(first: list[bytes], pages: EventPages, is_ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The answer in pieces. Where the recorder does not go on, the page ends, and its cursor leads to the rest."""
    begin = _HEAD
    documents = first
    while True:
        if documents:
            yield begin + b",".join(documents)
            begin = b","
        if pages.is_done or is_ending():
            break
        try:
            documents = await pages.take()
        except Problem as problem:
            log.warning("a list of events ends early: %s", problem)
            break
    yield (_HEAD if begin is _HEAD else b"") + _tail(pages.cursor)


_HEAD: Final = b'{"events":['


def _tail(cursor: str | None) -> bytes:
    return b'],"next_cursor":' + json.dumps(cursor).encode() + b"}"


def _documents_of(page: wire.EventsReply) -> list[bytes]:
    """To be run in a thread."""
    documents = [schemas.event_document(event) for event in page.events]
    for record in page.records:
        try:
            documents.append(schemas.event_document(wire.decode_event(record)))
        except wire.WireError as err:
            log.error("an event of the index cannot be read: %s", err)
    return documents
