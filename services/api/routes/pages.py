"""The pages: plain files, served from here alone."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

router = APIRouter(include_in_schema=False)

STATIC: Final = Path(__file__).parent.parent / "static"


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
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Preroll",
        swagger_js_url="/docs-assets/swagger-ui-bundle.js",
        swagger_css_url="/docs-assets/swagger-ui.css",
        swagger_favicon_url="/static/favicon.svg",
    )
    return HTMLResponse(page.body)
