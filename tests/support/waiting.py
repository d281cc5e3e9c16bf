"""Waiting for a condition: what tests do instead of sleeping."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_STEP_S: Final = 0.01


class NeverHappened(AssertionError):
    """The condition did not come true in time."""


def wait_until(condition: Callable[[], T], timeout_s: float, what: str = "") -> T:
    """The first true value of `condition`, asked every 10 ms; `NeverHappened` after `timeout_s` seconds.

    Its last value is named in the failure, so let it return what it looked at.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            named = what or getattr(condition, "__qualname__", repr(condition))
            raise NeverHappened(f"not within {timeout_s:g} s: {named} (last value {value!r})")
        time.sleep(_STEP_S)
