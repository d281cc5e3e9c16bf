"""Signing in and out, for browsers: EventSource and `<img>` cannot send a key in a header."""

import time

from fastapi import APIRouter, Request, Response

from services.api import schemas
from services.api.access import COOKIE, SESSION_S
from services.api.guard import address_of, cookie_in, role_in
from services.api.parts import FromParts
from services.api.problems import Problem, responses

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


@router.delete("", status_code=204, responses=responses(403))
async def sign_out(request: Request, parts: FromParts) -> Response:
    """Sign out: the cookie is worth nothing any more."""
    cookie = cookie_in(request.headers)
    if cookie is not None:
        parts.gate.sessions.revoke(cookie)
    signed_out = Response(status_code=204)
    signed_out.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.scope["scheme"] == "https")
    return signed_out
