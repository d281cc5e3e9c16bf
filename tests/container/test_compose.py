"""`docker compose up`, as a person on a PC uses it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Compose, need_engine
from tests.support.judging import codec_of, judge, window_of
from tests.support.processes import REPOSITORY
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    need_engine()
    made = Compose(tmp_path_factory.mktemp("compose"))
    try:
        made("up", "--build", "--detach")
        wait_until(
            lambda: (answer := made.system.get("/readyz")) is not None and answer.status_code == 200, 60, "ready"
        )
        yield made
    except BaseException as err:
        err.add_note(made("logs", "--tail", "50", check=False))
        raise
    finally:
        made.down()


def test_a_trigger_through_the_published_port_gives_a_clip(compose: Compose, tmp_path: Path) -> None:
    compose.system.wait_ring(6, "capture-1")
    event = compose.system.wait_state(compose.system.trigger()["event_id"], "ready")
    (clip,) = event["clips"]
    assert clip["complete"] is True, clip
    file = compose.system.download(clip["files"]["clip"]["url"], tmp_path / "clip.mp4")
    assert codec_of(file) == ("h264", "yuv420p")
    judge(file, window_of(event))


def test_scaling_gives_cameras_with_ids_of_their_own(compose: Compose) -> None:
    compose("up", "--detach", "--no-recreate", "--scale", "capture=3")
    compose.system.wait_live("capture-1", "capture-2", "capture-3", timeout_s=60)
    event = compose.system.wait_state(compose.system.trigger(pre_s=0.5, post_s=1)["event_id"], "ready")
    assert sorted(clip["camera_id"] for clip in event["clips"]) == ["capture-1", "capture-2", "capture-3"]
    compose("up", "--detach", "--no-recreate", "--scale", "capture=1")


def test_a_camera_is_added_by_the_documented_stanza(compose: Compose, tmp_path: Path) -> None:
    stanza = tmp_path / "cameras.yaml"
    stanza.write_text(
        "services:\n"
        "  drawn:\n"
        f"    extends: {{ file: {REPOSITORY}/compose.base.yaml, service: capture }}\n"
        '    environment: { PREROLL_CAPTURE_SOURCE: "synthetic:", PREROLL_CAPTURE_FPS: 15 }\n'
    )
    compose.files.append(str(stanza))
    compose("up", "--detach", "--no-recreate")
    compose.system.wait_live("drawn-1", timeout_s=60)
    fps = wait_until(lambda: compose.system.cameras()["drawn-1"]["fps"], 10)
    assert 13 < float(fps) < 17


@pytest.mark.parametrize("beside", ["compose.cameras.example.yaml", "compose.realtime.yaml"])
def test_what_may_stand_beside_it_is_valid(compose: Compose, beside: str) -> None:
    told = subprocess.run(
        ["docker", "compose", "-f", "compose.yaml", "-f", beside, "config", "--quiet"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("service", ["api", "recorder", "capture"])
def test_a_container_has_no_more_rights_than_it_needs(compose: Compose, service: str) -> None:
    facts = compose.inspect(service)
    config, host = facts["Config"], facts["HostConfig"]
    assert isinstance(config, dict)
    assert isinstance(host, dict)
    assert config["User"] == "10001:10001"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Init"] is True
    assert host["Memory"] > 0
    assert host["LogConfig"]["Type"] == "local"
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", ["api", "recorder", "capture"])
def test_a_container_is_healthy(compose: Compose, service: str) -> None:
    compose.wait_healthy(service)


def test_the_api_cannot_write_to_the_clips(compose: Compose) -> None:
    assert (
        compose("exec", "api", "sh", "-c", "touch /clips/x 2>/dev/null && echo written || echo refused") == "refused\n"
    )


def test_only_the_api_is_published_and_on_loopback(compose: Compose) -> None:
    published = [
        (entry["URL"], entry["TargetPort"])
        for container in compose.containers()
        for entry in _publishers(container)
        if entry["PublishedPort"]
    ]
    assert published == [("127.0.0.1", 8000)]


def _publishers(container: dict[str, object]) -> list[dict[str, object]]:
    listed = container["Publishers"] or []
    assert isinstance(listed, list)
    return listed


def test_stopping_ends_every_container_with_code_0(compose: Compose) -> None:
    compose("stop")
    codes = {str(container["Name"]): container["ExitCode"] for container in compose.containers()}
    assert len(codes) >= 3
    assert set(codes.values()) == {0}, codes
