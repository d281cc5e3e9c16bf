"""The index's tables, and bringing those of an earlier version up to date."""

import sqlite3
from pathlib import Path
from typing import Final

from services.recorder.store.database import (
    IndexDamaged,
    IndexOfNewerVersion,
    connect,
    errors_named,
    transaction,
)
from services.recorder.store.filters import is_pair

SCHEMA_VERSION: Final = 3
_BUILD_WAIT_S: Final = 1.0
_DELETIONS: Final = """
CREATE TABLE deletion (event_id TEXT PRIMARY KEY, folder TEXT NOT NULL) WITHOUT ROWID;
"""
_RUNNING: Final = """
ALTER TABLE event ADD COLUMN running_ns INTEGER;
DROP INDEX IF EXISTS event_removable;
CREATE INDEX event_oldest ON event (running_ns, number, triggered, event_id, size_bytes)
    WHERE is_protected = 0 AND state NOT IN ('scheduled', 'recording');
CREATE TABLE running (only INTEGER PRIMARY KEY CHECK (only = 1), note TEXT NOT NULL);
"""
_TABLES: Final = """
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    triggered INTEGER NOT NULL,
    state TEXT NOT NULL,
    is_protected INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    record BLOB NOT NULL,
    plan TEXT
);
CREATE INDEX event_by_time ON event (triggered, number);
CREATE INDEX event_unfinished ON event (triggered) WHERE state IN ('scheduled', 'recording');
CREATE INDEX event_waiting ON event (triggered) WHERE is_waiting = 1;
CREATE TABLE filter (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE found_by (
    filter INTEGER NOT NULL, triggered INTEGER NOT NULL, event INTEGER NOT NULL,
    PRIMARY KEY (filter, triggered, event)
) WITHOUT ROWID;
CREATE TABLE camera (camera_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE total (size_bytes INTEGER NOT NULL, events INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER event_added AFTER INSERT ON event BEGIN
    UPDATE total SET size_bytes = size_bytes + new.size_bytes, events = events + 1;
END;
CREATE TRIGGER event_changed AFTER UPDATE OF size_bytes ON event BEGIN
    UPDATE total SET size_bytes = size_bytes + new.size_bytes - old.size_bytes;
END;
CREATE TRIGGER event_gone AFTER DELETE ON event BEGIN
    UPDATE total SET size_bytes = size_bytes - old.size_bytes, events = events - 1;
END;
"""


def create(path: Path) -> None:
    """Make an empty index at `path`, whole or not at all."""
    with errors_named(path):
        writer = connect(path, _BUILD_WAIT_S, "rwc")
        try:
            with transaction(writer):
                for statement in _statements(_TABLES + _RUNNING + _DELETIONS):
                    writer.execute(statement)
                writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        finally:
            writer.close()


def bring_up_to_date(path: Path) -> int | None:
    """Bring the index at `path` to this version, losing nothing; the version it had, `None` when it is of this one.

    `IndexOfNewerVersion`, or `IndexDamaged` for what was never an index of Preroll.
    """
    with errors_named(path):
        writer = connect(path, _BUILD_WAIT_S)
        try:
            version = version_of(writer)
            if version == SCHEMA_VERSION:
                return None
            if version > SCHEMA_VERSION:
                raise IndexOfNewerVersion(f"{path.name} is of version {version}, this recorder knows {SCHEMA_VERSION}")
            if version != 2:
                raise IndexDamaged(f"{path.name} is of version {version}, which was never in use")
            with transaction(writer):
                _from_2_to_3(writer)
            return version
        finally:
            writer.close()


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _from_2_to_3(writer: sqlite3.Connection) -> None:
    """Version 2 had a name for each label on each camera; those of cameras and labels stay as they are."""
    pairs = [(number,) for number, name in writer.execute("SELECT number, name FROM filter") if is_pair(name)]
    writer.executemany("DELETE FROM found_by WHERE filter = ?", pairs)
    writer.executemany("DELETE FROM filter WHERE number = ?", pairs)
    # Some of version 2 have the running time already.
    has_running = any(column[1] == "running_ns" for column in writer.execute("PRAGMA table_info(event)"))
    for statement in _statements(_DELETIONS if has_running else _RUNNING + _DELETIONS):
        writer.execute(statement)
    writer.execute("PRAGMA user_version = 3")


def _statements(script: str) -> list[str]:
    # `executescript` would commit first; a trigger holds statements of its own.
    statements: list[str] = []
    begun = ""
    for line in script.splitlines():
        begun += line + "\n"
        if sqlite3.complete_statement(begun):
            statements.append(begun)
            begun = ""
    return statements
