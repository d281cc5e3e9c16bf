"""Work that may fail without harm: housekeeping and diagnostics. Its errors are counted and logged, and never spread."""

import logging
import time
from collections.abc import Callable
from typing import Final

from preroll.logs import fields

log = logging.getLogger(__name__)

TOLD_EVERY_S: Final = 60.0


class Chore:
    """One piece of such work, done whenever it is called, by one thread at a time."""

    def __init__(self, name: str, do: Callable[[], None], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._do = do
        self._clock_s = clock_s
        self._told_s: float | None = None
        self.failures = 0

    def __call__(self) -> bool:
        """Do it; false when it failed. Of failures that follow one another, one a minute is logged."""
        try:
            self._do()
        except Exception:
            self.failures += 1
            now_s = self._clock_s()
            if self._told_s is None or now_s - self._told_s >= TOLD_EVERY_S:
                self._told_s = now_s
                log.exception("%s failed", self._name, extra=fields(failures=self.failures))
            return False
        return True
