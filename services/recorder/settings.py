"""The recorder's settings: `PREROLL_RECORDER_*`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from preroll.settings import LogLevel, ServiceSettings, ZmqAddress


class RecorderSettings(ServiceSettings):
    """What the recorder can be told. Seconds, megabytes (10^6 bytes) and counts, each with its limits."""

    model_config = SettingsConfigDict(env_prefix="PREROLL_RECORDER_")

    frames_bind: ZmqAddress = "tcp://127.0.0.1:5550"
    control_bind: ZmqAddress = "tcp://127.0.0.1:5551"
    query_bind: ZmqAddress = "tcp://127.0.0.1:5553"
    bus_connect: ZmqAddress = "tcp://127.0.0.1:5552"
    clips_dir: Path = Path("./clips")
    log_level: LogLevel = "INFO"

    ring_s: Annotated[float, Field(ge=1, le=3600)] = 30
    ring_max_mb: Annotated[int, Field(ge=8, le=1_000_000)] = 1024
    backlog_max_mb: Annotated[int, Field(ge=8, le=1_000_000)] = 256
    pre_s: Annotated[float, Field(ge=0, le=3600)] = 5
    post_s: Annotated[float, Field(ge=0, le=3600)] = 10
    max_clip_s: Annotated[float, Field(ge=1, le=3600)] = 120
    max_ahead_s: Annotated[float, Field(ge=0, le=3600)] = 60
    max_active_events: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_commands_per_s: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    max_cameras: Annotated[int, Field(ge=1, le=1_000)] = 128
    watchdog_s: Annotated[float, Field(ge=1, le=600)] = 30
    overlap: Literal["separate", "reject"] = "separate"

    format: Literal["h264", "mjpeg"] = "h264"
    encoder: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] = "libx264"
    encoder_preset: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] = "superfast"
    encoder_quality: Annotated[int, Field(ge=1, le=51)] = 23
    encode_workers: Annotated[int, Field(ge=1, le=64)] = 1
    encode_timeout_s: Annotated[float, Field(ge=1, le=86_400)] = 600
    keep_original: bool = False

    retention_days: Annotated[float, Field(ge=0, le=36_500)] = 30  # 0: no limit by age
    retention_max_gb: Annotated[float, Field(ge=0, le=1_000_000)] = 0  # 0: no limit by size
    min_free_mb: Annotated[int, Field(ge=0, le=100_000_000)] = 1_000

    @property
    def disk_watchdog_s(self) -> float:
        """The limit of what waits for the disk. A disk that stands still for less costs triggers, and no frame."""
        return 4 * self.watchdog_s
