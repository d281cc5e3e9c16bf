"""Figures for Prometheus."""

from fastapi import APIRouter, Response

from services.api import metrics
from services.api.parts import FromParts

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    summary="Figures for Prometheus (text format 0.0.4)",
    description="The viewing key is enough, as `Authorization: Bearer`. While the recorder is away, its figures are.",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "All figures"}},
)
async def get_metrics(parts: FromParts) -> Response:
    return Response(
        await metrics.exposition(parts), media_type=metrics.MEDIA_TYPE, headers={"Cache-Control": "no-store"}
    )
