"""Whether one more event can be recorded. Pure: the figures are handed in.

An accepted trigger is a promise, so what its clips will need is reckoned before: files to open, threads to write them.
A trigger and the question whether one would be accepted come here both, so that they cannot be answered differently.
"""

from dataclasses import dataclass
from typing import Final

from preroll import wire
from services.recorder.events.rules import CommandRejected, Limits

MB: Final = 1_000_000
CLIP_DESCRIPTORS: Final = 3  # original and journal, and one more in passing: a folder that is synced, the poster
CLIP_THREADS: Final = 1
# For all the rest that must go on: the index, sidecars, encoders, cameras that connect, the API.
RESERVED_DESCRIPTORS: Final = 64
RESERVED_THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Descriptors:
    """How many the process may have and has. `in_clips` of these are files of clips being written."""

    limit: int
    in_use: int
    in_clips: int


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is just now. `None` is a figure that the system does not give, or nothing wrong: it refuses nothing.

    `storage_error` is why nothing can be written, be there room or not. `threads_free` is how many more there may be,
    of which `threads_owed` are due to writers that wait for theirs.
    """

    disk: wire.Disk | None = None
    storage_error: str | None = None
    descriptors: Descriptors | None = None
    threads_free: int | None = None
    threads_owed: int = 0


@dataclass(frozen=True, slots=True)
class Promised:
    """What was accepted and is not saved: events, their clips, and how many of these have no writer yet."""

    events: int
    clips: int
    clips_without_writer: int


class Admission:
    """Judges by the limits; refusals are `CommandRejected`."""

    def __init__(self, limits: Limits, min_free_bytes: int = 0) -> None:
        self._limits = limits
        self._min_free_bytes = min_free_bytes

    def check(self, promised: Promised, supply: Supply, clips: int) -> None:
        """Raise when an event of `clips` clips cannot be recorded beside those that are promised."""
        if promised.events >= self._limits.max_active_events:
            raise CommandRejected(
                "too_many_events",
                f"{promised.events} events are active, max_active_events={self._limits.max_active_events}",
            )
        if supply.storage_error is not None:
            raise CommandRejected("storage_failed", supply.storage_error)
        if supply.disk is not None:
            self._check_disk(supply.disk)
        if supply.descriptors is not None:
            _check_descriptors(supply.descriptors, promised.clips + clips)
        if supply.threads_free is not None:
            _check_threads(supply.threads_free, supply.threads_owed + promised.clips_without_writer + clips)

    def _check_disk(self, disk: wire.Disk) -> None:
        if disk.error is not None:
            raise CommandRejected("storage_failed", disk.error)
        if disk.is_full:
            raise CommandRejected("storage_full", full_because(disk, self._min_free_bytes))


def full_because(disk: wire.Disk, min_free_bytes: int) -> str:
    """Which figure of a full disk is too small."""
    if disk.files_free is not None and disk.free_bytes >= min_free_bytes and disk.free_bytes > 0:
        return f"the clips' disk has room for {disk.files_free} more files (inodes), whatever their size"
    return f"{disk.free_bytes // MB} MB are free on the clips' disk, min_free_mb={min_free_bytes // MB}"


def _check_descriptors(descriptors: Descriptors, clips: int) -> None:
    others = descriptors.in_use - descriptors.in_clips
    needed = others + clips * CLIP_DESCRIPTORS + RESERVED_DESCRIPTORS
    if needed > descriptors.limit:
        raise CommandRejected(
            "out_of_descriptors",
            f"{clips} clips at once need {clips * CLIP_DESCRIPTORS} file descriptors; the recorder may have"
            f" {descriptors.limit}, {others} are in use and {RESERVED_DESCRIPTORS} stay in reserve",
        )


def _check_threads(free: int, clips: int) -> None:
    if clips * CLIP_THREADS + RESERVED_THREADS > free:
        raise CommandRejected(
            "out_of_threads",
            f"{clips} more clips need a thread each; the recorder may start {max(0, free)} more,"
            f" and {RESERVED_THREADS} stay in reserve",
        )
