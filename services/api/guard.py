"""Closes every route but a few to those who have no right to it. ASGI middleware, inside `Edge`.

Rule: what is not named open here is closed. With a key set, reading needs a role and changing needs the role
`operate`. Without one everybody operates, and the Host header is checked, so that no web page can reach this API through
a name of its own that it points here. Changing requests that a browser sends for another site are refused in any case.
"""

import logging
import re
import time
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from preroll.logs import fields
from services.api.access import COOKIE, FAILURES_MAX, Failures, Keys, Role, Sessions
from services.api.exposure import MalformedHost, cannot_be_rebound, name_in
from services.api.problems import Problem, response_of
from services.api.session_file import SessionFile
from services.api.sources import source_of

log = logging.getLogger(__name__)

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/sign-in", "/session"})
OPEN_PREFIX: Final = "/static/"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PAGES: Final = ("/", "/viewer", "/ui/", "/docs")
_COOKIE: Final = re.compile(rf"(?:^|;)[ \t]*{COOKIE}=([^;]*)")
ADDRESS_MAX_CHARS: Final = 64  # a proxy may hand on anything in its place


class Gate:
    """Judges requests by their headers alone, and counts those that it refused."""

    def __init__(self, keys: Keys, file: SessionFile) -> None:
        self._keys = keys
        self._failures = Failures()
        self.sessions = Sessions(keys, file)
        self.failed_sign_ins = 0
        self.refused_hosts = 0
        self.refused_origins = 0
        self.refused_attempts = 0

    def role_for(self, scope: Scope, headers: Headers) -> Role | None:
        """The role of a request; `None` on an open path without a key; `Problem` when it is to be refused."""
        self._check_names(scope, headers)
        role = self._role_of(scope, headers)
        self._check_role(scope, role)
        return role

    def _check_names(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host")  # absent in HTTP/1.0 alone, which no browser speaks
        if host is not None:
            self._check_host(host)
        if scope["method"] in READING:
            return
        for origin in headers.getlist("origin"):
            _, _, authority = origin.partition("://")
            if host is None or authority.lower() != host.lower():
                self.refused_origins += 1
                raise Problem(
                    403,
                    "foreign_origin",
                    f"a page of {origin[:100]!r} may not change anything at {(host or '')[:100]!r}",
                )
        if headers.get("sec-fetch-site") == "cross-site":
            self.refused_origins += 1
            raise Problem(403, "foreign_origin", "a page of another site may not change anything here")

    def _check_host(self, host: str) -> None:
        try:
            name = name_in(host)
        except MalformedHost as err:
            self.refused_hosts += 1
            raise Problem(400, "malformed_host", str(err)) from None
        if not self._keys.are_set and not cannot_be_rebound(name):
            self.refused_hosts += 1
            raise Problem(
                421, "wrong_host", f"Host {host[:100]!r}: without a key only addresses and local names are served"
            )

    def _role_of(self, scope: Scope, headers: Headers) -> Role | None:
        if not self._keys.are_set:
            return "anonymous"
        presented = _presented_key(headers)
        if presented is None:
            cookie = cookie_in(headers)
            return self.sessions.role_of(cookie, time.time()) if cookie else None
        return self.judge(presented, address_of(scope))

    def judge(self, presented: str, address: str) -> Role:
        """The role of a presented key; `Problem` 401 when it is wrong, 429 when too many were."""
        now_s, source = time.monotonic(), source_of(address)
        if (wait_s := self._failures.wait_s(source, now_s)) > 0:
            self.refused_attempts += 1
            raise _locked_out(address, int(wait_s) + 1)
        role = self._keys.role_of(presented)
        if role is None:
            self.failed_sign_ins += 1
            self._failures.note(source, presented, now_s)
            if self._failures.wait_s(source, now_s) > 0:
                log.warning("keys are refused for a minute: too many wrong ones", extra=fields(address=address))
            raise _unauthorised("the key is wrong")
        return role

    def _check_role(self, scope: Scope, role: Role | None) -> None:
        path: str = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            return
        if role is None:
            raise _unauthorised("a key is needed: Authorization: Bearer, X-API-Key, or sign in at /sign-in")
        if role == "look" and scope["method"] not in READING:
            raise Problem(403, "viewing_only", f"the viewing key may not {scope['method']}")


class Guard:
    """Lets through what the gate allows; the role is put into `scope["preroll.role"]`."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            role = self._gate.role_for(scope, headers)
        except Problem as problem:
            if problem.body.status == 401 and _is_page(scope, headers):
                asked = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
                await RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", 303)(scope, receive, send)
                return
            await response_of(problem)(scope, receive, send)
            return
        scope["preroll.role"] = role
        await self._app(scope, receive, send)


def address_of(scope: Scope) -> str:
    """Where a request comes from; behind a trusted proxy, what the proxy says."""
    client = scope.get("client")
    return str(client[0])[:ADDRESS_MAX_CHARS] if client else "unknown"


def cookie_in(headers: Headers) -> str | None:
    """The session cookie of a request, if it has one."""
    # The standard library's parser takes seconds for some headers of this length (CVE-2024-7592).
    found = _COOKIE.search(headers.get("cookie", ""))
    return found[1].strip() if found is not None else None


def role_in(request: Request) -> Role | None:
    """The role of a request that the guard let through; `None` on an open path without a key."""
    role: Role | None = request.scope.get("preroll.role")
    return role


def _presented_key(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key")


def _unauthorised(detail: str) -> Problem:
    return Problem(401, "unauthorised", detail, headers={"WWW-Authenticate": 'Bearer realm="Preroll"'})


def _locked_out(address: str, wait_s: int) -> Problem:
    detail = (
        f"{FAILURES_MAX} different wrong keys came from {address} within a minute:"
        f" for another {wait_s} s no key is taken from there"
    )
    return Problem(429, "too_many_attempts", detail, headers={"Retry-After": str(wait_s)})


def _is_page(scope: Scope, headers: Headers) -> bool:
    path: str = scope["path"]
    wants_page = "text/html" in headers.get("accept", "")
    return wants_page and scope["method"] in READING and (path in PAGES or path.startswith("/ui/"))
