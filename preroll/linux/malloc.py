"""Memory that was freed, given back to the system.

Source: malloc_trim(3), which lets go of free pages anywhere in the heaps of all threads.
"""

import ctypes
import sys
from collections.abc import Callable


def trimmer() -> Callable[[], object] | None:
    """What gives back; `None` where the C library cannot (any but glibc)."""
    if not sys.platform.startswith("linux"):
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(ctypes.c_size_t(0))
