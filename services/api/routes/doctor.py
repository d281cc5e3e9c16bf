"""`GET /doctor`: what is wrong, and what to do about it."""

import asyncio

from fastapi import APIRouter

from preroll import wire
from preroll.addresses import is_loopback
from preroll.clock import Instant
from preroll.linux import descriptors
from services.api import diagnosis, problems, schemas
from services.api.moments import to_rfc3339
from services.api.parts import FromParts, Parts
from services.api.problems import Problem

router = APIRouter(tags=["health"])


@router.get(
    "/doctor",
    summary="What is wrong, and what to do about it",
    description=(
        "Looks at the clocks, the disk, descriptors, memory, cameras, keys, events and the encoder. `state` is that of "
        "the worst finding. A subject of which nothing is known, the recorder being away, is left out."
    ),
    responses=problems.responses(401),
)
async def doctor(parts: FromParts) -> schemas.Diagnosis:
    facts = await _facts(parts)
    findings = diagnosis.diagnose(facts)
    return schemas.Diagnosis(
        state=diagnosis.worst(findings),
        asked_at=to_rfc3339(facts.now.unix_ns),
        findings=[
            schemas.Finding(subject=found.subject, state=found.state, said=found.said, advice=found.advice)
            for found in findings
        ],
    )


async def _facts(parts: Parts) -> diagnosis.Facts:
    settings = parts.settings
    readiness, (health, cameras), exposed = await asyncio.gather(
        parts.readiness.ask(), _recorder(parts), asyncio.to_thread(_exposed_files, parts)
    )
    now = Instant.now(parts.clock, parts.boot_id)
    has_key = settings.operate_secret is not None
    return diagnosis.Facts(
        now=wire.InstantRecord(boot_id=now.boot_id, monotonic_ns=now.monotonic_ns, unix_ns=now.unix_ns),
        missing=readiness.missing,
        recorder=health,
        cameras=cameras,
        descriptors_limit=descriptors.limit(),
        descriptors_in_use=descriptors.in_use(),
        is_anybodys=not has_key and not is_loopback(settings.published_on or settings.host),
        has_key=has_key,
        has_curve=settings.keys_dir is not None,
        exposed_files=exposed,
    )


async def _recorder(parts: Parts) -> tuple[wire.RecorderHealth | None, tuple[wire.Camera, ...]]:
    try:
        return await parts.recorder.health(), await parts.recorder.cameras()
    except Problem:
        return None, ()


def _exposed_files(parts: Parts) -> list[str]:
    try:
        keys = parts.settings.load_keys()
    except (OSError, ValueError):
        return []
    return [] if keys is None else keys.exposed()
