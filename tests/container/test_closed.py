"""The containers with keys between them, and published to other machines."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from preroll import keys
from tests.support.containers import Compose, need_engine
from tests.support.judging import judge, window_of
from tests.support.processes import REPOSITORY
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

CONTAINER_USER = 10001
KEY = "operate-" + "o" * 16


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    need_engine()
    made = Compose(tmp_path)
    try:
        yield made
    except BaseException as err:
        err.add_note(made("logs", "--tail", "50", check=False))
        raise
    finally:
        made.down()


def test_with_keys_the_containers_are_healthy_and_deliver(compose: Compose, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give the keys to the containers' user")
    folder = tmp_path / "keys"
    keys.write_pairs(folder)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, CONTAINER_USER, CONTAINER_USER)
    overlay = tmp_path / "compose.curve.yaml"  # the real one, with the keys where this test has them
    overlay.write_text((REPOSITORY / "compose.curve.yaml").read_text().replace("./secrets/keys", str(folder)))
    compose.files.append(str(overlay))
    compose("up", "--build", "--detach")
    compose.system.wait_live("capture-1", timeout_s=60)
    compose.system.wait_ring(3, "capture-1")
    event = compose.system.wait_state(compose.system.trigger(pre_s=2, post_s=1)["event_id"], "ready")
    (clip,) = event["clips"]
    assert clip["complete"] is True, clip
    judge(compose.system.download(clip["files"]["clip"]["url"], tmp_path / "clip.mp4"), window_of(event))
    compose.wait_healthy("api", "recorder", "capture")
    seen = compose("exec", "capture", "sh", "-c", "cd /keys && echo *").split()
    assert seen == ["capture", "public"]


def test_who_publishes_to_other_machines_needs_a_key(compose: Compose, tmp_path: Path) -> None:
    compose.environment["PREROLL_PUBLISH"] = "0.0.0.0"
    compose("build", "api")
    refused = compose.run("run", "--rm", "--no-deps", "api")
    assert refused.returncode == 2
    assert (
        "PREROLL_API_PUBLISHED_ON='0.0.0.0' is reachable from other machines: set PREROLL_API_KEY"
        in refused.stdout + (refused.stderr)
    )

    with_key = tmp_path / "key.yaml"
    with_key.write_text(f"services: {{ api: {{ environment: {{ PREROLL_API_KEY: {KEY} }} }} }}\n")
    compose.files.append(str(with_key))
    compose("up", "--detach", "--no-deps", "api")

    def status_with(headers: dict[str, str]) -> int:
        try:
            return compose.system.http.get("/cameras", headers=headers).status_code
        except httpx.TransportError:
            return 0

    wait_until(lambda: status_with({}) == 401, 60, "the API refuses who has no key")
    assert status_with({"authorization": f"Bearer {KEY}"}) == 503  # let in; there is no recorder here
    (published,) = [
        entry
        for container in compose.containers()
        for entry in container["Publishers"] or []  # type: ignore[attr-defined]
        if entry["URL"] == "0.0.0.0"
    ]
    assert published["TargetPort"] == 8000
    compose.wait_healthy("api")
