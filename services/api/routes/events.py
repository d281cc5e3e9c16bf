"""Events and their files."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from preroll import wire
from services.api import archive, moments, problems, schemas
from services.api.clip_files import FileAnswer, OutsideClips, etag_of, open_under
from services.api.event_pages import EventPages, document, whole
from services.api.memory import CHUNK_BYTES
from services.api.parts import FromParts, Parts
from services.api.recorder_client import new_command_id
from services.api.streaming import BoundedStream

router = APIRouter(prefix="/events", tags=["events"])

_KINDS: dict[str, tuple[wire.FileKind, str]] = {
    ".original.mp4": ("original", "video/mp4"),
    ".mp4": ("clip", "video/mp4"),
    ".jpg": ("poster", "image/jpeg"),
    ".json": ("sidecar", "application/json"),
}


@router.get(
    "",
    response_model=schemas.Events,
    summary="Events, newest first",
    description="A page may have fewer events than `limit`: the end is where `next_cursor` is null.",
    responses=problems.responses(400, 422, 503),
)
async def list_events(
    parts: FromParts,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=256, description="`next_cursor` of the page before")] = None,
    camera: Annotated[str | None, Query(pattern=wire.CAMERA_ID_PATTERN)] = None,
    label: Annotated[str | None, Query(max_length=513, description="`key`, or `key=value`")] = None,
    since: Annotated[moments.MomentText | None, Query(description="RFC 3339 or Unix seconds")] = None,
    until: Annotated[moments.MomentText | None, Query(description="RFC 3339 or Unix seconds")] = None,
) -> Response:
    query = wire.ListEvents(
        limit=limit,
        cursor=cursor,
        camera_id=camera,
        label=label,
        since_unix_ns=_moment("since", since),
        until_unix_ns=_moment("until", until),
    )
    pages = EventPages(parts.recorder, parts.converting, query)
    first = await pages.take()  # what is wrong with the request shows before the answer begins
    if pages.is_done and sum(map(len, first)) <= CHUNK_BYTES:
        return Response(whole(first, pages.cursor), media_type="application/json")
    return BoundedStream(document(first, pages, lambda: parts.shutdown.requested), "application/json", parts.lists)


@router.get("/{event_id}", response_model=schemas.Event, summary="One event", responses=problems.responses(404, 503))
async def get_event(parts: FromParts, event_id: str) -> Response:
    return _json(await _event(parts, event_id))


@router.patch(
    "/{event_id}",
    response_model=schemas.Event,
    summary="Move the end of a running event",
    description=(
        "A later end is that of all clips, or refused (409, `wrong_state`) with nothing changed: when the window of a clip is "
        "over and the clip is being saved. An end that has passed means now. The same command twice does no harm."
    ),
    responses=problems.responses(400, 404, 409, 413, 422, 503),
)
async def amend_event(parts: FromParts, event_id: str, amendment: schemas.Amendment) -> Response:
    _check_id(event_id)
    reply = await parts.recorder.event(
        wire.AmendEvent(event_id=event_id, post_s=amendment.post_s, command_id=new_command_id())
    )
    return _json(reply.event)


@router.delete(
    "/{event_id}",
    status_code=204,
    response_class=Response,
    summary="Remove an event and its files",
    responses=problems.responses(404, 409, 503),
)
async def delete_event(parts: FromParts, event_id: str) -> Response:
    _check_id(event_id)
    await parts.recorder.command(wire.DeleteEvent(event_id=event_id, command_id=new_command_id()))
    return Response(status_code=204)


@router.put(
    "/{event_id}/protection",
    response_model=schemas.Event,
    summary="Keep an event from retention",
    responses=problems.responses(400, 404, 413, 422, 503),
)
async def protect_event(parts: FromParts, event_id: str, protection: schemas.Protection) -> Response:
    _check_id(event_id)
    reply = await parts.recorder.event(
        wire.ProtectEvent(event_id=event_id, is_protected=protection.protected, command_id=new_command_id())
    )
    return _json(reply.event)


_FILE: dict[str, Any] = {
    "response_class": Response,
    "summary": "A file of a clip",
    "description": (
        "`<camera_id>.mp4` is the clip (409 with its state before it is ready), `.original.mp4` what the camera sent "
        "(while it is kept), `.jpg` the trigger frame, `.json` the sidecar. Ranges are served."
    ),
    "responses": {
        200: {"content": {media: {} for _, media in _KINDS.values()}},
        206: {"description": "The asked ranges"},
        304: {"description": "The client has it already"},
        **problems.responses(404, 409, 416, 422, 503),
    },
}


@router.get("/{event_id}/clips/{file_name}", **_FILE)
@router.head("/{event_id}/clips/{file_name}", include_in_schema=False)
async def get_file(
    parts: FromParts,
    event_id: str,
    file_name: str,
    download: Annotated[Literal["0", "1"], Query(description="1: as an attachment")] = "0",
) -> Response:
    event = await _event(parts, event_id)
    clip, kind, media_type = _named(event, file_name)
    fact = clip.files.get(kind)
    if fact is None:
        if clip.state in ("scheduled", "recording", "saved") and kind != "original":
            raise problems.Problem(409, "not_ready", f"the {kind} of {clip.camera_id} is not there yet", clip.state)
        if clip.state in ("scheduled", "recording"):
            raise problems.Problem(409, "not_ready", f"{clip.camera_id} is being recorded", clip.state)
        raise problems.Problem(404, "no_file", f"event {event_id} has no {kind} of {clip.camera_id}", clip.state)
    try:
        file = await asyncio.to_thread(open_under, parts.settings.clips_dir, fact.path)
    except (FileNotFoundError, OutsideClips) as err:
        raise problems.Problem(404, "no_file", f"{fact.path} is not there") from err
    except OSError as err:
        detail = f"{fact.path} cannot be opened now: {err.strerror}"
        raise problems.Problem(503, "file_unavailable", detail, headers={"Retry-After": "1"}) from err
    disposition = "attachment" if download == "1" else "inline"
    return FileAnswer(file, media_type, etag_of(fact.sha256, file), f'{disposition}; filename="{event_id}-{file_name}"')


@router.get(
    "/{event_id}/archive.zip",
    response_class=Response,
    summary="All files of an event as one ZIP, made while it is sent",
    responses={200: {"content": {"application/zip": {}}}, **problems.responses(404, 409, 503)},
)
async def get_archive(parts: FromParts, event_id: str) -> Response:
    parts.archives.check()
    event = await _event(parts, event_id)
    if not any(clip.files for clip in event.clips):
        status, code = (404, "no_file") if event.state in ("ready", "failed") else (409, "not_ready")
        raise problems.Problem(status, code, f"event {event_id} is {event.state} and has no files", event.state)
    described = schemas.event_json(event).model_dump_json(by_alias=True, indent=2).encode()
    chunks = archive.chunks_of(parts.settings.clips_dir, event, described)

    async def sent() -> AsyncIterator[bytes]:
        while not parts.shutdown.requested and (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    named = {"Content-Disposition": f'attachment; filename="{event_id}.zip"'}
    return BoundedStream(sent(), "application/zip", parts.archives, headers=named)


async def _event(parts: Parts, event_id: str) -> wire.Event:
    _check_id(event_id)
    return await parts.recorder.get_event(event_id)


def _json(event: wire.Event) -> Response:
    return Response(schemas.event_document(event), media_type="application/json")


def _check_id(event_id: str) -> None:
    if not wire.is_event_id(event_id):
        raise problems.Problem(404, "unknown_event", f"event {event_id[:80]!r} cannot exist: that is no event id")


def _moment(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else moments.parse(text)
    except ValueError as err:
        raise problems.Problem(422, "invalid", f"{name}: {err}") from err


def _named(event: wire.Event, file_name: str) -> tuple[wire.Clip, wire.FileKind, str]:
    for suffix, (kind, media_type) in _KINDS.items():
        camera_id = file_name.removesuffix(suffix)
        if camera_id != file_name:
            for clip in event.clips:
                if clip.camera_id == camera_id:
                    return clip, kind, media_type
    raise problems.Problem(404, "no_file", f"event {event.event_id} has no file {file_name[:80]!r}")
