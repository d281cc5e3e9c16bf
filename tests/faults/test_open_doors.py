"""A service that other machines could reach does not start without a key, and with one it starts."""

from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import Json, System
from tests.support.raw_http import ask
from tests.support.secured import SecuredSystem
from tests.support.waiting import wait_until

KEY: Final = "operate-" + "o" * 16
EVERYWHERE: Final = ("0.0.0.0", "::", "192.0.2.1", "plant.example")


@pytest.mark.parametrize("host", EVERYWHERE)
def test_the_api_does_not_start_beyond_loopback_without_a_key(tmp_path: Path, host: str) -> None:
    with System(tmp_path) as system:
        api = system.start("api", host=host)
        assert api.wait(20) == 2
        assert f"PREROLL_API_HOST='{host}' is reachable from other machines: set PREROLL_API_KEY" in api.log_text()
        assert "listens" not in api.log_text()
        system.services.clear()


@pytest.mark.parametrize(
    ("service", "bind"),
    [
        ("api", "bus_bind"),
        ("recorder", "frames_bind"),
        ("recorder", "control_bind"),
        ("recorder", "query_bind"),
        ("capture", "frames_bind"),
    ],
)
@pytest.mark.parametrize("address", ["tcp://*:0", "tcp://0.0.0.0:0", "tcp://[::]:0"])
def test_no_service_binds_beyond_loopback_in_plaintext(tmp_path: Path, service: str, bind: str, address: str) -> None:
    with System(tmp_path) as system:
        settings: Json = {bind: address}
        refused = system.start(service, **settings)
        assert refused.wait(20) == 2
        assert f"PREROLL_{service.upper()}_{bind.upper()}='{address}' is reachable" in refused.log_text()
        assert f"PREROLL_{service.upper()}_KEYS_DIR" in refused.log_text()
        system.services.clear()


def test_with_keys_all_may_listen_everywhere_and_every_route_is_closed(tmp_path: Path) -> None:
    with SecuredSystem(tmp_path) as system:

        def everywhere(address: str) -> str:
            return address.replace("127.0.0.1", "*")

        system.start("api", host="0.0.0.0", key=KEY, bus_bind=everywhere(system.bus_address))
        binds: Json = {
            "frames_bind": everywhere(system.frames_address),
            "control_bind": everywhere(system.control_address),
            "query_bind": everywhere(system.query_address),
        }
        system.start("recorder", **binds)
        system.start_capture("cam1", frames_bind=everywhere(system.watch_address))
        system.wait_ready()
        assert ask(system.http_port, b"/cameras").status == 401
        bearer = f"Authorization: Bearer {KEY}".encode()
        wait_until(lambda: b"cam1" in ask(system.http_port, b"/cameras", b"GET", bearer).body, 10, "the camera")
