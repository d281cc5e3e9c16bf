"""Fault 24: over a long time of triggers and viewers, memory, threads and descriptors stay flat."""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.explaining import shown
from tests.support.processes import System
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

SOAK_S = float(os.environ.get("PREROLL_SOAK_S", "600"))
WARM_UP = 0.25  # of the time: rings fill, workers start, allocators find their size
CAMERAS = ("cam1", "cam2")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process holds: resident bytes, threads, open descriptors."""

    memory_bytes: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> "Sample":
        process = Path(f"/proc/{pid}")
        resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return cls(resident, len(list((process / "task").iterdir())), len(list((process / "fd").iterdir())))


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 300)
def test_memory_threads_and_descriptors_stay_flat(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all(*CAMERAS, ring_s=5, pre_s=1, post_s=1, retention_max_gb=0.05)
        system.wait_ring(4.5, *CAMERAS)
        samples: dict[str, list[Sample]] = {name: [] for name in system.services}
        began = time.monotonic()
        number = 0
        while (passed_s := time.monotonic() - began) < SOAK_S:
            event_id = f"soak-{number}"
            with SseClient(f"{system.url}/logs") as viewer:
                system.trigger(event_id=event_id, labels={"number": str(number)})
                for camera_id in CAMERAS:
                    assert shown(system, event_id, camera_id).clip["complete"]
                    (tmp_path / f"{event_id}-{camera_id}.mp4").unlink()
                    assert system.http.get(f"/cameras/{camera_id}/frames/latest").status_code in (200, 404)
                wait_until(lambda seen=viewer: bool(seen.received), 10)  # type: ignore[misc]
            if passed_s > SOAK_S * WARM_UP:
                for name, service in system.services.items():
                    samples[name].append(Sample.of(service.pid))
            number += 1
        assert number > SOAK_S / 20, f"{number} events in {SOAK_S:g} s"
        for camera in system.cameras().values():
            assert set(camera["losses"].values()) == {0}, camera
        for name, taken in samples.items():
            third = max(1, len(taken) // 3)
            early, late = taken[:third], taken[-third:]
            for what, slack in {"memory_bytes": 8_000_000, "threads": 1, "descriptors": 3}.items():
                before = statistics.median(getattr(sample, what) for sample in early)
                after = statistics.median(getattr(sample, what) for sample in late)
                assert after <= before * 1.05 + slack, (
                    f"{name}: {what} grew from {before} to {after} in {number} events"
                )
