"""The real services do what the OpenAPI document says, for requests that nobody would think of, and one after another."""

import re
from pathlib import Path

import pytest

from tests.support.generated import judge_by_document
from tests.support.processes import System

NO_KEY_IS_SET = "ignored_auth"  # tests/integration/api has one set


@pytest.mark.timeout(120)  # 30 s where nobody else is at work
def test_generated_requests_and_sequences_find_no_answer_that_the_document_does_not_tell(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=3, pre_s=0.2, post_s=0.3, max_clip_s=20, format="mjpeg")
        system.wait_ring(1, "cam1")
        system.wait_state(system.trigger(event_id="there-before")["event_id"], "ready")
        judgement = judge_by_document(
            system.url,
            tmp_path,
            NO_KEY_IS_SET,
            phases="examples,coverage,fuzzing,stateful",
            max_examples="80",
        )
        assert judgement.found_nothing, judgement.told[-10_000:]
        assert judgement.operations == 21, judgement.told[-3000:]
        followed = re.search(r"API Links: +(\d+) covered", judgement.told)
        assert followed is not None, judgement.told[-3000:]
        assert int(followed[1]) >= 5, judgement.told[-3000:]

        for name, service in system.services.items():
            assert service.is_running, name
            told = [
                line for line in service.log_text().splitlines() if '"level": "ERROR"' in line or "Warning:" in line
            ]
            assert not told, (name, told[:3])
        (clip,) = system.wait_state(system.trigger(event_id="afterwards")["event_id"], "ready")["clips"]
        assert (clip["complete"], clip["delivered"]["lost"]) == (True, 0), clip
