"""The API's settings: `PREROLL_API_*`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from preroll.settings import LogLevel, ServiceSettings, ZmqAddress


class ApiSettings(ServiceSettings):
    """What the API can be told. Seconds and counts, each with its limits."""

    model_config = SettingsConfigDict(env_prefix="PREROLL_API_")

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    control_connect: ZmqAddress = "tcp://127.0.0.1:5551"
    query_connect: ZmqAddress = "tcp://127.0.0.1:5553"
    bus_bind: ZmqAddress = "tcp://127.0.0.1:5552"
    clips_dir: Path = Path("./clips")
    log_level: LogLevel = "INFO"

    recorder_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 2
    log_memory: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    max_log_clients: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_live_clients: Annotated[int, Field(ge=1, le=1_000)] = 32
    live_fps: Annotated[float, Field(ge=0.1, le=60)] = 10
    send_timeout_s: Annotated[float, Field(ge=1, le=600)] = 15
