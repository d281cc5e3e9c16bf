import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.recorder import RunningApi, camera_of


@pytest.fixture
def api(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> Iterator[RunningApi]:
    """An API without a key, whose recorder knows one live camera."""
    with RunningApi(context, tmp_path, recorder_timeout_s=0.5) as running:
        running.recorder.cameras["cam1"] = camera_of("cam1")
        yield running


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    kind = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=preroll",
    ]
    subprocess.run(
        ["openssl", "req", *kind, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key
