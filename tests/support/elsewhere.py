"""Callers and cameras, here on the same processors, stand for machines of their own, which nothing of ours keeps waiting."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from preroll.turns import Precedence, go_first, take_short_turns

T = TypeVar("T")


def elsewhere(measure: Callable[[], T]) -> T:
    """What `measure` returns, called by a thread that goes first, as do the programs that it starts.

    Services and encoders take their own place when they start.
    """
    with ThreadPoolExecutor(1, initializer=_go_first) as caller:
        return caller.submit(measure).result()


def _go_first() -> None:
    take_short_turns()
    go_first(Precedence.FRAMES, is_passed_on=True)
