"""A limit of waiting, counted in time during which this process ran.

After a pause of the process (a container's pause, a virtual machine's snapshot, a laptop's sleep) every clock is far ahead,
and a deadline has passed though what was waited for had no time either. So waiting is counted in steps, each for what it
took and for at most twice what it was to take.
"""

import time
from collections.abc import Callable
from typing import Final

STEP_COUNTS_MAX: Final = 2


def counted_s(passed_s: float, step_s: float) -> float:
    """What a step that was to take `step_s` seconds and took `passed_s` counts for."""
    return min(passed_s, STEP_COUNTS_MAX * step_s)


class Patience:
    """Waiting for something, at most `limit_s` seconds, in steps of `step_s`."""

    def __init__(self, limit_s: float, step_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.left_s = limit_s
        self._step_s = step_s
        self._clock_s = clock_s
        self._before_s = clock_s()

    def is_over(self) -> bool:
        """Whether the limit is reached. To be asked once a step."""
        now_s = self._clock_s()
        self.left_s = max(0.0, self.left_s - counted_s(now_s - self._before_s, self._step_s))
        self._before_s = now_s
        return self.left_s <= 0
