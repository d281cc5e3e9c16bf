"""The JSON that the API speaks, and how it comes from the recorder's records."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from preroll import wire
from preroll.clock import UNIX_MAX_S
from services.api import diagnosis, moments

Moment = Annotated[str, Field(examples=["2026-03-01T12:00:00.000000Z"], description="RFC 3339, UTC, microseconds")]
_SUFFIX: dict[wire.FileKind, str] = {"clip": ".mp4", "original": ".original.mp4", "poster": ".jpg", "sidecar": ".json"}


class FrameName(BaseModel):
    """One frame, named exactly; as the headers of `GET /cameras/{id}/frames` name it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    camera_id: wire.CameraId = Field(examples=["cam1"])
    run_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(examples=["9f2c4e8a1b3d5f70"])
    seq: Annotated[int, Field(ge=0, le=wire.INT63_MAX, examples=[1234])]


class Trigger(BaseModel):
    """A trigger. Every field is optional; an empty body records all cameras now, with the recorder's defaults."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_id: wire.EventId | None = Field(None, examples=["line4-20260301-0017"])
    cameras: Annotated[list[wire.CameraId], Field(min_length=1, max_length=256)] | None = Field(
        None, examples=[["cam1"]]
    )
    at: moments.MomentText | Annotated[float, Field(ge=0, le=UNIX_MAX_S)] | None = Field(
        None, examples=["2026-03-01T12:00:00.250Z"], description="RFC 3339 or Unix seconds"
    )
    at_frame: FrameName | None = None
    pre_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] | None = Field(None, examples=[5])
    post_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] | None = Field(None, examples=[10])
    labels: wire.Labels = Field({}, examples=[{"line": "4", "reason": "e-stop"}])
    overlap: wire.Overlap | None = None

    @field_validator("at", mode="before")
    @classmethod
    def _is_a_moment(cls, at: Any) -> Any:
        if isinstance(at, bool) or not isinstance(at, str | int | float | None):
            raise ValueError("at is RFC 3339 text or Unix seconds")  # noqa: TRY004 - pydantic turns this into a fault
        if at is not None:
            moments.parse(at)
        return float(at) if isinstance(at, int) else at


class Amendment(BaseModel):
    """The new end of a running window, in seconds after the trigger; 0 ends it now."""

    model_config = ConfigDict(extra="forbid", strict=True)

    post_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False, examples=[30])]


class Protection(BaseModel):
    """Whether retention must keep the event."""

    model_config = ConfigDict(extra="forbid", strict=True)

    protected: bool


class Requested(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    from_: Moment = Field(alias="from")
    to: Moment


class DeliveredSpan(Requested):
    frames: int = Field(examples=[450])
    lost: int = Field(examples=[0])


class File(BaseModel):
    url: str = Field(examples=["/events/line4-20260301-0017/clips/cam1.mp4"])
    size_bytes: int
    sha256: str | None


class Clip(BaseModel):
    camera_id: str = Field(examples=["cam1"])
    state: wire.ClipState
    coverage: wire.Coverage = Field(
        description="How much of the window the ring could give when the event was accepted"
    )
    missing_s: float = Field(description="Seconds of the window that the ring could not give")
    complete: bool | None = Field(description="Whether the clip shows its whole window; null until the recording ends")
    shortfall: list[str] = Field(description="What the clip lacks, in words")
    requested: Requested
    delivered: DeliveredSpan | None
    files: dict[wire.FileKind, File]
    saved_after_s: float | None = Field(description="From the window's end to saved")
    ready_after_s: float | None = Field(description="From the window's end to ready")


class Event(BaseModel):
    event_id: str = Field(examples=["line4-20260301-0017"])
    state: wire.ClipState
    triggered_at: Moment
    received_at: Moment
    pre_s: float = Field(examples=[5])
    post_s: float = Field(examples=[10])
    labels: dict[str, str]
    protected: bool
    accepted_after_s: float = Field(description="From receipt of the trigger to its durable acceptance")
    clips: list[Clip]


class Events(BaseModel):
    events: list[Event]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end")


class Camera(BaseModel):
    """A camera as the recorder sees it, and what its capture says of itself."""

    camera_id: str = Field(examples=["cam1"])
    state: wire.CameraState
    width: int
    height: int
    fps: float = Field(description="Measured over the last frames")
    frames: int = Field(description="Received since the recorder started")
    ring_s: float = Field(description="Seconds held in memory")
    ring_frames: int
    ring_bytes: int
    wanted_s: float = Field(description="Seconds that a default trigger needs of the ring")
    age_s: float | None = Field(description="Of the last frame")
    losses: wire.Losses
    run_id: str | None
    source: str | None = Field(description="What capture reads, without its password; null while it has not said")
    is_open: bool | None = Field(description="Whether capture has its source open; null while it has not said")
    reopened: int | None


class Status(BaseModel):
    """The recorder's own figures, and the API's."""

    recorder: wire.RecorderHealth | None = Field(description="null while the recorder is away")
    log_clients: int
    live_clients: int
    bus_received: int
    bus_lost: int
    bus_malformed: int
    bus_refused: int = Field(default=0, description="Messages that the sender's key may not say")
    peers_refused: int = Field(description="Connections to the bus without a known key")


class LogRecord(BaseModel):
    """One log record of any service."""

    time: Moment
    service: wire.Service
    instance: str
    camera_id: str | None
    event_id: str | None
    level: wire.Level
    message: str
    fields: dict[str, wire.Scalar]
    key: str | None = Field(
        default=None,
        description="The name of the CURVE key with which it was said; null in plaintext",
        examples=["door"],
    )


class LogHistory(BaseModel):
    records: list[LogRecord]


class Readiness(BaseModel):
    ready: bool
    cameras_live: int = Field(description="How many; which ones, `GET /cameras` tells those who may know")
    missing: list[str] = Field(description="What is not there yet, in words")


class Finding(BaseModel):
    subject: diagnosis.Subject
    state: diagnosis.State
    said: str = Field(description="What is, in one sentence")
    advice: str | None = Field(description="What to do; null where nothing is to be done")


class Diagnosis(BaseModel):
    state: diagnosis.State = Field(description="Of the worst finding")
    asked_at: Moment
    findings: list[Finding]


class SignIn(BaseModel):
    """A key, in exchange for a cookie."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Session(BaseModel):
    """Who is asking: `operate`, `look`, or `anonymous` where no key is set and everybody operates."""

    role: Literal["operate", "look", "anonymous"]


class Alive(BaseModel):
    status: Literal["alive"] = "alive"


def event_json(event: wire.Event) -> Event:
    return Event(
        event_id=event.event_id,
        state=event.state,
        triggered_at=moments.to_rfc3339(event.triggered_unix_ns),
        received_at=moments.to_rfc3339(event.received_unix_ns),
        pre_s=event.pre_s,
        post_s=event.post_s,
        labels=event.labels,
        protected=event.is_protected,
        accepted_after_s=event.accepted_after_s,
        clips=[_clip_json(event.event_id, clip) for clip in event.clips],
    )


def event_document(event: wire.Event) -> bytes:
    """The event's JSON. Checked against its schema once more by the framework, an answer would take twice as long."""
    return event_json(event).model_dump_json(by_alias=True).encode()


def _clip_json(event_id: str, clip: wire.Clip) -> Clip:
    delivered = clip.delivered
    return Clip(
        camera_id=clip.camera_id,
        state=clip.state,
        coverage=clip.coverage,
        missing_s=clip.missing_s,
        complete=clip.complete,
        shortfall=list(clip.shortfall),
        requested=Requested.model_validate(_span(clip.requested)),
        delivered=None
        if delivered is None
        else DeliveredSpan.model_validate({**_span(delivered), "frames": delivered.frames, "lost": delivered.lost}),
        files={
            kind: File(
                url=f"/events/{event_id}/clips/{clip.camera_id}{_SUFFIX[kind]}",  # ids have no character to be quoted
                size_bytes=fact.size_bytes,
                sha256=fact.sha256,
            )
            for kind, fact in clip.files.items()
        },
        saved_after_s=clip.saved_after_s,
        ready_after_s=clip.ready_after_s,
    )


def _span(span: wire.Span | wire.Delivered) -> dict[str, str]:
    return {"from": moments.to_rfc3339(span.from_unix_ns), "to": moments.to_rfc3339(span.to_unix_ns)}


def camera_json(camera: wire.Camera, capture: wire.CaptureStatus | None) -> Camera:
    return Camera(
        **camera.model_dump(exclude={"losses"}),
        losses=camera.losses,
        source=capture.source if capture else None,
        is_open=capture.is_open if capture else None,
        reopened=capture.reopened if capture else None,
    )


def log_json(record: wire.LogMessage, key: str | None = None) -> LogRecord:
    camera_id = record.fields.get("camera_id")
    event_id = record.fields.get("event_id")
    return LogRecord(
        time=moments.to_rfc3339(record.unix_ns),
        service=record.service,
        instance=record.instance,
        camera_id=str(camera_id) if camera_id is not None else None,
        event_id=str(event_id) if event_id is not None else None,
        level=record.level,
        message=record.message,
        fields=record.fields,
        key=key,
    )
