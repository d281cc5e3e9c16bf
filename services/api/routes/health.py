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
    description=(
        "Asks the recorder what a trigger with its defaults would meet at this moment, and records nothing. "
        "`missing` says what is in the way, in words that name no camera."
    ),
    responses={503: {"model": schemas.Readiness, "description": "It would not, and why"}},
)
async def readyz(parts: FromParts, response: Response) -> schemas.Readiness:
    readiness = await parts.readiness.ask()
    response.status_code = 200 if readiness.ready else 503
    return readiness


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
