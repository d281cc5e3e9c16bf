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
