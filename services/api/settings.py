"""The API's settings: `PREROLL_API_*`."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from preroll.addresses import is_loopback
from preroll.settings import LogLevel, ServiceSettings, ZmqAddress

KEY_MIN_CHARS = 16


def _addresses(text: str) -> str:
    for part in text.split(","):
        try:
            network = ipaddress.ip_network(part.strip())
        except ValueError as err:
            raise ValueError(f"{part.strip()!r} is no address and no network: {err}") from None
        if network.prefixlen == 0:
            raise ValueError(f"{part.strip()} is everybody, and everybody could then name any address as his own")
    return text


Addresses = Annotated[str, AfterValidator(_addresses)]


class ApiSettings(ServiceSettings):
    """What the API can be told. Seconds and counts, each with its limits."""

    model_config = SettingsConfigDict(env_prefix="PREROLL_API_")

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    control_connect: ZmqAddress = "tcp://127.0.0.1:5551"
    query_connect: ZmqAddress = "tcp://127.0.0.1:5553"
    bus_bind: ZmqAddress = "tcp://127.0.0.1:5552"
    clips_dir: Path = Path("./clips")
    state_dir: Path = Path("./state")
    log_level: LogLevel = "INFO"

    recorder_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 2
    log_memory: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    log_memory_mb: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_log_clients: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_live_clients: Annotated[int, Field(ge=1, le=1_000)] = 32
    max_connections: Annotated[int, Field(ge=16, le=10_000)] = 512
    live_fps: Annotated[float, Field(ge=0.1, le=60)] = 10
    send_timeout_s: Annotated[float, Field(ge=1, le=600)] = 15

    key: SecretStr | None = None
    key_file: Path | None = None
    view_key: SecretStr | None = None
    view_key_file: Path | None = None
    allow_anonymous: bool = False
    published_on: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    trusted_proxies: Addresses | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def operate_secret(self) -> str | None:
        """The key that operates, from the environment or its file."""
        return _secret(self.key, self.key_file)

    @property
    def look_secret(self) -> str | None:
        """The key that only looks, from the environment or its file."""
        return _secret(self.view_key, self.view_key_file)

    # The faults below never show a value: it may be a key.

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        for name, key, file in (
            ("PREROLL_API_KEY", self.key, self.key_file),
            ("PREROLL_API_VIEW_KEY", self.view_key, self.view_key_file),
        ):
            if key is not None and file is not None:
                raise ValueError(f"{name} and {name}_FILE: give one of them")
            try:
                secret = _secret(key, file)
            except (OSError, UnicodeDecodeError) as err:
                raise ValueError(f"{name}_FILE={str(file)!r} cannot be read: {type(err).__name__}") from None
            if secret is not None and (len(secret) < KEY_MIN_CHARS or not secret.isascii() or not secret.isprintable()):
                raise ValueError(f"{name}: a key has at least {KEY_MIN_CHARS} printable ASCII characters")
        if self.look_secret is not None and self.operate_secret is None:
            raise ValueError("PREROLL_API_VIEW_KEY without PREROLL_API_KEY: nobody could operate")
        if self.operate_secret is not None and self.operate_secret == self.look_secret:
            raise ValueError("PREROLL_API_KEY and PREROLL_API_VIEW_KEY are the same key")
        return self

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("PREROLL_API_TLS_CERT and PREROLL_API_TLS_KEY: both or neither")
        for name, file in (("TLS_CERT", self.tls_cert), ("TLS_KEY", self.tls_key)):
            if file is not None and not file.is_file():
                raise ValueError(f"PREROLL_API_{name}={str(file)!r}: no such file")
        reachable_on = self.published_on or self.host
        if self.operate_secret is None and not self.allow_anonymous and not is_loopback(reachable_on):
            said_by = "PREROLL_API_PUBLISHED_ON" if self.published_on else "PREROLL_API_HOST"
            raise ValueError(
                f"{said_by}={reachable_on!r} is reachable from other machines: set PREROLL_API_KEY,"
                " or PREROLL_API_ALLOW_ANONYMOUS=true to let everybody operate"
            )
        if self.trusted_proxies is not None and self.operate_secret is None and not self.allow_anonymous:
            raise ValueError(
                f"PREROLL_API_TRUSTED_PROXIES={self.trusted_proxies!r}: through a proxy other machines reach the API:"
                " set PREROLL_API_KEY, or PREROLL_API_ALLOW_ANONYMOUS=true to let everybody operate"
            )
        return self


def _secret(key: SecretStr | None, file: Path | None) -> str | None:
    if file is not None:
        return file.read_text().strip()
    return key.get_secret_value() if key is not None else None
