"""The ASGI application: routes, errors, and the layers around them."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from preroll.process import Shutdown
from services.api import openapi, problems
from services.api.edge import Edge
from services.api.guard import Guard
from services.api.parts import Parts
from services.api.routes import cameras, doctor, events, health, logs, metrics, pages, session, trigger


class Assets(StaticFiles):
    """Files that are asked for anew each time and answered 304 when unchanged: no page mixes old with new."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def layered(app: ASGIApp, parts: Parts) -> ASGIApp:
    """The application behind its gate and its edge."""
    guarded: ASGIApp = Guard(app, parts.gate)
    if parts.settings.trusted_proxies is not None:
        guarded = ProxyHeadersMiddleware(guarded, parts.settings.trusted_proxies)  # type: ignore[arg-type, assignment]
    return Edge(guarded, parts.clock, parts.boot_id, parts.connections, parts.settings.send_timeout_s)


def create_app(parts: Parts) -> FastAPI:
    """The application over `parts`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        receiving = asyncio.create_task(parts.bus.run(), name="bus")
        receiving.add_done_callback(functools.partial(_end_with, parts.shutdown))
        try:
            yield
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            parts.recorder.close()

    app = FastAPI(
        title="Preroll",
        version=openapi.VERSION,
        description="Keeps the last seconds of every camera in memory; a trigger turns them, and what follows, into an MP4.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems.responses(400, 401, 403, 421, 429, 500),
        lifespan=lifespan,
    )
    app.state.parts = parts
    problems.install(app)
    for module in (trigger, events, cameras, logs, health, doctor, metrics, session, pages):
        app.include_router(module.router)
    app.mount("/static", Assets(directory=pages.STATIC), name="static")
    app.mount("/docs-assets", Assets(directory=_swagger_assets()), name="docs-assets")
    openapi.describe(app)
    return app


def _end_with(shutdown: Shutdown, task: "asyncio.Task[None]") -> None:
    """An API that hears no other service must not look alive."""
    if not task.cancelled() and (error := task.exception()) is not None:
        shutdown.fail(f"task {task.get_name()} failed: {type(error).__name__}: {error}"[:500])


def _swagger_assets() -> Path:
    """The files of Swagger UI, from the package that carries them: the docs work without the internet."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"
