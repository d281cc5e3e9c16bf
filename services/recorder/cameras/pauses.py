"""Tells when the process did not run for a while: stopped, its machine suspended, or starved. Pure.

Meanwhile the clock went on and the frames waited in sockets. So nothing is done by time alone until they have had a moment
to come in: they belong into clips whose end has passed, and a trigger that waited, too, asks for the frames before it.
"""

from typing import Final

from preroll.clock import NS_PER_S

PAUSE_MIN_NS: Final = NS_PER_S // 2
RETURN_NS: Final = NS_PER_S  # for what waited to come in
TURNS_MAX: Final = 50  # a machine that is always late must let go of old frames, too


class Pauses:
    """Asked once a turn of the loop that receives frames."""

    def __init__(self) -> None:
        self._back_until_ns: int | None = None
        self._turns = 0

    def is_over(self, due_ns: int, now_ns: int) -> bool:
        """Whether what depends on time alone may be done. `due_ns` is when the turn was to end at the latest."""
        if now_ns - due_ns > PAUSE_MIN_NS:
            self._back_until_ns = now_ns + RETURN_NS
        if self._back_until_ns is None:
            return True
        self._turns += 1
        if now_ns < self._back_until_ns and self._turns < TURNS_MAX:
            return False
        self._back_until_ns = None
        self._turns = 0
        return True
