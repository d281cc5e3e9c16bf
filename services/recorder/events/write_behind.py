"""The write-behind queue: does what may come behind an answer or a change, the newest state of each thing, one at a time.

A thread is there while there is anything to do. It waits a little first, so that changes which come together (the clips
of one event end at once) are done as one. What cannot be done now (the disk is full) stays, and is tried again when it is
asked for. What fails for another reason is tried again as well, but not for ever: it is counted, and keeps no other back.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from preroll.logs import fields
from preroll.runtime.threads import Threads
from services.recorder.store.trouble import Trouble

log = logging.getLogger(__name__)

Key = TypeVar("Key")
Item = TypeVar("Item")

FAULTS_MAX: Final = 20  # of one thing, each in another second


class Postponed(Exception):
    """It cannot be done now; the text says why."""


class Deferred(Generic[Key, Item]):
    """`carry_out(key, item)` does it, on a thread of its own; `Postponed` when it is to be tried again."""

    def __init__(
        self, name: str, carry_out: Callable[[Key, Item], None], threads: Threads, gather_s: float = 0
    ) -> None:
        self._name = name
        self._gather_s = gather_s
        self._carry_out = carry_out
        self._threads = threads
        self._changed = threading.Condition()
        self._waiting: dict[Key, Item] = {}
        self._doing: Key | None = None
        self._forgotten: list[Key] = []  # while one of them is being done
        self._is_running = False
        self._faults: dict[Key, int] = {}
        self._trouble = Trouble(name)
        self.given_up = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def failures(self) -> int:
        """How often something could not be done, since the start."""
        return self._trouble.failures

    def put(self, key: Key, item: Item) -> None:
        """Have it done, in place of what waits under the same key; does not wait for it."""
        with self._changed:
            self._waiting[key] = item
            self._faults.pop(key, None)
            self._run_if_needed()

    def forget(self, key: Key, within_s: float) -> bool:
        """Do nothing more of this key. False when it is being done still after `within_s` seconds: then it waits again."""
        with self._changed:
            item = self._waiting.pop(key, None)
            self._forgotten.append(key)
            is_over = self._changed.wait_for(lambda: self._doing != key, within_s)
            self._forgotten.remove(key)
            if not is_over and item is not None:
                self._waiting.setdefault(key, item)
            return is_over

    def try_again(self) -> None:
        """Do what could not be done before, if there is any."""
        with self._changed:
            if self._waiting:
                self._run_if_needed()

    def wait_done(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do; false when it is not within `timeout_s` seconds, or cannot be done."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_running, timeout_s) and not self._waiting

    def _run_if_needed(self) -> None:
        if self._is_running:
            return
        try:
            self._is_running = True
            self._threads.start(self._name, self._run)
        except RuntimeError as err:  # the system has no thread left
            self._is_running = False
            self._trouble.failed(str(err))

    def _run(self) -> None:
        time.sleep(self._gather_s)
        tried: set[Key] = set()
        while (due := self._next(tried)) is not None:
            key, item = due
            try:
                self._carry_out(key, item)
            except Postponed as err:
                self._trouble.failed(str(err), waiting=len(self._waiting) + 1)
                self._put_back(key, item)
                tried.update(tuple(self._waiting))  # what stopped one stops the others, too
            except Exception as err:
                tried.add(key)
                self._take_up_fault(key, item, err)
            else:
                self._faults.pop(key, None)
                self._trouble.over()

    def _next(self, tried: set[Key]) -> tuple[Key, Item] | None:
        """The next thing to do that was not tried in this run; `None` when there is none, which ends the run."""
        with self._changed:
            self._doing = None
            key = next((key for key in self._waiting if key not in tried), None)
            self._is_running = key is not None
            self._changed.notify_all()
            if key is None:
                return None
            self._doing = key
            return key, self._waiting.pop(key)

    def _put_back(self, key: Key, item: Item) -> None:
        with self._changed:
            if key not in self._forgotten:
                self._waiting.setdefault(key, item)

    def _take_up_fault(self, key: Key, item: Item, err: Exception) -> None:
        faults = self._faults[key] = self._faults.get(key, 0) + 1
        said = f"{type(err).__name__}: {err}"
        if faults < FAULTS_MAX:
            self._trouble.failed(said, err, key=str(key))
            self._put_back(key, item)
            return
        self._faults.pop(key, None)
        self.given_up += 1
        log.error("%s: given up: %s", self._name, said, exc_info=err, extra=fields(key=str(key), tries=faults))
