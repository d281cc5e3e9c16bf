"""Examples for the OpenAPI document, made by the models themselves, so that they cannot disagree with them."""

from typing import Any, Final

from pydantic import BaseModel

from preroll import wire
from services.api import schemas

Json = Any
_S: Final = 1_000_000_000
_TRIGGERED_NS: Final = 1_772_366_400 * _S + 250_000_000  # 2026-03-01T12:00:00.25Z
_EVENT_ID: Final = "line4-20260301-0017"
_FOLDER: Final = f"2026-03-01/{_EVENT_ID}"
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def _event(state: wire.ClipState) -> wire.Event:
    is_ready = state == "ready"
    begin_ns, end_ns = _TRIGGERED_NS - 5 * _S, _TRIGGERED_NS + 10 * _S
    files: dict[wire.FileKind, wire.FileFact] = {
        "clip": wire.FileFact(path=f"{_FOLDER}/cam1.mp4", size_bytes=1_342_304, sha256=_SHA256),
        "poster": wire.FileFact(path=f"{_FOLDER}/cam1.jpg", size_bytes=37_719, sha256=_SHA256),
        "sidecar": wire.FileFact(path=f"{_FOLDER}/cam1.json", size_bytes=9_605, sha256=_SHA256),
    }
    clip = wire.Clip(
        camera_id="cam1",
        state=state,
        coverage="full",
        missing_s=0.0,
        complete=True if is_ready else None,
        shortfall=(),
        requested=wire.Span(from_unix_ns=begin_ns, to_unix_ns=end_ns),
        delivered=wire.Delivered(from_unix_ns=begin_ns + 7_000_000, to_unix_ns=end_ns - 9_000_000, frames=450, lost=0)
        if is_ready
        else None,
        files=files if is_ready else {},
        saved_after_s=0.016 if is_ready else None,
        ready_after_s=2.548 if is_ready else None,
    )
    return wire.Event(
        event_id=_EVENT_ID,
        state=state,
        triggered_unix_ns=_TRIGGERED_NS,
        received_unix_ns=_TRIGGERED_NS,
        pre_s=5.0,
        post_s=10.0,
        labels={"line": "4", "reason": "e-stop"},
        is_protected=False,
        fingerprint="-",
        accepted_after_s=0.006,
        clips=(clip,),
    )


def _json(model: BaseModel) -> Json:
    return model.model_dump(mode="json", by_alias=True)


_CAMERA: Final = schemas.Camera(
    camera_id="cam1",
    state="live",
    width=1280,
    height=720,
    fps=30.0,
    frames=53_940,
    ring_s=30.0,
    ring_frames=900,
    ring_bytes=88_200_000,
    wanted_s=5.0,
    age_s=0.021,
    losses=wire.Losses(),
    run_id="9f2c4e8a1b3d5f70",
    source="rtsp://192.0.2.10/stream1",
    is_open=True,
    reopened=0,
)
_HEALTH: Final = wire.RecorderHealth(
    run_id="5d1e0b7c9a2f4638",
    uptime_s=1798.2,
    memory_bytes=181_000_000,
    ring_bytes=88_200_000,
    ring_max_bytes=1_073_741_824,
    backlog_bytes=0,
    backlog_max_bytes=256_000_000,
    ring_window_s=30.0,
    events_active=1,
    events_total=42,
    clips_recording=1,
    encodes_waiting=0,
    encodes_running=0,
    encoder="libx264",
    disk=wire.Disk(total_bytes=512_000_000_000, free_bytes=350_000_000_000, clips_bytes=61_000_000_000, is_full=False),
    malformed_messages=0,
    commands=43,
    commands_refused=1,
    bus_dropped=0,
    descriptors_limit=65_536,
    descriptors_in_use=61,
    retention=wire.Retention(running_s=2_599_200.0, held_s=0.0, wall_steps=0, last_step_s=None, overdue_events=0),
)
_RECORD: Final = schemas.LogRecord(
    time="2026-03-01T12:00:10.271004Z",
    service="recorder",
    instance="press-pc",
    camera_id="cam1",
    event_id=_EVENT_ID,
    level="INFO",
    message="clip saved",
    fields={"camera_id": "cam1", "event_id": _EVENT_ID, "frames": 450},
)
_STATUS: Final = schemas.Status(
    recorder=_HEALTH, log_clients=2, live_clients=1, bus_received=5_120, bus_lost=0, bus_malformed=0, peers_refused=0
)
_DIAGNOSIS: Final = schemas.Diagnosis(
    state="warning",
    asked_at="2026-03-01T12:00:00.000000Z",
    findings=[
        schemas.Finding(subject="trigger", state="ok", said="a trigger now would be recorded", advice=None),
        schemas.Finding(
            subject="clock",
            state="warning",
            said="the clock was set once while the recorder ran, last by +3600 s",
            advice="find out what sets it; events before and after are dated by different clocks",
        ),
    ],
)
_RECORDING: Final = _json(schemas.event_json(_event("recording")))
_READY: Final = _json(schemas.event_json(_event("ready")))

BODIES: Final[dict[str, Json]] = {
    "POST /trigger": {"event_id": _EVENT_ID, "pre_s": 5, "post_s": 10, "labels": {"line": "4", "reason": "e-stop"}},
    "PATCH /events/{event_id}": {"post_s": 30},
    "PUT /events/{event_id}/protection": {"protected": True},
    "POST /session": {"key": "correct-horse-battery-staple"},
}

RESPONSES: Final[dict[tuple[str, str], Json]] = {
    ("POST /trigger", "202"): _RECORDING,
    ("POST /trigger", "200"): _READY,
    ("GET /events", "200"): _json(
        schemas.Events(events=[schemas.event_json(_event("ready"))], next_cursor="1772366400250000000.line4")
    ),
    ("GET /events/{event_id}", "200"): _READY,
    ("PATCH /events/{event_id}", "200"): {**_RECORDING, "post_s": 30.0},
    ("PUT /events/{event_id}/protection", "200"): {**_READY, "protected": True},
    ("GET /cameras", "200"): [_json(_CAMERA)],
    ("GET /logs", "200"): f"retry: 1000\n\nid: 5f2a9c41-17\nevent: log\ndata: {_RECORD.model_dump_json()}\n\n",
    ("GET /logs/history", "200"): _json(schemas.LogHistory(records=[_RECORD])),
    ("GET /healthz", "200"): _json(schemas.Alive()),
    ("GET /readyz", "200"): _json(schemas.Readiness(ready=True, cameras_live=2, missing=[])),
    ("GET /readyz", "503"): _json(schemas.Readiness(ready=False, cameras_live=0, missing=["no camera is live"])),
    ("GET /doctor", "200"): _json(_DIAGNOSIS),
    ("GET /status", "200"): _json(_STATUS),
    ("GET /metrics", "200"): (
        "# HELP preroll_camera_ring_seconds How much of the past is in memory.\n"
        "# TYPE preroll_camera_ring_seconds gauge\n"
        'preroll_camera_ring_seconds{camera="cam1"} 30.0\n'
    ),
    ("GET /session", "200"): _json(schemas.Session(role="look")),
    ("POST /session", "200"): _json(schemas.Session(role="operate")),
}

PARAMETERS: Final[dict[str, Json]] = {
    "event_id": _EVENT_ID,
    "camera_id": "cam1",
    "file_name": "cam1.mp4",
    "download": "1",
    "idempotency-key": _EVENT_ID,
    "limit": 20,
    "cursor": "1772366400250000000.line4",
    "camera": "cam1",
    "label": "line=4",
    "since": "2026-03-01T00:00:00Z",
    "until": "2026-03-02T00:00:00Z",
    "at": "2026-03-01T12:00:00.250Z",
    "run_id": "9f2c4e8a1b3d5f70",
    "seq": 1234,
    "steps": -1,
    "service": "recorder",
    "event": _EVENT_ID,
    "level": "WARNING",
    "text": "saved",
    "replay": "none",
    "last-event-id": "5f2a9c41-17",
}

PROBLEMS: Final[dict[str, Json]] = {
    status: {"title": title, "status": int(status), "code": code, "detail": detail, **more}
    for status, title, code, detail, more in (
        ("400", "Bad Request", "malformed", "the body is not JSON: Expecting value: line 1 column 1 (char 0)", {}),
        ("401", "Unauthorized", "unauthorised", "the key is wrong", {}),
        ("403", "Forbidden", "viewing_only", "the viewing key may not POST", {}),
        ("404", "Not Found", "unknown_camera", "camera cam9 is not known; known are cam1, cam2", {}),
        ("409", "Conflict", "not_ready", "the clip of cam1 is not there yet", {"state": "recording"}),
        ("413", "Content Too Large", "too_large", "a body of more than 65536 bytes", {}),
        ("416", "Range Not Satisfiable", "range_unsatisfiable", "'bytes=9000000-' of 1342304 bytes", {}),
        ("421", "Misdirected Request", "wrong_host", "Host 'example.com': without a key only addresses are served", {}),
        ("422", "Unprocessable Content", "window_out_of_bounds", "clip of 505 s exceeds max_clip_s=120", {}),
        ("429", "Too Many Requests", "too_many_events", "max_active_events=100 are being recorded", {}),
        ("500", "Internal Server Error", "internal", "the API failed; its log says why", {}),
        ("503", "Service Unavailable", "recorder_away", "the recorder did not answer within 2 s", {}),
        ("507", "Insufficient Storage", "storage_full", "less than min_free_mb=1000 is free", {}),
    )
}
