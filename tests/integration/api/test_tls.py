"""The API over TLS, with a certificate that this test makes."""

import ssl
from pathlib import Path
from typing import Final

import httpx
import pytest

from services.api.health import is_healthy
from tests.support.processes import System
from tests.support.waiting import wait_until

OPERATE: Final = "operate-" + "o" * 16


def test_with_a_certificate_the_api_serves_https_and_nothing_else(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate
    with System(tmp_path) as system:
        system.start("api", tls_cert=cert, tls_key=key, key=OPERATE)
        trusting = ssl.create_default_context(cafile=cert)
        url = f"https://127.0.0.1:{system.http_port}/healthz"
        with httpx.Client(verify=trusting, trust_env=False) as http:

            def status() -> int | None:
                try:
                    return http.get(url).status_code
                except httpx.ConnectError:
                    return None

            wait_until(lambda: status() == 200, 20, "the API answers over TLS")
            signed_in = http.post(url.replace("healthz", "session"), json={"key": OPERATE})
            assert "; Secure" in signed_in.headers["set-cookie"]
        with httpx.Client(trust_env=False) as stranger, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY"):
            stranger.get(url)
        assert system.get("/healthz") is None, "plain HTTP is answered too"

        monkeypatch.setenv("PREROLL_API_PORT", str(system.http_port))
        assert not is_healthy()
        monkeypatch.setenv("PREROLL_API_TLS_CERT", str(cert))
        assert is_healthy()
