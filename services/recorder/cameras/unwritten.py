"""One camera's recordings that are over and wait to be written: their frames leave the ring, too.

They are not kept alive here. One that nobody writes any more (its event was deleted) is found gone, and uncounted.
"""

import weakref
from collections.abc import Iterator

from services.recorder.cameras.backlog import Overdue
from services.recorder.cameras.recording import Recording


class Unwritten:
    """Guarded by the lock of the cameras."""

    def __init__(self) -> None:
        self._held: list[tuple[weakref.ref[Recording], Overdue]] = []

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Recording]:
        return iter([recording for ref, _ in self._held if (recording := ref()) is not None])

    def add(self, recording: Recording) -> None:
        self._held.append((weakref.ref(recording), recording.overdue))

    def remove(self, recording: Recording) -> None:
        """It takes frames again."""
        self._held = [(ref, overdue) for ref, overdue in self._held if ref() is not recording]

    def tidy_up(self) -> None:
        """Forget those that hold nothing any more, or are gone."""
        if self._held:
            self._held = [(ref, overdue) for ref, overdue in self._held if _is_held(ref(), overdue)]


def _is_held(recording: Recording | None, overdue: Overdue) -> bool:
    if recording is None:
        overdue.clear()
        return False
    return recording.is_holding
