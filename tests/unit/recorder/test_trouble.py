"""What is said of work that fails again and again."""

import pytest

from services.recorder.store.trouble import Trouble


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Trouble("writing"), "writing: full, tried again each second; not logged again while it lasts"),
        (
            Trouble("removing", "every two seconds"),
            "removing: full, tried again every two seconds; not logged again while it lasts",
        ),
        (Trouble("encoding", again=None), "encoding: full; not logged again while it lasts"),
    ],
)
def test_a_failure_says_when_it_is_tried_again_only_where_that_is_so(
    trouble: Trouble, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.failed("full")
    trouble.failed("full")
    assert caplog.messages == [said]
    assert trouble.failures == 2
