"""An API of which a part has died or hangs does not look alive."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq

from preroll import sockets
from preroll.runtime.threads import WEDGED_EXIT_CODE
from services.api import schemas, service
from services.api.bus_receiver import BusReceiver
from tests.support.recorder import RunningApi
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


def test_an_event_loop_that_hangs_ends_the_api(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOP_LIMIT_S", 0.4)
    monkeypatch.setattr(service, "BEAT_S", 0.02)
    released = threading.Event()

    def hang(**_: object) -> schemas.Alive:
        released.wait(10)
        return schemas.Alive.model_construct()

    with RunningApi(context, tmp_path) as api:
        monkeypatch.setattr("services.api.routes.health.schemas.Alive", hang)

        def ask() -> None:
            try:
                httpx.get(f"{api.url}/healthz", timeout=10, trust_env=False)
            except httpx.TransportError:
                pass

        asking = threading.Thread(target=ask)
        asking.start()
        assert api.shutdown.wait(5)
        released.set()
        asking.join()
    assert api.shutdown.exit_code == WEDGED_EXIT_CODE
    assert api.shutdown.reason.startswith("event loop silent for")


def test_an_api_that_hears_the_bus_no_more_ends(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: BusReceiver) -> None:
        raise zmq.ZMQError(zmq.ENOTSOCK)

    monkeypatch.setattr(BusReceiver, "run", fail)
    with RunningApi(context, tmp_path) as api:
        assert api.shutdown.wait(5)
    assert api.shutdown.exit_code == 1
    assert api.shutdown.reason.startswith("task bus failed: ZMQError")


def test_a_bus_message_that_cannot_be_taken_in_costs_itself_alone(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    take = BusReceiver.take

    def fail_once(receiver: BusReceiver, part: zmq.Frame) -> None:
        taken.append(part)
        if len(taken) == 1:
            raise RecursionError("odd")
        take(receiver, part)

    monkeypatch.setattr(BusReceiver, "take", fail_once)
    with RunningApi(context, tmp_path) as api, sockets.bus_sender(context) as sender:
        sender.connect(api.bus_address)
        sender.send(b"odd")
        sender.send(b"odd")
        wait_until(lambda: len(taken) == 2, 5, "both are taken")
        wait_until(lambda: api.http.get("/status").json()["bus_malformed"] == 2, 5, "both are counted")
        assert not api.shutdown.requested
