"""The ASGI application: routes, middleware, errors."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import problems
from services.api.parts import Parts
from services.api.problems import ProblemBody
from services.api.receipt import NoteReceipt
from services.api.routes import cameras, events, health, logs, pages, trigger

POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# Swagger UI starts itself from a script in its page, and writes styles.
DOCS_POLICY: Final = POLICY + "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"


def create_app(parts: Parts) -> FastAPI:
    """The application over `parts`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        receiving = asyncio.create_task(parts.bus.run(), name="bus")
        try:
            yield
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            parts.recorder.close()

    app = FastAPI(
        title="Preroll",
        version="0.1.0",
        description="Keeps the last seconds of every camera in memory; a trigger turns them, and what follows, into an MP4.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    problems.install(app)
    for module in (trigger, events, cameras, logs, health, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    app.mount("/docs-assets", StaticFiles(directory=_swagger_assets()), name="docs-assets")
    app.add_middleware(SecurityHeaders)
    app.add_middleware(NoteReceipt, clock=parts.clock, boot_id=parts.boot_id)  # added last, it is outermost
    _describe_problems(app)
    return app


class SecurityHeaders:
    """Sets the headers that keep a browser from being used against the plant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = DOCS_POLICY if scope["path"] == "/docs" else POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _describe_problems(app: FastAPI) -> None:
    """Add the problem's schema to the OpenAPI document, which refers to it."""
    make = app.openapi

    def openapi() -> dict[str, object]:
        document = make()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("ProblemBody", ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}"))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _swagger_assets() -> Path:
    """The files of Swagger UI, from the package that carries them: the docs work without the internet."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"
