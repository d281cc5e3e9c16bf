"""The capture's settings: `PREROLL_CAPTURE_*`."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from preroll import wire
from preroll.keys import Keys
from preroll.settings import LogLevel, ServiceSettings, ZmqAddress
from services.capture import identity, own_key
from services.capture.address import PREFIXES, is_source

# A call into a driver or a resolver may take this much longer than its own limit before the process counts as hung.
WATCHDOG_MARGIN_S = 1.0


class CaptureSettings(ServiceSettings):
    """What a capture can be told. Pixels, frames a second, seconds, each with its limits.

    Width, height and frames a second are wishes, for devices and the synthetic camera; JPEG quality is for sources that
    do not send JPEG themselves.
    """

    model_config = SettingsConfigDict(env_prefix="PREROLL_CAPTURE_")

    camera_id: wire.CameraId = Field(default_factory=identity.default_camera_id)
    source: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = "synthetic:"
    width: Annotated[int, Field(ge=160, le=8192)] = 1280
    height: Annotated[int, Field(ge=120, le=8192)] = 720
    fps: Annotated[float, Field(ge=0.1, le=1000)] = 30
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 85
    open_timeout_s: Annotated[float, Field(ge=0.1, le=120)] = 10
    read_timeout_s: Annotated[float, Field(ge=0.1, le=120)] = 5
    watchdog_s: Annotated[float, Field(ge=1, le=600)] = 30
    frames_connect: ZmqAddress = "tcp://127.0.0.1:5550"
    frames_bind: ZmqAddress | None = None
    bus_connect: ZmqAddress = "tcp://127.0.0.1:5552"
    log_level: LogLevel = "INFO"

    def load_keys(self) -> Keys | None:
        return own_key.load(self.keys_dir, self.camera_id) if self.keys_dir is not None else None

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str) -> str:
        if not is_source(source):
            raise ValueError(f"is no {', '.join(PREFIXES)} or file that exists")
        return source

    @model_validator(mode="after")
    def _check_watchdog(self) -> Self:
        slowest_s = max(self.open_timeout_s, self.read_timeout_s)
        if self.watchdog_s < slowest_s + WATCHDOG_MARGIN_S:
            raise ValueError(
                f"PREROLL_CAPTURE_WATCHDOG_S={self.watchdog_s:g}: must exceed the open and read timeouts"
                f" ({slowest_s:g} s) by {WATCHDOG_MARGIN_S:g} s"
            )
        return self
