"""No key and no camera's password is in any log, answer or file, at the most talkative level and after every refusal."""

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from services.api.access import COOKIE
from tests.support.mjpeg_server import HEAD, CameraServer, part
from tests.support.numbered import Pictures
from tests.support.processes import Json
from tests.support.raw_http import ask
from tests.support.secured import SecuredSystem
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

KEY: Final = "operate-5qV1nXw0tR8e"
LOOK: Final = "looking-9bK3mZc7yL2u"
PASSWORD: Final = "Gartentor#sesame471"
TOKEN: Final = "f00dcafe8badf00d"
BASIC: Final = base64.b64encode(f"admin:{PASSWORD}".encode())
WRONG: Final = KEY[:-1] + "X"
LOST: Final = {"door", "gate", "hall"}
CHALLENGE: Final = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n'


def guarded(pictures: Pictures, request: bytes) -> Iterator[bytes]:
    """A camera that wants a password, sends a second of pictures and ends."""
    if BASIC not in request:
        yield CHALLENGE
        return
    yield HEAD
    for jpeg in pictures.jpegs[:30]:
        yield part(jpeg)


def provoke(system: SecuredSystem) -> list[str]:
    """Use the keys rightly and wrongly, in all places that take one and some that do not; the cookies given."""
    port = system.http_port
    signed_in = system.http.post("/session", json={"key": LOOK})
    assert signed_in.status_code == 200
    system.http.cookies.clear()
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert system.http.post("/session", json={"key": WRONG}).status_code == 401
    assert system.http.post("/session", json={"key": [KEY]}, headers=bearer).status_code == 422
    assert system.http.post("/session", content=KEY, headers=bearer).status_code in {400, 422}
    for header in (
        f"X-API-Key: {WRONG}",
        f"Authorization: Basic {BASIC.decode()}",
        f"Cookie: {COOKIE}=operate.1.{KEY}",
    ):
        assert ask(port, b"/cameras", b"GET", header.encode()).status == 401
    for path in (f"/cameras?key={KEY}", f"/cameras/{KEY}", f"/{KEY}", f"/logs?text={KEY}"):
        assert ask(port, path.encode()).status == 401, path
    assert ask(port, b"/cameras", b"GET", f"X-API-Key: {KEY}\x00".encode()).status == 400
    assert system.http.post("/trigger", content=b"{", headers=bearer).status_code == 400
    return [cookie.rpartition(".")[2] for cookie in signed_in.cookies.values()]


def secrets_of(system: SecuredSystem, cookies: list[str]) -> list[bytes]:
    """All that nobody may read, in each way in which it is written."""
    curve = [path.read_bytes().strip() for path in system.keys_dir.rglob("*.secret")]
    assert len(curve) == 6
    assert cookies
    texts = (KEY, WRONG, LOOK, PASSWORD, *PASSWORD.split("#"), quote(PASSWORD), TOKEN, *cookies)
    return [BASIC, *curve, *(text.encode() for text in texts)]


def said(system: SecuredSystem) -> dict[str, bytes]:
    """Whatever the services have written or answer, by where it stands."""
    told = {f"output of {name}": service.log_path.read_bytes() for name, service in system.services.items()}
    for path in ("/logs/history?limit=10000", "/cameras", "/status", "/metrics", "/events", "/openapi.json", "/readyz"):
        answer = system.http.get(path, headers={"X-API-Key": LOOK})
        assert answer.status_code == 200, path
        told[path] = answer.content
    told |= {str(path): path.read_bytes() for path in system.clips_dir.rglob("*") if path.is_file()}
    return told


def test_no_secret_is_in_what_the_services_write_and_answer(tmp_path: Path) -> None:
    pictures = Pictures.drawn(tmp_path, count=30, fps=30)
    with SecuredSystem(tmp_path) as system, CameraServer(lambda asked: guarded(pictures, asked), closes=True) as camera:
        talkative: Json = {"log_level": "DEBUG"}
        system.start("api", key=KEY, view_key=LOOK, **talkative)
        system.start("recorder", ring_s=5, **talkative)
        source = camera.url(f"/video?token={TOKEN}", user=f"admin:{quote(PASSWORD)}@")
        system.start_capture("door", source=source, **talkative)
        system.start_capture("gate", source=f"rtsp://admin:{PASSWORD}@127.0.0.1:1/live?pwd={TOKEN}", **talkative)
        system.start_capture("hall", source=f"http://admin:{PASSWORD}@127.0.0.1:1/", **talkative)
        system.start_capture("yard", **talkative)
        system.wait_ready()

        def has_said(text: str) -> bool:
            answer = system.http.get("/logs/history", params={"text": text}, headers={"X-API-Key": LOOK})
            return len({record["camera_id"] for record in answer.json()["records"]} & LOST) == len(LOST)

        wait_until(lambda: has_said("camera lost"), 30, "three cameras have been lost")
        wait_until(lambda: any(BASIC in request for request in camera.requests), 10, "the password is used")
        assert any(TOKEN.encode() in request for request in camera.requests)
        cookies = provoke(system)
        operating = {"X-API-Key": KEY}
        body = {"event_id": "all", "pre_s": 1, "post_s": 0.5}
        assert system.http.post("/trigger", json=body, headers=operating).status_code == 202
        is_at_its_end = {"ready", "failed"}
        wait_until(
            lambda: system.http.get("/events/all", headers=operating).json()["state"] in is_at_its_end, 30, "its end"
        )
        told = said(system)
        assert set(system.stop_all().values()) == {0}
        told |= {f"last words of {name}": service.log_path.read_bytes() for name, service in system.services.items()}
        assert any(place.endswith(".json") for place in told)
        for (place, text), secret in itertools.product(told.items(), secrets_of(system, cookies)):
            assert secret not in text, (place, secret)
        assert b"admin:***@" in told["/cameras"]


@pytest.mark.parametrize(
    ("service", "settings", "secret"),
    [
        ("api", {"key": "short-5qV1nXw"}, "short-5qV1nXw"),
        ("api", {"key": KEY, "view_key": KEY}, KEY),
        ("api", {"kei": KEY}, KEY),
        ("api", {"view_key": LOOK}, LOOK),
        ("capture", {"source": f"rtps://admin:{PASSWORD}@192.0.2.1/"}, PASSWORD),
        ("capture", {"source": f"admin:{PASSWORD}@192.0.2.1"}, PASSWORD),
        ("capture", {"source": "rtps://admin:Garten tor@192.0.2.1/"}, "Garten"),
        ("capture", {"source": f"rtsp://admin:{PASSWORD}@192.0.2.1/", "fps": 0}, PASSWORD),
    ],
    ids=[
        "short",
        "twice the same",
        "mistyped name",
        "view key alone",
        "mistyped scheme",
        "no scheme",
        "a space",
        "another fault",
    ],
)
def test_settings_that_are_refused_are_named_without_their_secret(
    tmp_path: Path, service: str, settings: Json, secret: str
) -> None:
    with SecuredSystem(tmp_path) as system:
        refused = system.start(service, **settings)
        assert refused.wait(20) == 2
        assert f"PREROLL_{service.upper()}_" in refused.log_text()
        assert secret not in refused.log_text()
        system.services.clear()


def test_a_key_file_that_holds_no_key_is_named_without_what_it_holds(tmp_path: Path) -> None:
    with SecuredSystem(tmp_path) as system:
        spoilt = system.keys_dir / "recorder" / "server.secret"
        spoilt.write_text(f"{PASSWORD}\n")
        refused = system.start("recorder")
        assert refused.wait(20) == 2
        assert str(spoilt) in refused.log_text()
        assert PASSWORD not in refused.log_text()
        system.services.clear()
