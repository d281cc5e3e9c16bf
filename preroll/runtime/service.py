"""How the process of a service ends: with its exit code, whatever a thread of it is doing."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def run(main: Callable[[], int]) -> NoReturn:
    """Run a service's `main` and end the process with its exit code; with 1 when it raises, and a traceback on stderr.

    The interpreter's own end is left out: it takes apart what a thread inside a driver, a library or a dead disk still
    uses, which hangs or aborts. What is to be closed, `main` has closed.
    """
    try:
        exit_code = main()
    except SystemExit as err:
        exit_code = err.code if isinstance(err.code, int) else 1
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)
