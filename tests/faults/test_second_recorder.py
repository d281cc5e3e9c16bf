"""A second recorder, on the same folder or on the same ports, harms nothing that the first one keeps."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.recorder.service import FOLDER_IN_USE_EXIT_CODE
from services.recorder.store.folder_lock import NAME
from tests.support.explaining import drawn, shown
from tests.support.processes import Json, ServiceProcess, System, free_ports
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("second")) as made:
        made.start_all("cam1", ring_s=10, pre_s=0.5, post_s=3)
        made.wait_ring(1, "cam1")
        yield made


def second(system: System, name: str, *, own_ports: bool, clips_dir: Path) -> ServiceProcess:
    settings = {"clips_dir": str(clips_dir)}
    if own_ports:
        for setting, port in zip(("frames", "control", "query"), free_ports(3), strict=True):
            settings[f"{setting}_bind"] = f"tcp://127.0.0.1:{port}"
    environment = system.environment() | {f"PREROLL_RECORDER_{key.upper()}": value for key, value in settings.items()}
    process = ServiceProcess("services.recorder", environment, system.folder / f"{name}.log")
    process.start()
    return process


def records(process: ServiceProcess) -> list[Json]:
    return [json.loads(line) for line in process.log_text().splitlines() if line.startswith("{")]


def test_a_second_recorder_on_the_folder_says_who_has_it_and_ends(system: System) -> None:
    event = system.trigger()
    intruder = second(system, "intruder", own_ports=True, clips_dir=system.clips_dir)
    done = system.wait_state(event["event_id"], "ready")
    assert done["clips"][0]["complete"], done
    drawn(shown(system, event["event_id"]))
    assert intruder.wait(40) == FOLDER_IN_USE_EXIT_CODE
    (error,) = [record for record in records(intruder) if record["level"] == "ERROR"]
    owner = system.services["recorder"].pid
    assert f"{system.clips_dir} is in use by the recorder on host" in error["message"]
    assert f"process {owner}, since" in error["message"]


def test_a_second_recorder_on_the_ports_alone_ends_and_has_touched_nothing(system: System, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "2026-01-01" / "old").mkdir(parents=True)
    (other / "2026-01-01" / "old" / "cam1.original.mp4.part").write_bytes(b"left by a crash")
    intruder = second(system, "on-ports", own_ports=False, clips_dir=other)
    assert intruder.wait(20) == 1
    assert {path.name for path in other.rglob("*")} == {NAME, "2026-01-01", "old", "cam1.original.mp4.part"}
    assert "Address already in use" in intruder.log_text()
    assert "Fatal" not in intruder.log_text()


def test_a_successor_waits_for_the_clips_of_the_one_that_ends(system: System) -> None:
    event = system.trigger()
    successor = second(system, "successor", own_ports=False, clips_dir=system.clips_dir)
    wait_until(lambda: "clips folder is in use by" in successor.log_text(), 10, "it waits")
    assert system.services["recorder"].stop(signal.SIGTERM) == 0
    wait_until(lambda: "recorder is ready" in successor.log_text(), 20, "it has taken over")
    system.services["recorder"] = successor
    system.wait_live("cam1")
    (clip,) = system.wait_state(event["event_id"], "ready")["clips"]
    assert "the recorder was stopped" in clip["shortfall"]
    assert "salvaged" not in successor.log_text()
