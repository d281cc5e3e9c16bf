"""The sidecar: what a clip is and what it lacks, as JSON beside it. The index is rebuilt from these files.

Defines the document and its bytes; `v` is its version and unknown keys are ignored. Times are RFC 3339 for people and
integers for programs: wall clock in nanoseconds, frames in microseconds after the first one. The sidecar does not list
itself among the clip's files.
"""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from preroll import wire
from preroll.clock import NS_PER_S
from services.recorder.events import clip_life

NS_PER_US = 1_000


class SidecarDamaged(Exception):
    """The bytes are no sidecar; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Times(_Part):
    """The clip's times for people; the same as in `event` and `clip`."""

    triggered_at: str
    requested_from: str
    requested_to: str
    delivered_from: str | None
    delivered_to: str | None


class HoleRecord(_Part):
    """Frames that are not in the clip, and why. `from_at` and `to_at` are the times of the frames around."""

    cause: str
    from_at: str
    to_at: str
    run_id: str
    first_seq: int
    missing: int | None


class ClockFacts(_Part):
    """How the clip's times were had.

    Wall time is monotonic time of boot `boot_id` plus `unix_offset_ns`. `wall_stepped_s` says how far the wall clock
    was set while recording, by which the clip's times are not moved; `None` when it was not.
    """

    boot_id: str | None
    unix_offset_ns: int | None
    wall_stepped_s: float | None = None


class Latency(_Part):
    """Seconds: from receipt of the trigger to acceptance, from the window's end to `saved` and to `ready`."""

    accepted_after_s: float | None
    saved_after_s: float | None
    ready_after_s: float | None


class Sidecar(_Part):
    """The document. A frame is `[index into runs, seq, µs after the first frame]`; nulls where it is not known."""

    v: Literal[1] = 1
    event: wire.Event
    clip: wire.Clip
    times: Times
    runs: tuple[str, ...]
    first_frame_at: str | None
    frames: tuple[tuple[int | None, int | None, int], ...]
    trigger_frame: int | None
    trigger_us: int | None
    holes: tuple[HoleRecord, ...]
    clock: ClockFacts
    encoder: dict[str, wire.Scalar] | None = None
    latency: Latency


def to_bytes(sidecar: Sidecar) -> bytes:
    return sidecar.model_dump_json(indent=None).encode() + b"\n"


def parse(data: bytes) -> Sidecar:
    """The sidecar in `data`, or `SidecarDamaged`."""
    try:
        return Sidecar.model_validate_json(data)
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "document"
        raise SidecarDamaged(f"{where}: {first['msg']}") from None


def restated(
    sidecar: Sidecar, event: wire.Event, clip: wire.Clip, encoder: dict[str, wire.Scalar] | None = None
) -> Sidecar:
    """The sidecar with the event and clip as they now are; the frames' facts stay. No `encoder` keeps the former."""
    clip = without_sidecar(clip)
    event = clip_life.with_clips(event, clip)
    return Sidecar.model_validate(
        {
            **dict(sidecar),
            "event": event,
            "clip": clip,
            "times": times_of(event, clip),
            "encoder": sidecar.encoder if encoder is None else encoder,
            "latency": latency_of(event, clip),
        }
    )


def times_of(event: wire.Event, clip: wire.Clip) -> Times:
    delivered = clip.delivered
    return Times(
        triggered_at=rfc3339(event.triggered_unix_ns),
        requested_from=rfc3339(clip.requested.from_unix_ns),
        requested_to=rfc3339(clip.requested.to_unix_ns),
        delivered_from=rfc3339(delivered.from_unix_ns) if delivered else None,
        delivered_to=rfc3339(delivered.to_unix_ns) if delivered else None,
    )


def latency_of(event: wire.Event, clip: wire.Clip) -> Latency:
    return Latency(
        accepted_after_s=event.accepted_after_s,
        saved_after_s=clip.saved_after_s,
        ready_after_s=clip.ready_after_s,
    )


def without_sidecar(clip: wire.Clip) -> wire.Clip:
    return clip_life.with_files(clip, {kind: fact for kind, fact in clip.files.items() if kind != "sidecar"})


def rfc3339(unix_ns: int) -> str:
    """UTC with microseconds: `2026-03-01T12:00:00.000000Z`."""
    whole_s, rest_ns = divmod(unix_ns, NS_PER_S)
    text = datetime.fromtimestamp(whole_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest_ns // NS_PER_US:06d}Z"
