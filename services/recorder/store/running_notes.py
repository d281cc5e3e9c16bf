"""Where the running time is written down: in the index, and in a small file beside it. Either may be lost."""

import logging
from pathlib import Path
from typing import Final

from preroll.clock import Clock
from preroll.logs import fields
from services.recorder.store.database import IndexUnavailable
from services.recorder.store.files import ClipsDir, read_document
from services.recorder.store.index import Index
from services.recorder.store.running_time import RUNNING_MAX_NS, RunningNote, RunningTime

log = logging.getLogger(__name__)

FILE_NAME: Final = "running.json"


def go_on(clips: ClipsDir, index: Index, clock: Clock, boot_id: str) -> RunningTime:
    """The running time of this clips directory, going on from what was written down. Raises nothing of the disk."""
    found: list[RunningNote] = []
    for where, text in (("the index", _in_index(index)), (FILE_NAME, _in_file(clips.root / FILE_NAME))):
        note = RunningNote.from_json(text) if text is not None else None
        if note is not None:
            found.append(note)
        elif text is not None:
            log.error("note of the running time cannot be true: left out", extra=fields(where=where))
    running = RunningTime(found, _highest_noted_ns(index), boot_id, clock.monotonic_ns(), clock.unix_ns())
    if len(found) == 2 and found[0].running_ns != found[1].running_ns:
        figures = fields(index_ns=found[0].running_ns, file_ns=found[1].running_ns)
        log.info("running time goes on from the smaller of two notes", extra=figures)
    return running


def write_down(clips: ClipsDir, index: Index, note: RunningNote) -> None:
    """Write the note to both places, durably. Raises for the first that failed when both were tried."""
    text = note.to_json()
    try:
        index.put_running(text)
    finally:
        clips.write_durably(clips.root / FILE_NAME, text.encode() + b"\n")


def _in_index(index: Index) -> str | None:
    try:
        return index.running()
    except IndexUnavailable as err:
        log.error("running time cannot be read from the index: %s", err)
        return None


def _in_file(path: Path) -> bytes | None:
    try:
        return read_document(path)
    except FileNotFoundError:
        return None
    except OSError as err:
        log.error("running time cannot be read: %s", err)
        return None


def _highest_noted_ns(index: Index) -> int:
    try:
        return index.highest_running_ns(RUNNING_MAX_NS)
    except IndexUnavailable as err:
        log.error("running times of the events cannot be read: %s", err)
        return 0
