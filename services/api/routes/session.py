"""Signing in and out, for browsers: EventSource and `<img>` cannot send a key in a header."""

import asyncio
import logging
import time

from fastapi import APIRouter, Request, Response

from services.api import schemas
from services.api.access import COOKIE, SESSION_S
from services.api.guard import address_of, cookie_in, role_in
from services.api.parts import FromParts
from services.api.problems import Problem, response_of, responses
from services.api.session_file import SignOutNotKept

log = logging.getLogger(__name__)

router = APIRouter(prefix="/session", tags=["session"])


@router.get("", responses=responses(401))
async def session(request: Request) -> schemas.Session:
    """Who is asking."""
    role = role_in(request)
    if role is None:
        raise Problem(401, "unauthorised", "not signed in")
    return schemas.Session(role=role)


@router.post("", responses=responses(400, 401, 403, 413, 422, 429))
async def sign_in(request: Request, response: Response, parts: FromParts, body: schemas.SignIn) -> schemas.Session:
    """Exchange a key for a cookie that lasts a week."""
    if role_in(request) == "anonymous":
        return schemas.Session(role="anonymous")
    role = parts.gate.judge(body.key, address_of(request.scope))
    response.set_cookie(
        COOKIE,
        parts.gate.sessions.cookie_for(role, time.time()),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )
    return schemas.Session(role=role)


@router.delete("", status_code=204, responses=responses(403, 503))
async def sign_out(request: Request, parts: FromParts) -> Response:
    """Sign out: the cookie is worth nothing any more, after a restart neither."""
    signed_out = Response(status_code=204)
    cookie = cookie_in(request.headers)
    if cookie is not None:
        try:
            await asyncio.to_thread(parts.gate.sessions.sign_out, cookie)
        except SignOutNotKept as err:
            log.error("a sign-out could not be kept: %s", err)
            detail = f"signed out until the API is restarted, and not for good: {err}"
            signed_out = response_of(Problem(503, "sign_out_not_kept", detail))
    signed_out.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.scope["scheme"] == "https")
    return signed_out
