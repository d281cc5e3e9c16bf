"""Cameras: what they are, what they see, what their rings hold."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from preroll import wire
from services.api import moments, problems, schemas
from services.api.live import BOUNDARY
from services.api.parts import FromParts
from services.api.receipt import Received
from services.api.recorder_client import new_command_id
from services.api.streaming import BoundedStream

router = APIRouter(prefix="/cameras", tags=["cameras"])

CameraId = Annotated[str, Path(pattern=wire.CAMERA_ID_PATTERN)]
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Preroll-Run-Id": ("With Seq, the frame's name: the run of its capture", {"type": "string"}),
    "X-Preroll-Seq": ("Its number in that run", {"type": "integer", "minimum": 0}),
    "X-Preroll-Time": ("When it was captured", {"type": "string", "format": "date-time"}),
    "X-Preroll-Oldest": ("The oldest frame in memory", {"type": "string", "format": "date-time"}),
    "X-Preroll-Newest": ("The newest", {"type": "string", "format": "date-time"}),
}
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/jpeg": {}},
        "description": "A JPEG, as the camera sent it",
        "headers": {
            name: {"description": said, "required": True, "schema": schema} for name, (said, schema) in _HEADERS.items()
        },
    }
}


@router.get("", summary="All cameras", responses=problems.responses(503))
async def list_cameras(parts: FromParts) -> list[schemas.Camera]:
    return [parts.bus.camera_json(camera) for camera in await parts.recorder.cameras()]


@router.get(
    "/{camera_id}/snapshot.jpg",
    response_class=Response,
    summary="The newest frame",
    responses={**_JPEG, **problems.responses(404, 503)},
)
async def snapshot(parts: FromParts, camera_id: CameraId) -> Response:
    return _picture(await parts.recorder.frame(wire.GetFrame(camera_id=camera_id)))


@router.get(
    "/{camera_id}/frames",
    response_class=Response,
    summary="A frame out of the ring",
    description=(
        "The frame nearest to `at`, or the one `steps` frames from the frame `run_id` and `seq`, or the newest. Headers "
        "name it: X-Preroll-Run-Id, X-Preroll-Seq, X-Preroll-Time; X-Preroll-Oldest and -Newest are the ring's ends."
    ),
    responses={**_JPEG, **problems.responses(404, 422, 503)},
)
async def get_frame(
    parts: FromParts,
    received: Received,
    camera_id: CameraId,
    at: Annotated[moments.MomentText | None, Query(description="RFC 3339 or Unix seconds")] = None,
    run_id: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    seq: Annotated[int | None, Query(ge=0, le=wire.INT63_MAX)] = None,
    steps: Annotated[int, Query(ge=-100_000, le=100_000)] = 0,
) -> Response:
    if (run_id is None) != (seq is None) or (at is not None and run_id is not None):
        raise problems.Problem(422, "invalid", "a frame is named by at, or by run_id and seq together")
    try:
        at_ns = None if at is None else moments.parse(at)
    except ValueError as err:
        raise problems.Problem(422, "invalid", f"at: {err}") from err
    query = wire.GetFrame(
        camera_id=camera_id,
        at=received,
        age_ns=max(0, parts.clock.monotonic_ns() - received.monotonic_ns),
        offset_ns=0 if at_ns is None else at_ns - received.unix_ns,
        ref=None if run_id is None or seq is None else wire.FrameRef(camera_id=camera_id, run_id=run_id, seq=seq),
        steps=steps,
    )
    return _picture(await parts.recorder.frame(query))


@router.get(
    "/{camera_id}/live",
    response_class=Response,
    summary="Live pictures (MJPEG)",
    responses={200: {"content": {"multipart/x-mixed-replace": {}}}, **problems.responses(404, 503)},
)
async def live(parts: FromParts, camera_id: CameraId) -> Response:
    parts.live.seats.check()
    await parts.recorder.frame(wire.GetFrame(camera_id=camera_id))  # an unknown camera is refused, not waited for
    return BoundedStream(
        parts.live.follow(camera_id, lambda: parts.shutdown.requested),
        f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        parts.live.seats,
    )


@router.delete(
    "/{camera_id}",
    status_code=204,
    response_class=Response,
    summary="Forget a camera that is gone",
    responses=problems.responses(404, 409, 503),
)
async def forget_camera(parts: FromParts, camera_id: CameraId) -> Response:
    await parts.recorder.command(wire.ForgetCamera(camera_id=camera_id, command_id=new_command_id()))
    parts.bus.forget_camera(camera_id)
    return Response(status_code=204)


def _picture(frame: wire.FrameReply) -> Response:
    return Response(
        frame.jpeg,
        media_type="image/jpeg",
        headers={
            "Cache-Control": "no-store",
            "X-Preroll-Run-Id": quote(frame.ref.run_id, safe=":"),  # a recorder of before may have let in any text
            "X-Preroll-Seq": str(frame.ref.seq),
            "X-Preroll-Time": moments.to_rfc3339(frame.unix_ns),
            "X-Preroll-Oldest": moments.to_rfc3339(frame.oldest_unix_ns),
            "X-Preroll-Newest": moments.to_rfc3339(frame.newest_unix_ns),
        },
    )
