"""`POST /trigger`."""

import hashlib
import json
import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from pydantic import ValidationError

from preroll import wire
from services.api import moments, problems, schemas
from services.api.parts import FromParts
from services.api.receipt import Received

router = APIRouter(tags=["events"])

BODY_MAX_BYTES: Final = 64 * 1024


@router.post(
    "/trigger",
    status_code=202,
    response_model=schemas.Event,
    summary="Record an event",
    description=(
        "Every field is optional, and an empty body of any content type is a trigger with the recorder's defaults. "
        "Answers once the event is durably accepted. The same `event_id` with the same body again answers 200 with the "
        "same event and records nothing more."
    ),
    responses={
        200: {"model": schemas.Event, "description": "The event exists already, by the same request"},
        **problems.responses(400, 404, 409, 413, 422, 429, 503, 507),
    },
    openapi_extra={
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {
                    "schema": schemas.Trigger.model_json_schema(ref_template="#/components/schemas/{model}")
                }
            },
        }
    },
)
async def trigger(
    request: Request,
    parts: FromParts,
    received: Received,
    idempotency_key: Annotated[str | None, Header(description="The same as `event_id`")] = None,
) -> Response:
    wanted = await _read(request)
    event_id = _event_id(wanted.event_id, idempotency_key) or _new_event_id(received.unix_ns)
    if wanted.at is not None and wanted.at_frame is not None:
        raise problems.Problem(422, "invalid", "at and at_frame are both given: a trigger has one moment")
    offset_ns = 0 if wanted.at is None else moments.parse(wanted.at) - received.unix_ns
    reply = await parts.recorder.event(
        wire.StartEvent(
            event_id=event_id,
            fingerprint=fingerprint(wanted),
            received=received,
            age_ns=max(0, parts.clock.monotonic_ns() - received.monotonic_ns),
            offset_ns=offset_ns,
            at_frame=wire.FrameRef(**wanted.at_frame.model_dump()) if wanted.at_frame else None,
            cameras=tuple(wanted.cameras) if wanted.cameras is not None else None,
            pre_s=wanted.pre_s,
            post_s=wanted.post_s,
            labels=wanted.labels,
            overlap=wanted.overlap,
        )
    )
    # Asked twice by ourselves, the first answer being late, the recorder knows the event; the caller's request is new.
    is_new = reply.is_new or reply.event.received_unix_ns == received.unix_ns
    document = schemas.event_document(reply.event)
    return Response(document, status_code=202 if is_new else 200, media_type="application/json")


def fingerprint(wanted: schemas.Trigger) -> str:
    """A digest of what is asked for, without the event's id: equal for requests that mean the same."""
    meant = wanted.model_dump(exclude={"event_id"}, exclude_none=True)
    if wanted.at is not None:
        meant["at"] = moments.parse(wanted.at)
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()


async def _read(request: Request) -> schemas.Trigger:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            raise problems.Problem(413, "too_large", f"a body of more than {BODY_MAX_BYTES} bytes")
    if not body.strip():
        return schemas.Trigger.model_validate({})
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise problems.Problem(400, "malformed", f"the body is not JSON: {err}"[:300]) from err
    try:
        return schemas.Trigger.model_validate(document)
    except ValidationError as err:
        raise problems.invalid(err.errors(include_url=False, include_context=False)) from err


def _event_id(in_body: str | None, in_header: str | None) -> str | None:
    if in_header is None:
        return in_body
    if in_body is not None and in_body != in_header:
        raise problems.Problem(422, "invalid", f"event_id={in_body!r} and Idempotency-Key={in_header[:80]!r} differ")
    try:
        return schemas.Trigger.model_validate({"event_id": in_header}).event_id
    except ValidationError as err:
        rule = "1 to 64 characters of A-Z, a-z, 0-9, _ and -, not beginning with the last two"
        raise problems.Problem(422, "invalid", f"Idempotency-Key={in_header[:80]!r}: {rule}") from err


def _new_event_id(unix_ns: int) -> str:
    """An id that sorts by time and says it: `20260301T120000-5f2a9c41`."""
    moment = moments.to_rfc3339(unix_ns)
    return f"{moment[:19].replace('-', '').replace(':', '')}-{secrets.token_hex(4)}"
