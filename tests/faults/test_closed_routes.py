"""Fault 19: with a key set, every route is closed by default, by every method and however its path is written."""

import itertools
import re
from pathlib import Path
from typing import Final

import pytest
import zmq

from services.api.access import COOKIE
from tests.support.raw_http import ask
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

KEY: Final = "operate-" + "o" * 16
LOOK: Final = "looking-" + "l" * 16
METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"BREW")
OPEN: Final = {"/healthz", "/readyz", "/session"}
PAGES: Final = (
    *("/", "/viewer", "/ui/events", "/ui/events/ev1", "/docs", "/docs/start.js", "/openapi.json", "/redoc", "/nowhere"),
    *("/docs-assets/swagger-ui.css", "/docs-assets/swagger-ui-bundle.js", "/docs-assets/", "/metrics", "/status"),
)
DISGUISES: Final = (
    *(b"/static/../cameras", b"/static/%2e%2e/cameras", b"/static/..%2fcameras", b"//cameras", b"/./cameras"),
    *(b"/healthz/../cameras", b"/healthz/%2e%2e/cameras", b"/session/../cameras", b"/sign-in/../cameras", b"/Cameras"),
    *(b"/cameras/", b"/cameras;", b"/cameras%00", b"/static/..;/cameras", b"http://localhost/cameras", b"/%63ameras"),
)
WRONG: Final = (
    b"Authorization: Bearer",
    b"Authorization: Bearer " + KEY.encode()[:-1],
    b"Authorization: Basic b3BlcmF0ZTpvcGVyYXRl",
    b"X-API-Key: ",
    b"X-API-Key: " + KEY.upper().encode(),
    b"Cookie: " + COOKIE.encode() + b"=operate.99999999999.00.AAAA",
    b"Cookie: " + COOKIE.encode() + b"=" + KEY.encode(),
    b"Cookie: " + COOKIE.encode() + b"=anonymous.99999999999.00.",
)


def api_of(context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> RunningApi:
    api = RunningApi(context, folder, key=KEY, view_key=LOOK, recorder_timeout_s=0.5)
    api.recorder.cameras["cam1"] = camera_of("cam1")
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("ev1/cam1.mp4", 6)))
    return api


def documented(api: RunningApi) -> list[str]:
    paths = api.http.get("/openapi.json", headers={"X-API-Key": LOOK}).json()["paths"]
    filled = [
        path.replace("{event_id}", "ev1").replace("{file_name}", "cam1.mp4") for path in paths if path not in OPEN
    ]
    return [re.sub(r"\{[^}]+\}", "cam1", path) for path in filled]


@pytest.mark.timeout(120)
def test_nothing_answers_without_a_key(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path) as api:
        walked = documented(api)
        assert len(walked) >= 15
        for path, method in itertools.product((*walked, *PAGES), METHODS):
            answer = ask(api.port, path.encode(), method)
            assert answer.status == 401, (method, path, answer)
            assert b"cam1" not in answer.body
        for disguise in DISGUISES:
            assert ask(api.port, disguise).status in {400, 401, 404}, disguise
        assert not api.recorder.asked


def test_a_wrong_key_is_no_key(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path) as api:
        for header in WRONG:
            assert ask(api.port, b"/cameras", b"GET", header).status == 401, header
        assert not api.recorder.asked


def test_what_is_open_tells_nothing_about_the_plant(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path) as api:
        ready = api.http.get("/readyz")
        assert ready.json() == {"ready": True, "cameras_live": 1, "missing": []}
        for path in ("/healthz", "/readyz", "/session", "/sign-in", "/static/js/", "/static/"):
            assert b"cam1" not in ask(api.port, path.encode()).body, path
        static = Path(__file__).resolve().parents[2] / "services/api/static"
        served = [file.relative_to(static).as_posix() for file in static.rglob("*") if file.is_file()]
        assert served
        for name in served:
            answer = ask(api.port, f"/static/{name}".encode())
            assert (answer.status, KEY.encode() in answer.body) == (200, False), name


def test_the_viewing_key_reads_all_and_changes_nothing(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with api_of(context, tmp_path) as api:
        bearer = b"Authorization: Bearer " + LOOK.encode()
        for path in documented(api):
            for method in (b"POST", b"PUT", b"PATCH", b"DELETE"):
                assert ask(api.port, path.encode(), method, bearer).status == 403, (method, path)
        assert not [asked for asked in api.recorder.asked if asked.type != "list_cameras"]
        for path in ("/cameras", "/metrics", "/status", "/events", "/ui/events", "/docs"):
            assert ask(api.port, path.encode(), b"GET", bearer).status == 200, path
