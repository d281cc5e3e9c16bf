"""The stream of what all services say (SSE), and its memory."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from preroll import wire
from services.api import moments, problems, schemas
from services.api.memory import CHUNK_BYTES, Entry, Filter
from services.api.parts import FromParts
from services.api.stream import Replay
from services.api.streaming import BoundedStream

router = APIRouter(prefix="/logs", tags=["logs"])

ServiceName = Annotated[wire.Service | None, Query()]
CameraName = Annotated[str | None, Query(max_length=63)]
EventName = Annotated[str | None, Query(max_length=64)]
LevelName = Annotated[wire.Level | None, Query(description="This one and graver ones")]
PartOfMessage = Annotated[str | None, Query(max_length=200)]


@router.get(
    "",
    response_class=Response,
    summary="Everything that is said, as it is said (SSE)",
    description=(
        "Events: `log` (a record), `event`, `event_deleted`, `camera`, `status`; `dropped` when this client was too slow, "
        "`reset` when Last-Event-ID is not of this life of the API. Filters choose among log records."
    ),
    responses={200: {"content": {"text/event-stream": {}}}, **problems.responses(422, 503)},
)
async def follow_logs(
    parts: FromParts,
    service: ServiceName = None,
    camera: CameraName = None,
    event: EventName = None,
    level: LevelName = None,
    text: PartOfMessage = None,
    replay: Annotated[Replay, Query(description="none: only what comes from now on")] = "all",
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    parts.stream.seats.check()
    wanted = Filter(service, camera, event, level, text)
    chunks = parts.stream.follow(wanted, last_event_id, replay, lambda: parts.shutdown.requested)
    return BoundedStream(chunks, "text/event-stream", parts.stream.seats, headers={"X-Accel-Buffering": "no"})


@router.get(
    "/history",
    response_model=schemas.LogHistory,
    summary="The log records that are remembered",
    responses=problems.responses(422, 503),
)
async def log_history(
    parts: FromParts,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    service: ServiceName = None,
    camera: CameraName = None,
    event: EventName = None,
    level: LevelName = None,
    text: PartOfMessage = None,
    since: Annotated[moments.MomentText | None, Query(description="RFC 3339 or Unix seconds")] = None,
    until: Annotated[moments.MomentText | None, Query(description="RFC 3339 or Unix seconds")] = None,
) -> Response:
    try:
        since_ns = 0 if since is None else moments.parse(since)
        until_ns = wire.INT63_MAX if until is None else moments.parse(until)
    except ValueError as err:
        raise problems.Problem(422, "invalid", str(err)) from err
    wanted = Filter(service, camera, event, level, text)
    entries = await parts.stream.history(wanted, -(-since_ns // 1000), until_ns // 1000, limit)
    if sum(len(entry.sse) for entry in entries) <= CHUNK_BYTES:
        return Response(b"".join(_document(entries)), media_type="application/json")

    async def sent() -> AsyncIterator[bytes]:
        for piece in _document(entries):
            yield piece

    return BoundedStream(sent(), "application/json", parts.lists)


def _document(entries: list[Entry]) -> Iterator[bytes]:
    """The answer, from the bytes that the records were made into when they came."""
    gathered: list[bytes | memoryview] = [b'{"records":[']
    size_bytes = 0
    for number, entry in enumerate(entries):
        gathered += (b"," if number else b"", entry.document)
        size_bytes += len(entry.sse)
        if size_bytes >= CHUNK_BYTES:
            yield b"".join(gathered)
            gathered, size_bytes = [], 0
    yield b"".join((*gathered, b"]}"))
