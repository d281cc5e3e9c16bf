"""Who has signed out stays out: through restarts, and whatever strangers sign out."""

from pathlib import Path
from typing import Final

import pytest

from services.api.access import COOKIE
from tests.support.processes import System
from tests.support.raw_http import ask
from tests.support.waiting import wait_until

KEY: Final = "operate-" + "o" * 16


def sign_in(system: System) -> str:
    answer = system.http.post("/session", json={"key": KEY})
    system.http.cookies.clear()
    return str(answer.cookies[COOKIE])


def is_in(system: System, cookie: str) -> bool:
    return ask(system.http_port, b"/session", b"GET", f"Cookie: {COOKIE}={cookie}".encode()).status == 200


def sign_out(system: System, cookie: str) -> int:
    return ask(system.http_port, b"/session", b"DELETE", f"Cookie: {COOKIE}={cookie}".encode()).status


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nowhere to keep it"])
def test_a_session_that_was_signed_out_is_not_good_again_after_a_restart(tmp_path: Path, is_kept: bool) -> None:
    with System(tmp_path) as system:
        (tmp_path / "file").write_text("no folder")
        api = system.start("api", key=KEY, state_dir=tmp_path / ("state" if is_kept else "file"))
        wait_until(lambda: system.get("/healthz"), 20, "the API answers")
        signed_out, other = sign_in(system), sign_in(system)
        assert sign_out(system, signed_out) == 204
        for number in range(50):
            assert sign_out(system, f"operate.99999999999.{number:016x}.{'A' * 43}") == 204
        assert (is_in(system, signed_out), is_in(system, other)) == (False, True)
        api.stop(9)
        api.start()
        wait_until(lambda: system.get("/healthz"), 20, "the API answers again")
        assert not is_in(system, signed_out)
        assert is_in(system, other) is is_kept
