"""The index's connections for reading: one for each thread, so that a slow write never holds up a question.

Rule: a connection is used, and closed, by its own thread alone while that lives. When the index is made anew they are
retired: a thread closes its own when it asks next, unless it is still reading an answer from it; then at the next renewal.
"""

import sqlite3
import threading
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Final

from services.recorder.store.database import connect
from services.recorder.store.filters import Value

READ_WAIT_S: Final = 0.5  # on the way of an answer: the API asks again after a second


class _Reader:
    """One thread's connection, and how many answers are being read from it."""

    __slots__ = ("answers", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.answers = 0


class Readers:
    """Of the file that is at `path` when a thread first asks. From any thread; errors are `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._in_use: dict[threading.Thread, _Reader] = {}
        self._retired: list[tuple[threading.Thread, _Reader]] = []

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._in_use) + len(self._retired)

    def each(self, sql: str, values: Iterable[Value]) -> Generator[Any]:
        """The rows, one after the other. To be read to the end, or closed, on the thread that began."""
        reader = self._reader()
        reader.answers += 1
        try:
            yield from reader.connection.execute(sql, tuple(values))
        finally:
            reader.answers -= 1

    def retire(self) -> None:
        """Another file is at the path now: whoever asks from now on is answered from that."""
        with self._lock:
            self._retired += self._in_use.items()
            self._in_use.clear()
            self._close_unused()

    def close(self) -> None:
        """Close all. No thread may be reading."""
        with self._lock:
            for reader in (*self._in_use.values(), *(reader for _, reader in self._retired)):
                reader.connection.close()
            self._in_use.clear()
            self._retired.clear()

    def _reader(self) -> _Reader:
        thread = threading.current_thread()
        reader = self._in_use.get(thread)
        if reader is None:
            with self._lock:  # of a file that is being renewed no reader is left behind
                reader = _Reader(connect(self._path, READ_WAIT_S))
                self._close_unused()
                self._in_use[thread] = reader
        return reader

    def _close_unused(self) -> None:
        this = threading.current_thread()
        for ended in [thread for thread in self._in_use if not thread.is_alive()]:
            self._in_use.pop(ended).connection.close()
        kept: list[tuple[threading.Thread, _Reader]] = []
        for thread, reader in self._retired:
            if not thread.is_alive() or (thread is this and not reader.answers):
                reader.connection.close()
            else:
                kept.append((thread, reader))
        self._retired = kept
