"""The services under measurement: those of the system tests, without their logs on the terminal."""

import io
from contextlib import redirect_stdout
from types import TracebackType

from tests.support.processes import System


class Services(System):
    """As `System`; what went wrong is in the error's notes."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with redirect_stdout(io.StringIO()):
            super().__exit__(kind, error, traceback)
