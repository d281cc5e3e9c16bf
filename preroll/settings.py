"""Settings come from the environment alone: `PREROLL_<SERVICE>_<NAME>`, one frozen class a service.

A value out of range, or a name that no setting has, is refused at start: the name, and of a known one the value and the limit.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

from pydantic import StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from preroll.addresses import stays_on_this_machine, without_password
from preroll.keys import Keys

ZmqAddress = Annotated[str, StringConstraints(pattern=r"^(tcp://.+:(\d+|\*)|ipc://.+|inproc://.+)$")]
LogLevel = Annotated[str, StringConstraints(pattern=r"^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")]


class SettingsError(ValueError):
    """Settings that a service cannot start with; one line for each fault."""


class ServiceSettings(BaseSettings):
    """The base of each service's settings. Subclasses set `env_prefix` in their `model_config`.

    What ends in `_bind` is an address that a ZeroMQ socket is bound to.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=False)

    keys_dir: Path | None = None
    allow_plaintext: bool = False

    def load_keys(self) -> Keys | None:
        """The keys of this service, or `None` when it speaks in plaintext; `KeysUnusable`."""
        if self.keys_dir is None:
            return None
        return Keys.load(self.keys_dir, str(self.model_config["env_prefix"]).split("_")[1].lower())

    @model_validator(mode="after")
    def _check_keys_and_binds(self) -> Self:
        prefix = str(self.model_config["env_prefix"])
        try:
            keys = self.load_keys()
        except ValueError as err:
            raise ValueError(f"{prefix}KEYS_DIR={str(self.keys_dir)!r}: {err}") from None
        if keys is None and not self.allow_plaintext:
            for name in type(self).model_fields:
                address = getattr(self, name)
                if name.endswith("_bind") and address is not None and not stays_on_this_machine(address):
                    raise ValueError(
                        f"{prefix}{name.upper()}={address!r} is reachable from other machines, in plaintext: set"
                        f" {prefix}KEYS_DIR to keys made by `preroll keys`, or {prefix}ALLOW_PLAINTEXT=true on a"
                        " network where every machine is trusted"
                    )
        return self

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
    given = fault["input"]  # a camera's address may have a password in it, also one that is none
    shown = without_password(given) if isinstance(given, str) else given
    said = str(fault["msg"]).removeprefix("Value error, ")  # pydantic's words for a check of our own
    return f"{name}={shown!r}: {said}" if fault["loc"] else said


def _exit_with(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(2)
