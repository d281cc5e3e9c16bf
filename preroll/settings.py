"""Settings come from the environment alone: `PREROLL_<SERVICE>_<NAME>`, one frozen class a service.

A value out of range, or a name that no setting has, is refused at start: the name, and of a known one the value and the limit.
"""

import os
import sys
from typing import Annotated, Any, NoReturn, Self

from pydantic import StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

ZmqAddress = Annotated[str, StringConstraints(pattern=r"^(tcp://.+:(\d+|\*)|ipc://.+|inproc://.+)$")]
LogLevel = Annotated[str, StringConstraints(pattern=r"^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")]


class SettingsError(ValueError):
    """Settings that a service cannot start with; one line for each fault."""


class ServiceSettings(BaseSettings):
    """The base of each service's settings. Subclasses set `env_prefix` in their `model_config`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=False)

    @classmethod
    def load(cls) -> Self:
        """The settings in the environment, or `SettingsError` with a line for each fault."""
        prefix = str(cls.model_config["env_prefix"])
        known = {(prefix + name).upper() for name in cls.model_fields}
        # Without its value, which is a secret when the name of a key was mistyped.
        faults = [
            f"{name}: no such setting; known are {', '.join(sorted(known))}"
            for name in sorted(os.environ)
            if name.startswith(prefix.upper()) and name not in known
        ]
        settings: Self | None = None
        try:
            settings = cls()
        except ValidationError as err:
            faults += [_fault(prefix, fault) for fault in err.errors(include_url=False)]
        if faults or settings is None:
            raise SettingsError("\n".join(faults))
        return settings

    @classmethod
    def load_or_exit(cls) -> Self:
        """As `load`, but a fault ends the process with code 2 and its text on stderr."""
        try:
            return cls.load()
        except SettingsError as err:
            _exit_with(str(err))


def _fault(prefix: str, fault: Any) -> str:
    name = (prefix + ".".join(str(step) for step in fault["loc"])).upper()
    return f"{name}={fault['input']!r}: {fault['msg']}" if fault["loc"] else str(fault["msg"])


def _exit_with(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(2)
