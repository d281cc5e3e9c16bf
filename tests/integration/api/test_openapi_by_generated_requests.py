"""The API does what its OpenAPI document says, for requests that nobody would think of (schemathesis)."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import zmq

from preroll import wire
from services.api.examples import BODIES, RESPONSES
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

KEY: Final = "generated-" + "k" * 16
EVENT_ID: Final = BODIES["POST /trigger"]["event_id"]
# Not every rule can be written as a schema (no moment after 2100; at and at_frame exclude each other), so what the schema
# allows may be refused, as long as the refusal is documented.
NOT_CHECKED: Final = "positive_data_acceptance"
RUN: Final = "from schemathesis.cli import schemathesis; schemathesis()"
ENDLESS: Final = "^/logs$|/live$"


@pytest.mark.timeout(60)
def test_generated_requests_find_no_answer_that_the_document_does_not_tell(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.access.FAILURES_MAX", 10**9)  # or, after ten wrong keys, all is answered 429
    with RunningApi(context, tmp_path, key=KEY) as api:
        path = f"2026-03-01/{EVENT_ID}/cam1.mp4"
        (api.clips_dir / path).parent.mkdir(parents=True)
        (api.clips_dir / path).write_bytes(bytes(1000))
        api.recorder.health = wire.RecorderHealth.model_validate(RESPONSES["GET /status", "200"]["recorder"])
        api.recorder.cameras["cam1"] = camera_of("cam1")
        api.recorder.events[EVENT_ID] = event_of(EVENT_ID, clip_of("cam1", clip=(path, 1000)))
        options = {
            "--header": f"Authorization: Bearer {KEY}",
            "--phases": "examples,coverage,fuzzing",
            "--max-examples": "15",
            "--seed": "1",
            "--exclude-path-regex": ENDLESS,
            "--exclude-checks": NOT_CHECKED,
            "--request-timeout": "10",
        }
        ran = subprocess.run(
            [sys.executable, "-c", RUN, "run", f"{api.url}/openapi.json", "--continue-on-failure"]
            + [text for option in options.items() for text in option],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr[-2000:]
    assert "Tested: 20" in ran.stdout, ran.stdout[-3000:]
    assert "Rate limited" not in ran.stdout, ran.stdout[-3000:]
