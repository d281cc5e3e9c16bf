"""Faults 6, 7 and 8: a dark network, a recorder at another address, names that do not resolve."""

import time
from pathlib import Path

import pytest

from tests.support.explaining import drawn, shown
from tests.support.network import Namespace
from tests.support.processes import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


def anywhere(address: str, host: str = "0.0.0.0") -> str:
    return f"tcp://{host}:{address.rpartition(':')[2]}"


@pytest.mark.parametrize("dark_s", [4, pytest.param(15, marks=pytest.mark.soak)])
def test_after_a_dark_network_every_missing_number_is_counted(tmp_path: Path, dark_s: float) -> None:
    with Namespace() as network, System(tmp_path) as system:
        system.start("api", bus_bind=anywhere(system.bus_address), allow_plaintext=True)
        frames = anywhere(system.frames_address)
        system.start(
            "recorder",
            frames_bind=frames,
            allow_plaintext=True,
            ring_s=dark_s + 30,
            pre_s=0.5,
            post_s=0.5,
            format="mjpeg",
        )
        system.start_capture(
            "cam1",
            within=network.command,
            frames_connect=anywhere(system.frames_address, network.outside),
            bus_connect=anywhere(system.bus_address, network.outside),
            width=1280,
            height=720,
        )
        system.wait_ready()
        system.wait_live("cam1")
        system.wait_ring(1, "cam1")
        system.trigger(event_id="across", pre_s=0.5, post_s=dark_s + 1)
        system.wait_frames(10, "cam1")
        run_id = system.cameras()["cam1"]["run_id"]
        network.pull_cable()
        began_s, began_unix_s = time.monotonic(), time.time()
        wait_until(lambda: system.cameras()["cam1"]["state"] == "stalled", 10, "the camera counts as stalled")
        system.trigger(event_id="within", pre_s=0.2, post_s=0.2)
        wait_until(lambda: time.monotonic() >= began_s + dark_s, dark_s + 1)
        network.plug_cable()
        system.wait_live("cam1", timeout_s=30)
        system.wait_frames(30, "cam1")
        assert system.cameras()["cam1"]["run_id"] == run_id

        across = shown(system, "across")
        drawn(across)
        wait_until(lambda: system.event("within")["state"] in {"ready", "failed"}, 20, "it is ready or failed")
        assert system.event("within")["clips"][0]["shortfall"]
        # The ring knows now all that ever came: the whole darkness in one clip, each number there or accounted for.
        now = time.time()
        system.trigger(event_id="whole", at=began_unix_s, pre_s=0.5, post_s=now - began_unix_s - 0.5)
        whole = shown(system, "whole")
        drawn(whole)
        losses = system.cameras()["cam1"]["losses"]
        assert losses["lost_on_wire"] == whole.lost("lost_on_wire")
        assert {name for name, count in losses.items() if count} <= {"lost_on_wire"}
        system.trigger(event_id="after")
        assert shown(system, "after").clip["complete"] is True


def test_names_that_do_not_resolve_and_then_do_and_then_move(tmp_path: Path) -> None:
    with Namespace() as network, System(tmp_path) as system:
        control, queries, frames, bus = (
            address.rpartition(":")[2]
            for address in (system.control_address, system.query_address, system.frames_address, system.bus_address)
        )
        system.http.base_url = f"http://{network.inside}:{system.http_port}"
        system.start(
            "api",
            within=network.command,
            host="0.0.0.0",
            allow_anonymous=True,
            allow_plaintext=True,
            bus_bind=f"tcp://0.0.0.0:{bus}",
            control_connect=f"tcp://recorder:{control}",
            query_connect=f"tcp://recorder:{queries}",
        )
        system.start_capture(
            "cam1",
            within=network.command,
            frames_connect=f"tcp://recorder:{frames}",
            bus_connect=f"tcp://127.0.0.1:{bus}",
        )

        def start_recorder(host: str) -> None:
            system.start(
                "recorder",
                frames_bind=f"tcp://{host}:{frames}",
                control_bind=f"tcp://{host}:{control}",
                query_bind=f"tcp://{host}:{queries}",
                bus_connect=f"tcp://{network.inside}:{bus}",
                allow_plaintext=True,
                pre_s=0.5,
                post_s=0.5,
                format="mjpeg",
            )

        start_recorder(network.outside)
        wait_until(lambda: (answer := system.get("/healthz")) is not None and answer.status_code == 200, 20)
        answer = system.http.get("/cameras")
        assert (answer.status_code, answer.json()["code"]) == (503, "recorder_away")
        assert system.http.post("/trigger").status_code == 503
        records = wait_until(
            lambda: [
                record
                for record in system.http.get("/logs/history").json()["records"]
                if record["service"] in ("capture", "recorder")
            ],
            10,
            "the others are heard, though nobody hears them",
        )
        assert records

        network.name_hosts({"recorder": network.outside})
        system.wait_ready()
        system.wait_live("cam1")
        system.wait_ring(1, "cam1")
        system.trigger(event_id="here")
        assert shown(system, "here").clip["complete"] is True

        assert system.services.pop("recorder").stop() == 0
        network.name_hosts({"recorder": network.beside})
        start_recorder(network.beside)
        wait_until(lambda: (answer := system.get("/cameras")) is not None and answer.status_code == 200, 20)
        system.wait_unbroken(1, "cam1")
        system.trigger(event_id="there")
        moved = shown(system, "there")
        assert moved.clip["complete"] is True
        drawn(moved)
        drawn(shown(system, "here"))
