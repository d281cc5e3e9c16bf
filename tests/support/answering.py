"""Documents and answers of an API that does not exist, for tests of the command line."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from preroll.cli.documents import Camera, Clip, Event, File, LogRecord

Handler = Callable[[httpx.Request], httpx.Response]


def a_file(content: bytes, url: str, sha256: str | None) -> File:
    return {"url": url, "size_bytes": len(content), "sha256": sha256}


def a_clip(camera_id: str = "cam1", state: str = "ready", **other: Any) -> Clip:
    clip: Clip = {
        "camera_id": camera_id,
        "state": state,
        "complete": True if state == "ready" else None,
        "shortfall": [],
        "requested": {"from": "2026-03-01T11:59:55.000000Z", "to": "2026-03-01T12:00:10.000000Z"},
        "delivered": {
            "from": "2026-03-01T11:59:55.010000Z",
            "to": "2026-03-01T12:00:09.990000Z",
            "frames": 450,
            "lost": 0,
        },
        "files": {},
        "saved_after_s": 0.1,
        "ready_after_s": 2.0,
    }
    clip.update(other)  # type: ignore[typeddict-item]
    return clip


def an_event(event_id: str = "line4-0017", state: str = "ready", **other: Any) -> Event:
    event: Event = {
        "event_id": event_id,
        "state": state,
        "triggered_at": "2026-03-01T12:00:00.250000Z",
        "pre_s": 5.0,
        "post_s": 10.0,
        "labels": {"line": "4"},
        "protected": False,
        "accepted_after_s": 0.006,
        "clips": [a_clip(state=state)],
    }
    event.update(other)  # type: ignore[typeddict-item]
    return event


def a_camera(camera_id: str = "cam1", **other: Any) -> Camera:
    camera: Camera = {
        "camera_id": camera_id,
        "state": "live",
        "width": 1280,
        "height": 720,
        "fps": 29.97,
        "ring_s": 30.0,
        "wanted_s": 5.0,
        "age_s": 0.03,
        "losses": {"lost_on_wire": 0, "restarts": 1},
        "source": "synthetic:",
    }
    camera.update(other)  # type: ignore[typeddict-item]
    return camera


def a_record(message: str = "clip saved", **other: Any) -> LogRecord:
    record: LogRecord = {
        "time": "2026-03-01T12:00:10.123456Z",
        "service": "recorder",
        "instance": "recorder",
        "camera_id": "cam1",
        "event_id": "line4-0017",
        "level": "INFO",
        "message": message,
        "fields": {"camera_id": "cam1", "event_id": "line4-0017"},
    }
    record.update(other)  # type: ignore[typeddict-item]
    return record


def a_problem(status: int, code: str, detail: str) -> httpx.Response:
    body = {"type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


def answers(documents: dict[str, Any]) -> Handler:
    """Answers a GET of each path with its document; 404 for the rest."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path in documents:
            return httpx.Response(200, json=documents[request.url.path])
        return a_problem(404, "unknown_event", f"{request.url.path} is not known")

    return answer


def sse(number: int, kind: str, document: Any) -> bytes:
    return f"id: life-{number}\nevent: {kind}\ndata: {json.dumps(document)}\n\n".encode()


class Chunks(httpx.SyncByteStream):
    """A body in pieces; ends by `error` when there is one, as a connection that breaks."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error
