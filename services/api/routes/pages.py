"""The pages: plain files, served from here alone."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse

from services.api.edge import CONTENT_POLICY

router = APIRouter(include_in_schema=False)

STATIC: Final = Path(__file__).parent.parent / "static"
_DOCS: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The interface of Preroll</title>
<link rel="stylesheet" href="/docs-assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs-assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
# Swagger UI writes style attributes; its script is a file like any other.
_DOCS_POLICY: Final = f"{CONTENT_POLICY}; style-src 'self' 'unsafe-inline'"


def _page(name: str) -> FileResponse:
    return FileResponse(STATIC / name, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})


@router.get("/")
async def dashboard() -> FileResponse:
    return _page("index.html")


@router.get("/viewer")
async def viewer() -> FileResponse:
    return _page("viewer.html")


@router.get("/ui/events")
async def events() -> FileResponse:
    return _page("events.html")


@router.get("/ui/events/{event_id}")
async def event(event_id: str) -> FileResponse:
    del event_id  # the page reads it from its own address
    return _page("event.html")


@router.get("/sign-in")
async def sign_in() -> FileResponse:
    return _page("sign-in.html")


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _DOCS_POLICY, "Cache-Control": "no-cache"})


@router.get("/docs/start.js")
async def docs_start() -> Response:
    return Response(_START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
