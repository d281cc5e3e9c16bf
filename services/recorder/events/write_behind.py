"""Does what may come behind an answer or a change: the newest state of each thing, one at a time.

A thread is there while there is anything to do. It waits a little first, so that changes which come together (the clips
of one event end at once) are done as one. What could not be done (the disk is full) stays, and is tried again when
it is asked for.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Deferred(Generic[Key, Item]):
    """`carry_out(key, item)` does it, from a thread of its own; false when it could not be done. It raises nothing."""

    def __init__(self, name: str, carry_out: Callable[[Key, Item], bool], gather_s: float = 0) -> None:
        self._name = name
        self._gather_s = gather_s
        self._carry_out = carry_out
        self._changed = threading.Condition()
        self._waiting: dict[Key, Item] = {}
        self._doing: Key | None = None
        self._is_running = False

    def put(self, key: Key, item: Item) -> None:
        """Have it done, in place of what waits under the same key; does not wait for it."""
        with self._changed:
            self._waiting[key] = item
            self._run_if_needed()

    def forget(self, key: Key) -> None:
        """Do nothing more of this key. Waits for what is being done."""
        with self._changed:
            self._waiting.pop(key, None)
            self._changed.wait_for(lambda: self._doing != key)
            self._waiting.pop(key, None)  # what failed meanwhile has come back

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
        if not self._is_running:
            self._is_running = True
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        time.sleep(self._gather_s)
        is_done = True
        while True:
            with self._changed:
                self._doing = None
                self._changed.notify_all()
                if not is_done or not self._waiting:
                    self._is_running = False
                    return
                key = next(iter(self._waiting))
                item = self._waiting.pop(key)
                self._doing = key
            is_done = self._carry_out(key, item)
            if not is_done:
                with self._changed:
                    self._waiting.setdefault(key, item)
