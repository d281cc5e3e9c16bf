"""Something that fails again and again, in the log: when it begins, when its cause changes, and when it is over."""

import logging
import threading
from typing import Final

from preroll import wire
from preroll.logs import fields

log = logging.getLogger(__name__)

_FOLLOWING: Final = "; not logged again while it lasts"


class Trouble:
    """One kind of work. From any thread."""

    def __init__(self, what: str, again: str | None = "each second") -> None:
        """`what` is being done, as in "writing event files"; `again` is when it is tried again, where that is certain."""
        self._what = what
        self._then = _FOLLOWING if again is None else f", tried again {again}{_FOLLOWING}"
        self._lock = threading.Lock()
        self._cause: str | None = None
        self._since = 0
        self.failures = 0

    def failed(self, cause: str, err: Exception | None = None, **about: wire.Scalar) -> None:
        """It failed. Logged where it did not before, or for another cause; with a traceback where `err` is a fault."""
        with self._lock:
            self.failures += 1
            self._since += 1
            is_new = cause != self._cause
            self._cause = cause
        if is_new:
            said = fields(**about, failures=self.failures)
            log.error("%s: %s%s", self._what, cause, self._then, exc_info=err, extra=said)

    def over(self) -> None:
        """It was done. Logged where it had failed."""
        if self._cause is None:
            return
        with self._lock:
            cause, self._cause = self._cause, None
            since, self._since = self._since, 0
        if cause is not None:
            log.info("%s: succeeds again", self._what, extra=fields(failed=since, cause=cause))
