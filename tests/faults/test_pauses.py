"""A process that stands still for longer than any limit (a paused container, a snapshot, a laptop's sleep) goes on."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

WATCHDOG_S = 1.2
PAUSE_S = 3.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("pauses")) as made:
        made.start("api")
        made.start("recorder", ring_s=10, pre_s=0.5, post_s=0.5, watchdog_s=1)
        made.start_capture("cam1", watchdog_s=WATCHDOG_S, open_timeout_s=0.2, read_timeout_s=0.2)
        made.wait_ready()
        made.wait_live("cam1")
        yield made


@pytest.mark.parametrize("names", [("recorder",), ("cam1",), ("api", "recorder", "cam1")], ids="+".join)
def test_a_pause_longer_than_the_watchdogs_limit_ends_nothing(system: System, names: tuple[str, ...]) -> None:
    run_id = system.cameras()["cam1"]["run_id"]
    pids = [system.services[name].pid for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    paused_s = time.monotonic()
    wait_until(lambda: time.monotonic() - paused_s > PAUSE_S, PAUSE_S + 5, "the pause is over")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    system.wait_live("cam1")
    system.wait_frames(5, "cam1")
    assert system.cameras()["cam1"]["run_id"] == run_id
    system.wait_state(system.trigger()["event_id"], "ready")
    assert all(service.is_running for service in system.services.values())
    assert "watchdog" not in "".join(system.services[name].log_text() for name in names)
