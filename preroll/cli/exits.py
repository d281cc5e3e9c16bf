"""How a command ends: the exit codes, and the one error that carries them."""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a script can rely on. 130 is added by the shell's convention for Ctrl-C."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    NOT_FOUND = 3
    REFUSED = 4
    AWAY = 5
    NOT_IN_TIME = 6


class Stopped(Exception):
    """The command cannot do what it was asked; `code` is how it ends, the text says why in one line."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


# A value that breaks a rule is the caller's misuse; one that only this system cannot serve now is a refusal.
_REFUSED_VALUES: Final = frozenset({"window_out_of_bounds", "out_of_reach"})
_BY_STATUS: Final = {
    400: ExitCode.MISUSED,
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.REFUSED,
    413: ExitCode.MISUSED,
    421: ExitCode.REFUSED,
    422: ExitCode.MISUSED,
    429: ExitCode.REFUSED,
    502: ExitCode.AWAY,
    503: ExitCode.AWAY,
    504: ExitCode.AWAY,
    507: ExitCode.REFUSED,
}


def exit_code_of(status: int, problem_code: str) -> ExitCode:
    """The exit code for an HTTP status of 300 or more and the problem's `code`."""
    if problem_code in _REFUSED_VALUES:
        return ExitCode.REFUSED
    return _BY_STATUS.get(status, ExitCode.FAILED)
