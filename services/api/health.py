"""`python -m services.api.health`: whether the API of this container answers. For Docker's health check.

It reads the two settings that it needs by itself: run every few seconds, it must not load what the service loads.
"""

import http.client
import os
import ssl
import sys
from typing import Final

_TIMEOUT_S: Final = 3.0


def is_healthy() -> bool:
    """Whether `/healthz` on loopback answers 200 within 3 s; over TLS when the API has a certificate."""
    host = os.environ.get("PREROLL_API_HOST", "")
    where = "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104 - what is bound to all is also there
    port = int(os.environ.get("PREROLL_API_PORT") or 8000)
    connection: http.client.HTTPConnection
    if os.environ.get("PREROLL_API_TLS_CERT"):
        # Whether it is alive is asked, not who it is: the certificate names the host, not loopback.
        unverified = ssl.create_default_context()
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(where, port, timeout=_TIMEOUT_S, context=unverified)
    else:
        connection = http.client.HTTPConnection(where, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_healthy())
