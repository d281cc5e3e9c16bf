"""Fault 15: clients that read nothing. Recording and the other clients do not notice, and the memory stays bounded."""

import time
from pathlib import Path
from typing import Final

import pytest
import zmq

from tests.support.flood import Flood, Outcome
from tests.support.processes import System

Context = zmq.Context[zmq.Socket[bytes]]

VIEWERS: Final = 20
STALLED_LOGS: Final = 50
STALLED_LIVE: Final = 20
RECORDS_PER_S: Final = 1000
MIB: Final = 1024 * 1024
ENDED_WITHIN_S: Final = 8.0  # five for the streams, and what comes before and after


def p99_s(flood: Flood) -> float:
    delays_s = sorted(delay for viewer in flood.viewers for delay in viewer.delays_s)
    return delays_s[len(delays_s) * 99 // 100]


def check(flood: Flood, outcome: Outcome, p99_max_s: float, growth_max_bytes: int) -> None:
    """Every healthy viewer got every record in order, soon; the API holds no more memory at the end."""
    expected = list(range(outcome.sent))
    for viewer in flood.viewers:
        assert viewer.drops == 0
        assert list(viewer.numbers) == expected
    assert p99_s(flood) < p99_max_s, outcome
    assert outcome.growth_bytes < growth_max_bytes, [size // MIB for size in outcome.memory]
    status = flood.status()
    assert status["bus_lost"] == status["bus_malformed"] == 0


def losses(system: System) -> dict[str, int]:
    found: dict[str, int] = system.cameras()["cam1"]["losses"]
    return found


@pytest.mark.timeout(120)
def test_clients_that_read_nothing_disturb_nobody_and_are_let_go(context: Context, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start("api", send_timeout_s=2, log_memory=2000)
        system.start("recorder", ring_s=5)
        system.start_capture("cam1")
        system.wait_live("cam1")
        system.wait_ring(2, "cam1")
        before = losses(system)
        with Flood(context, system, VIEWERS, STALLED_LOGS, STALLED_LIVE) as flood:
            event = system.trigger(pre_s=1, post_s=8)
            outcome = flood.run(10, RECORDS_PER_S)
            assert outcome.sent >= 9 * RECORDS_PER_S
            assert outcome.cut_off >= STALLED_LOGS
            check(flood, outcome, p99_max_s=1.0, growth_max_bytes=32 * MIB)
            flood.wait_stalled_let_go(20)
        (clip,) = system.wait_state(event["event_id"], "ready")["clips"]
        assert (clip["complete"], clip["delivered"]["lost"], clip["shortfall"]) == (True, 0, [])
        assert losses(system) == before


def test_clients_that_read_nothing_do_not_hold_up_the_end(context: Context, tmp_path: Path) -> None:
    """Fault 17, made worse: SIGTERM while a clip is open and streams are stalled."""
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=5)
        system.wait_ring(1, "cam1")
        with Flood(context, system, viewers=2, stalled_logs=20, stalled_live=10) as flood:
            system.trigger(event_id="cut-short", pre_s=1, post_s=60)
            flood.run(4, RECORDS_PER_S)
            assert flood.status()["live_clients"] == 10
            began_s = time.monotonic()
            assert set(system.stop_all().values()) == {0}
            assert time.monotonic() - began_s < ENDED_WITHIN_S
        assert '"level": "ERROR"' not in system.services["api"].log_text()
        for service in system.services.values():
            service.start()
        system.wait_ready()
        (clip,) = system.wait_state("cut-short", "ready")["clips"]
        assert (clip["complete"], clip["delivered"]["lost"]) == (False, 0)
        assert "the recorder was stopped" in clip["shortfall"]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_thousand_records_a_second_for_a_minute_reach_every_viewer_soon(context: Context, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1", ring_s=30)
        system.wait_ring(5, "cam1")
        before = losses(system)
        with Flood(context, system, VIEWERS, STALLED_LOGS, STALLED_LIVE) as flood:
            event = system.trigger(pre_s=5, post_s=50)
            outcome = flood.run(60, RECORDS_PER_S)
            print(f"p99 {p99_s(flood) * 1000:.0f} ms, memory {[size // MIB for size in outcome.memory]} MiB")
            check(flood, outcome, p99_max_s=0.25, growth_max_bytes=16 * MIB)
        (clip,) = system.wait_state(event["event_id"], "ready")["clips"]
        assert (clip["complete"], clip["delivered"]["lost"], clip["shortfall"]) == (True, 0, [])
        assert losses(system) == before
