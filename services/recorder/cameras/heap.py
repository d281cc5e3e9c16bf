"""Memory that frames have left, given back to the system.

The allocator keeps what is freed for what comes next: without this the process stays as large as its rings have ever
been, and a little larger with every crumb between them.
"""

from collections.abc import Callable
from typing import Final

from preroll.clock import NS_PER_S
from preroll.linux import malloc
from preroll.process import resident_bytes

LOOK_EVERY_NS: Final = 2 * NS_PER_S
KEPT_SHARE: Final = 20  # a twentieth of the rings may lie free: the frames of the next moments need no fresh pages
KEPT_BYTES: Final = 8_000_000


class Heap:
    """Looks every two seconds how much of the process is neither in the rings nor needed by the rest of it.

    What the rest needs is not asked of anyone: it is the least that was ever beyond the rings since memory was last
    given back. Nothing happens where the C library cannot give back (any but glibc).
    """

    def __init__(self, trim: Callable[[], object] | None = None, resident: Callable[[], int] = resident_bytes) -> None:
        self._trim = trim or malloc.trimmer()
        self._resident = resident
        self._due_ns = 0
        self._needed_bytes: int | None = None

    def settle(self, now_ns: int, held_bytes: int) -> None:
        """Give back if much is free. `held_bytes` is what the rings hold.

        Costs a microsecond between the looks, some ten in one, and 10 to 30 ms where some hundred MB are given back: on
        the thread that frees the frames, so that none of less precedence ever holds the allocator's lock for so long.
        """
        if self._trim is None or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + LOOK_EVERY_NS
        beyond = self._resident() - held_bytes
        if self._needed_bytes is None or beyond < self._needed_bytes:
            self._needed_bytes = beyond
        elif beyond > self._needed_bytes + held_bytes // KEPT_SHARE + KEPT_BYTES:
            self._trim()
            self._needed_bytes = self._resident() - held_bytes
