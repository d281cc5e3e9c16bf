"""Chaos: kills, restarts, pauses, clock steps, a full and a frozen disk, a dark network, strangers, all at random.

PREROLL_CHAOS_SEEDS="17 18" runs these seeds, by default twenty new ones; PREROLL_CHAOS_S is how long each takes. A seed
that has failed once is kept in `KEPT` and runs each time.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.support.chaos.callers import Caller
from tests.support.chaos.lanes import LANES, Lane
from tests.support.chaos.promises import broken_promises
from tests.support.chaos.scene import CAMERAS, Scene
from tests.support.explaining import shown
from tests.support.processes import REPOSITORY
from tests.support.waiting import wait_until

LENGTH_S: Final = float(os.environ.get("PREROLL_CHAOS_S", "180"))
KEPT: Final[tuple[int, ...]] = ()
NEW: Final = 20
LOOK_EVERY_S: Final = 0.5


def seeds() -> list[int]:
    asked = os.environ.get("PREROLL_CHAOS_SEEDS")
    return [int(seed) for seed in asked.split()] if asked else [*KEPT, *(random.randrange(10**6) for _ in range(NEW))]


@pytest.mark.soak
@pytest.mark.timeout(LENGTH_S + 900)
@pytest.mark.parametrize("seed", seeds())
def test_what_was_accepted_exists_and_is_true(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}, {LENGTH_S:g} s", flush=True)
    with Scene(tmp_path) as scene:
        caller = Caller(scene, seed)
        lanes = [Lane(scene, seed, step, every_s) for step, every_s in LANES]
        caller.start()
        for lane in lanes:
            lane.start()
        _look_after(scene, LENGTH_S)
        for lane in lanes:
            lane.close()
        scene.heal()
        _look_after(scene, 3.0)
        caller.close()
        wait_until(lambda: _is_well(scene), 60, "all is well again")
        scene.failures += broken_promises(scene, caller.told)
        event = scene.system.trigger(event_id="after", cameras=list(CAMERAS), pre_s=1, post_s=1)
        for camera_id in CAMERAS:
            assert shown(scene.system, event["event_id"], camera_id).clip["complete"]
        told = caller.told
        print(
            f"{len(told.accepted)} accepted, {len(told.deleted)} deleted, {len(told.in_doubt)} in doubt, {told.refused}"
        )
        scene.failures += _differences(scene)
        assert not scene.failures, f"seed {seed}:\n" + "\n".join(scene.failures)
        assert len(told.accepted) > LENGTH_S / 6, f"only {len(told.accepted)} triggers were accepted"


def _look_after(scene: Scene, length_s: float) -> None:
    """As a restart policy does, for `length_s` seconds."""
    until_s = time.monotonic() + length_s

    def is_over() -> bool:
        for service in scene.services.values():
            service.look_after()
        return time.monotonic() > until_s

    wait_until(is_over, length_s + 120)


def _is_well(scene: Scene) -> bool:
    for service in scene.services.values():
        service.look_after()
    cameras = scene.system.cameras()
    ready = scene.system.get("/readyz")
    return (
        ready is not None
        and ready.status_code == 200
        and all(cameras.get(name, {}).get("state") == "live" and cameras[name]["ring_s"] > 4 for name in CAMERAS)
    )


def _differences(scene: Scene) -> list[str]:
    """What `check` finds between index, sidecars and files."""
    checked = subprocess.run(
        [sys.executable, "-m", "services.recorder", "check"],
        cwd=REPOSITORY,
        env=scene.system.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [] if checked.returncode == 0 else [f"check: {checked.stdout}{checked.stderr}"[-3000:]]
