"""With a key set, the API does what its OpenAPI document says, for requests that nobody would think of.

The real services are judged in the same way by tests/system. Here the limit of wrong keys can be lifted, so that each
operation is also tried without a key and with wrong ones, and every answer of the recorder is there at once.
"""

from pathlib import Path
from typing import Final

import pytest
import zmq

from preroll import wire
from services.api.examples import BODIES, RESPONSES
from tests.support.generated import judge_by_document
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

KEY: Final = "generated-" + "k" * 16
EVENT_ID: Final = BODIES["POST /trigger"]["event_id"]


@pytest.mark.timeout(60)
def test_behind_a_key_generated_requests_find_no_answer_that_the_document_does_not_tell(
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
        judgement = judge_by_document(
            api.url,
            tmp_path,
            header=f"Authorization: Bearer {KEY}",
            phases="examples,coverage,fuzzing",
            max_examples="15",
        )
    assert judgement.found_nothing, judgement.told[-10_000:]
    assert judgement.operations == 21, judgement.told[-3000:]
    assert "Rate limited" not in judgement.told, judgement.told[-3000:]
