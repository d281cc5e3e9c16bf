"""Whether the process lives, whether the system could record, and its figures."""

from fastapi import APIRouter, Response

from services.api import problems, schemas
from services.api.parts import FromParts
from services.api.problems import Problem

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="The API's process is alive")
async def healthz() -> schemas.Alive:
    return schemas.Alive()


@router.get(
    "/readyz",
    summary="A trigger now would be recorded",
    responses={503: {"model": schemas.Readiness, "description": "Not yet, and what is missing"}},
)
async def readyz(parts: FromParts, response: Response) -> schemas.Readiness:
    missing: list[str] = []
    live = 0
    try:
        cameras = await parts.recorder.cameras()
    except Problem as err:
        missing.append(str(err))
    else:
        live = sum(camera.state == "live" for camera in cameras)
        if live == 0:
            missing.append("no camera is live")
    response.status_code = 503 if missing else 200
    return schemas.Readiness(ready=not missing, cameras_live=live, missing=missing)


@router.get("/status", summary="Figures of the recorder and the API", responses=problems.responses(401))
async def status(parts: FromParts) -> schemas.Status:
    try:
        health = await parts.recorder.health()
    except Problem:
        health = None
    return schemas.Status(
        recorder=health,
        log_clients=parts.stream.seats.taken,
        live_clients=parts.live.seats.taken,
        bus_received=parts.bus.received,
        bus_lost=parts.bus.lost,
        bus_malformed=parts.bus.malformed,
        bus_refused=parts.bus.refused,
        peers_refused=parts.bus.peers_refused,
    )
