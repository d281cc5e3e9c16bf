"""Events and their files."""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from preroll import wire
from services.api import moments, problems, schemas
from services.api.parts import FromParts, Parts

router = APIRouter(prefix="/events", tags=["events"])

_KINDS: dict[str, tuple[wire.FileKind, str]] = {
    ".original.mp4": ("original", "video/mp4"),
    ".mp4": ("clip", "video/mp4"),
    ".jpg": ("poster", "image/jpeg"),
    ".json": ("sidecar", "application/json"),
}
MomentText = Annotated[str, Query(max_length=64)]


@router.get("", summary="Events, newest first", responses=problems.responses(400, 422, 503))
async def list_events(
    parts: FromParts,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=256, description="`next_cursor` of the page before")] = None,
    camera: Annotated[str | None, Query(pattern=wire.CAMERA_ID_PATTERN)] = None,
    label: Annotated[str | None, Query(max_length=513, description="`key`, or `key=value`")] = None,
    since: Annotated[str | None, Query(max_length=64, description="RFC 3339 or Unix seconds")] = None,
    until: Annotated[str | None, Query(max_length=64, description="RFC 3339 or Unix seconds")] = None,
) -> schemas.Events:
    page = await parts.recorder.list_events(
        wire.ListEvents(
            limit=limit,
            cursor=cursor,
            camera_id=camera,
            label=label,
            since_unix_ns=_moment("since", since),
            until_unix_ns=_moment("until", until),
        )
    )
    return schemas.Events(events=[schemas.event_json(event) for event in page.events], next_cursor=page.next_cursor)


@router.get("/{event_id}", summary="One event", responses=problems.responses(404, 503))
async def get_event(parts: FromParts, event_id: str) -> schemas.Event:
    return schemas.event_json(await _event(parts, event_id))


@router.patch(
    "/{event_id}", summary="Move the end of a running event", responses=problems.responses(404, 409, 422, 503)
)
async def amend_event(parts: FromParts, event_id: str, amendment: schemas.Amendment) -> schemas.Event:
    _check_id(event_id)
    reply = await parts.recorder.event(wire.AmendEvent(event_id=event_id, post_s=amendment.post_s))
    return schemas.event_json(reply.event)


@router.delete(
    "/{event_id}",
    status_code=204,
    response_class=Response,
    summary="Remove an event and its files",
    responses=problems.responses(404, 409, 503),
)
async def delete_event(parts: FromParts, event_id: str) -> Response:
    _check_id(event_id)
    await parts.recorder.command(wire.DeleteEvent(event_id=event_id))
    return Response(status_code=204)


@router.put(
    "/{event_id}/protection", summary="Keep an event from retention", responses=problems.responses(404, 422, 503)
)
async def protect_event(parts: FromParts, event_id: str, protection: schemas.Protection) -> schemas.Event:
    _check_id(event_id)
    reply = await parts.recorder.event(wire.ProtectEvent(event_id=event_id, is_protected=protection.protected))
    return schemas.event_json(reply.event)


@router.api_route(
    "/{event_id}/clips/{file_name}",
    methods=["GET", "HEAD"],
    response_class=FileResponse,
    summary="A file of a clip",
    description=(
        "`<camera_id>.mp4` is the clip (409 with its state before it is ready), `.original.mp4` what the camera sent "
        "(while it is kept), `.jpg` the trigger frame, `.json` the sidecar. Ranges are served."
    ),
    responses=problems.responses(404, 409, 503),
)
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
    path = _safe_path(parts.settings.clips_dir, fact.path)
    headers = {"Cache-Control": "private, no-cache"}
    if fact.sha256 is not None:
        headers["ETag"] = f'"{fact.sha256}"'
    name = f"{event_id}-{file_name}" if download == "1" else None
    return FileResponse(path, media_type=media_type, headers=headers, filename=name)


async def _event(parts: Parts, event_id: str) -> wire.Event:
    _check_id(event_id)
    return await parts.recorder.get_event(event_id)


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


def _safe_path(root: Path, relative: str) -> Path:
    """The file under the clips directory; never one outside, whatever the record or a link says."""
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise problems.Problem(404, "no_file", f"{relative} is not there")
    return path
