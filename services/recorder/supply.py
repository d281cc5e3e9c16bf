"""Reads what the system has left, for admission: it is asked with each trigger, and costs some microseconds."""

from collections.abc import Callable
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S, Clock
from preroll.linux import descriptors, tasks
from services.recorder.events.admission import Descriptors, Supply

KEPT_NS: Final = NS_PER_S // 10  # before Linux 6.2 descriptors have to be listed, some thousand a millisecond


class SupplyReader:
    """`disk` reads the clips' disk, `storage_error` says why nothing can be written, `in_clips` counts clips' files,
    `threads_owed` the writers that wait for a thread.
    """

    def __init__(
        self,
        clock: Clock,
        disk: Callable[[], wire.Disk],
        storage_error: Callable[[], str | None],
        in_clips: Callable[[], int],
        threads_owed: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._disk = disk
        self._storage_error = storage_error
        self._in_clips = in_clips
        self._threads_owed = threads_owed
        self._read_ns: int | None = None
        self._others: int | None = None

    def __call__(self) -> Supply:
        return Supply(self._disk(), self._storage_error(), self.descriptors(), tasks.free(), self._threads_owed())

    def descriptors(self) -> Descriptors | None:
        """What there is of descriptors; `None` where the system does not tell."""
        now_ns = self._clock.monotonic_ns()
        if self._read_ns is None or now_ns - self._read_ns > KEPT_NS:
            in_use = descriptors.in_use()
            self._others = None if in_use is None else max(0, in_use - self._in_clips())
            self._read_ns = now_ns
        limit, in_clips = descriptors.limit(), self._in_clips()
        if limit is None or self._others is None:
            return None
        return Descriptors(limit, self._others + in_clips, in_clips)
