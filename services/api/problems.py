"""What a caller is told when something is not done: `application/problem+json` (RFC 9457), with what, which and the limit."""

import http
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from preroll import wire
from services.api.connections import ClientStalled

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = logging.getLogger(__name__)

STATUS_OF: Final[dict[wire.RefusalCode, int]] = {
    "malformed": 400,
    "unknown_camera": 404,
    "unknown_event": 404,
    "no_frame": 404,
    "window_out_of_bounds": 422,
    "out_of_reach": 422,
    "conflict": 409,
    "overlapping": 409,
    "wrong_state": 409,
    "too_many_commands": 429,
    "too_many_events": 429,
    "storage_full": 507,
    "index_unavailable": 503,
    "storage_failed": 503,
    "out_of_descriptors": 503,
    "out_of_threads": 503,
    "starting": 503,
    "shutting_down": 503,
    "busy": 503,
    "internal": 500,
}


class ProblemBody(BaseModel):
    """RFC 9457. `code` is for programs, `detail` for people."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["unknown_camera"])
    detail: str = Field(examples=["camera cam9 is not known; known are cam1, cam2"])
    state: wire.ClipState | None = Field(None, description="The state that prevents it, where there is one")


class Problem(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        state: wire.ClipState | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.body = ProblemBody(title=_title(status), status=status, code=code, detail=detail, state=state)
        self.headers = headers


def refused(refusal: wire.Refused) -> Problem:
    """The recorder's refusal, as the caller is told it."""
    headers = {"Retry-After": "1"} if STATUS_OF[refusal.code] in (429, 503) else None
    return Problem(STATUS_OF[refusal.code], refusal.code, refusal.message, refusal.state, headers)


def recorder_away(detail: str) -> Problem:
    return Problem(503, "recorder_away", detail, headers={"Retry-After": "1"})


def response_of(problem: Problem) -> Response:
    return JSONResponse(
        problem.body.model_dump(exclude_none=True),
        problem.body.status,
        problem.headers,
        media_type="application/problem+json",
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its OpenAPI document."""
    return {
        status: {
            "description": _title(status),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Turn every error of the app into a problem."""

    async def on_problem(_: Request, err: Exception) -> Response:
        assert isinstance(err, Problem)
        return response_of(err)

    async def on_http(request: Request, err: Exception) -> Response:
        assert isinstance(err, HTTPException)
        code = _title(err.status_code).lower().replace(" ", "_")
        headers = dict(err.headers or {})
        detail, where = str(err.detail), repr(request.scope["path"][:100])
        if err.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(app, request))
            detail = f"{request.method} is not possible at {where}; possible are {headers['Allow']}"
        elif err.status_code == 404 and detail == _title(404):  # no route: the framework names nothing
            detail = f"there is nothing at {where}"
        return response_of(Problem(err.status_code, code, detail, headers=headers))

    async def on_invalid(_: Request, err: Exception) -> Response:
        assert isinstance(err, RequestValidationError)
        return response_of(invalid(err.errors()))

    async def on_bug(request: Request, err: Exception) -> Response:
        if isinstance(err, ClientStalled | ClientDisconnect):  # no bug; the edge, which it reaches next, logs it
            return Response(status_code=500)
        log.error(
            "request failed", exc_info=err, extra={"fields": {"path": request.scope["path"], "method": request.method}}
        )
        return response_of(Problem(500, "internal", "the API failed; its log says why"))

    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        Problem: on_problem,
        HTTPException: on_http,
        RequestValidationError: on_invalid,
        Exception: on_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """All methods of a path: the routes of one path are several, and the framework would name those of the first."""
    methods: set[str] = set()
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] == Match.FULL for route in app.routes):
            methods.add(method)
    return sorted(methods)


def invalid(faults: Any) -> Problem:
    """Values that break their rules; names each one, its value and the rule."""
    said = []
    for fault in list(faults)[:5]:
        where = ".".join(str(step) for step in fault["loc"] if step not in ("body", "query", "path", "header"))[:80]
        where = where.encode("utf-8", "backslashreplace").decode()  # JSON can name what UTF-8 cannot write
        value = repr(fault.get("input"))
        said.append(f"{where or 'body'}={value[:80]}: {fault['msg']}")
    return Problem(422, "invalid", "; ".join(said))


def _title(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"
