"""The API's JSON documents, as far as the command line reads them."""

from typing import Literal, NotRequired, TypedDict

Span = TypedDict("Span", {"from": str, "to": str})
Delivered = TypedDict("Delivered", {"from": str, "to": str, "frames": int, "lost": int})
FileKind = Literal["clip", "original", "poster", "sidecar"]


class File(TypedDict):
    url: str
    size_bytes: int
    sha256: str | None


class Clip(TypedDict):
    camera_id: str
    state: str
    complete: bool | None
    shortfall: list[str]
    requested: Span
    delivered: Delivered | None
    files: dict[FileKind, File]
    saved_after_s: float | None
    ready_after_s: float | None


class Event(TypedDict):
    event_id: str
    state: str
    triggered_at: str
    pre_s: float
    post_s: float
    labels: dict[str, str]
    protected: bool
    accepted_after_s: float
    clips: list[Clip]


class Events(TypedDict):
    events: list[Event]
    next_cursor: str | None


class Camera(TypedDict):
    camera_id: str
    state: str
    width: int
    height: int
    fps: float
    ring_s: float
    wanted_s: float
    age_s: float | None
    losses: dict[str, int]
    source: NotRequired[str | None]


class Disk(TypedDict):
    total_bytes: int
    free_bytes: int
    is_full: bool


class Health(TypedDict):
    uptime_s: float
    memory_bytes: int
    clips_recording: int
    encodes_waiting: int
    encodes_running: int
    disk: Disk


class Finding(TypedDict):
    subject: str
    state: str
    said: str
    advice: str | None


class Diagnosis(TypedDict):
    state: str
    findings: list[Finding]


class LogRecord(TypedDict):
    time: str
    service: str
    instance: str
    camera_id: str | None
    event_id: str | None
    level: str
    message: str
    fields: dict[str, str | int | float | bool | None]
