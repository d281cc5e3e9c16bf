"""Every route is closed by default."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.recorder import RunningApi, camera_of

OPERATE = "operate-" + "o" * 16
LOOK = "looking-" + "l" * 16
OPEN = {"/healthz", "/readyz", "/session"}


@pytest.fixture
def closed(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> Iterator[RunningApi]:
    with RunningApi(context, tmp_path, key=OPERATE, view_key=LOOK, recorder_timeout_s=0.5) as running:
        running.recorder.cameras["cam1"] = camera_of("cam1")
        yield running


def routes(api: RunningApi) -> list[tuple[str, str]]:
    document = api.http.get("/openapi.json", headers={"X-API-Key": LOOK}).json()
    return [
        (method.upper(), re.sub(r"\{[^}]+\}", "cam1", path))
        for path, operations in document["paths"].items()
        for method in operations
        if path not in OPEN
    ]


def test_no_route_answers_without_a_key_and_the_viewing_key_changes_nothing(closed: RunningApi) -> None:
    walked = routes(closed)
    assert len(walked) > 12
    for method, path in walked:
        without = closed.http.request(method, path)
        assert (without.status_code, without.headers["www-authenticate"][:6]) == (401, "Bearer"), (method, path)
        if method != "GET":
            assert closed.http.request(method, path, headers={"X-API-Key": LOOK}).status_code == 403, (method, path)
    assert not closed.recorder.asked
    for page in ("/", "/viewer", "/docs", "/openapi.json", "/docs-assets/swagger-ui.css"):
        assert closed.http.get(page).status_code == 401, page


def test_each_way_to_send_a_key_works(closed: RunningApi) -> None:
    assert closed.http.post("/trigger", headers={"Authorization": f"Bearer {OPERATE}"}).status_code == 202
    assert closed.http.post("/trigger", headers={"X-API-Key": OPERATE}).status_code == 202
    assert closed.http.get("/cameras", headers={"X-API-Key": LOOK}).status_code == 200


def test_a_browser_signs_in_and_out(closed: RunningApi) -> None:
    page = closed.http.get("/viewer?x=1", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fviewer%3Fx%3D1")
    assert closed.http.get("/sign-in").status_code == 200
    assert closed.http.get("/session").status_code == 401
    signed_in = closed.http.post("/session", json={"key": LOOK})
    assert signed_in.json() == {"role": "look"}
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    kept = dict(closed.http.cookies)
    assert closed.http.get("/cameras").status_code == 200
    assert closed.http.post("/trigger").status_code == 403
    assert closed.http.delete("/session").status_code == 204
    closed.http.cookies.update(kept)
    assert closed.http.get("/cameras").status_code == 401


def test_guessing_is_stopped(closed: RunningApi) -> None:
    answers = [closed.http.post("/session", json={"key": f"guess-{n}"}).status_code for n in range(12)]
    assert answers[:10] == [401] * 10
    assert answers[10:] == [429] * 2
    refused = closed.http.get("/cameras", headers={"X-API-Key": OPERATE})
    assert refused.status_code == 429
    wait_s = int(refused.headers["retry-after"])
    assert 50 < wait_s <= 60
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"] == (
        f"10 different wrong keys came from 127.0.0.1 within a minute: for another {wait_s} s no key is taken from there"
    )


def test_who_is_signed_in_is_not_locked_out_by_others_at_the_same_address(closed: RunningApi) -> None:
    assert closed.http.post("/session", json={"key": OPERATE}).status_code == 200
    for guess in range(11):
        closed.http.get("/cameras", headers={"X-API-Key": f"guess-{guess}"})
    assert closed.http.get("/cameras", headers={"X-API-Key": OPERATE}).status_code == 429
    assert closed.http.post("/trigger").status_code == 202


def test_a_machine_with_an_old_key_locks_nobody_out(closed: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(30):
        assert closed.http.post("/trigger", headers={"X-API-Key": "the key of last year"}).status_code == 401
    assert closed.http.post("/trigger", headers={"X-API-Key": OPERATE}).status_code == 202
    for guess in range(12):
        closed.http.post("/trigger", headers={"X-API-Key": f"guess-{guess}"})
    warned = [record for record in caplog.records if "keys are refused" in record.message]
    assert [record.fields for record in warned] == [{"address": "127.0.0.1"}]  # type: ignore[attr-defined]


def test_another_sites_page_changes_nothing(api: RunningApi) -> None:
    own = {"Origin": api.url}
    assert api.http.post("/trigger", headers=own).status_code == 202
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert api.http.post("/trigger", headers={"Origin": origin}).status_code == 403, origin
    assert api.http.post("/trigger", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_without_a_key_a_foreign_host_name_is_refused(api: RunningApi) -> None:
    assert api.http.get("/cameras", headers={"Host": "evil.example"}).status_code == 421
    assert api.http.get("/cameras", headers={"Host": f"localhost:{api.port}"}).status_code == 200
    assert api.http.get("/session").json() == {"role": "anonymous"}
