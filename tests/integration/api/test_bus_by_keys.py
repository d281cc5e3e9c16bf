"""What may be said on the bus with which key, over real sockets with CURVE."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import zmq

from preroll import keys, sockets, wire
from preroll.keys import Keys
from services.api.bus_receiver import CAPTURES_MAX
from tests.support.recorder import RunningApi, camera_of, event_of
from tests.support.sse import SseClient
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


class Sender:
    """Who speaks on the bus with one key; without one, in plaintext."""

    def __init__(self, context: Context, api: RunningApi, folder: Path | None, name: str) -> None:
        self._number = 0
        self.name = name
        self._socket = sockets.bus_sender(context)
        sockets.connect(self._socket, api.bus_address, Keys.load(folder, name).toward("api") if folder else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, kind: type[wire.BusMessage], service: str, instance: str, **more: Any) -> None:
        stamp = {"service": service, "instance": instance, "sender_id": self.name, "number": self._number, "unix_ns": 1}
        self._number += 1
        self._socket.send(wire.encode(kind.model_validate({**stamp, **more})))

    def log(self, message: str, service: str, instance: str, **fields: Any) -> None:
        self.say(wire.LogMessage, service, instance, level="ERROR", logger="t", message=message, fields=fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.write_pairs(tmp_path / "keys", ["recorder", "api", "capture", "door", "press"])
    return tmp_path / "keys"


@pytest.fixture
def guarded(context: Context, tmp_path: Path, folder: Path) -> Iterator[RunningApi]:
    with RunningApi(context, tmp_path, recorder_timeout_s=0.2, keys_dir=folder) as running:
        yield running


def records(api: RunningApi) -> list[tuple[str, str | None]]:
    found = api.http.get("/logs/history").json()["records"]
    return [(record["message"], record["key"]) for record in found if record["message"].startswith("m")]


def figures(api: RunningApi) -> dict[str, Any]:
    status: dict[str, Any] = api.http.get("/status").json()
    return status


def test_a_stolen_camera_lies_about_itself_alone(
    context: Context, guarded: RunningApi, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Sender(context, guarded, folder, "door") as door,
        Sender(context, guarded, folder, "capture") as shared,
        SseClient(f"{guarded.url}/logs?replay=none") as watching,
    ):
        door.log("mine", "capture", "door")
        wait_until(lambda: records(guarded) == [("mine", "door")], 5)
        door.log("m1", "recorder", "host")
        door.log("m2", "api", "host")
        door.log("m3", "capture", "press")
        door.log("m4", "capture", "door", camera_id="press")
        door.log("m5", "capture", "door", event_id="line4-0017")
        shared.log("m6", "capture", "press")
        shared.log("m7", "recorder", "host")
        door.say(wire.EventDeleted, "recorder", "host", event_id="line4-0017", reason="asked")
        door.say(wire.EventChanged, "capture", "door", event=event_of("line4-0017").model_dump())
        door.say(wire.CameraChanged, "recorder", "host", camera=camera_of("press", "lost").model_dump())
        figures_of_press = {"camera_id": "press", "run_id": "r", "source": "forged", "is_open": False}
        counts = {"fps": 1.0, "frames": 1, "rejected": 0, "reopened": 0}
        door.say(wire.CaptureStatus, "capture", "door", **figures_of_press, **counts)
        wait_until(lambda: figures(guarded)["bus_refused"] == 11, 5)
        shared.log("more", "capture", "yard-1", camera_id="yard-1")
        wait_until(lambda: ("more", "capture") in [(r["message"], r["key"]) for r in watching.records()], 5)
        assert {entry.event for entry in watching.received} <= {"log", "message"}, "nothing of a service was passed on"
    assert records(guarded) == [("mine", "door"), ("more", "capture")]
    assert "preroll_bus_messages_refused_total 11.0" in guarded.http.get("/metrics").text
    told = [record.message for record in caplog.records if record.message.startswith("bus message refused")]
    assert told[0] == "bus message refused: key 'door' is a capture's and does not say log as service 'recorder'"
    assert len(told) <= 3


def test_each_service_is_heard_with_its_own_key(context: Context, guarded: RunningApi, folder: Path) -> None:
    with Sender(context, guarded, folder, "recorder") as recorder, Sender(context, guarded, folder, "api") as api:
        recorder.log("m1", "recorder", "host", camera_id="press", event_id="line4-0017")
        recorder.say(wire.EventChanged, "recorder", "host", event=event_of("line4-0017").model_dump())
        api.log("m2", "api", "host")
        wait_until(lambda: sorted(records(guarded)) == [("m1", "recorder"), ("m2", "api")], 5)
        recorder.log("m3", "api", "host")
        api.log("m4", "recorder", "host")
        wait_until(lambda: figures(guarded)["bus_refused"] == 2, 5)
    assert len(records(guarded)) == 2


def test_one_key_displaces_no_other_cameras_status(context: Context, guarded: RunningApi, folder: Path) -> None:
    figures_of_one = {"run_id": "r", "source": "a camera", "is_open": True, "fps": 1.0}
    counts = {"frames": 1, "rejected": 0, "reopened": 0}
    numbered = [f"door-{number}" for number in range(CAPTURES_MAX + 1)]
    with Sender(context, guarded, folder, "press") as press, Sender(context, guarded, folder, "door") as door:
        press.say(wire.CaptureStatus, "capture", "press", camera_id="press", **figures_of_one, **counts)
        wait_until(lambda: figures(guarded)["bus_received"] == 1, 5)
        for name in numbered:
            door.say(wire.CaptureStatus, "capture", name, camera_id=name, **figures_of_one, **counts)
        wait_until(lambda: figures(guarded)["bus_received"] == 1 + len(numbered), 10)
        camera = camera_of("press").model_dump()
        with Sender(context, guarded, folder, "recorder") as recorder, SseClient(f"{guarded.url}/logs") as watching:
            recorder.say(wire.CameraChanged, "recorder", "host", camera=camera)
            wait_until(lambda: "camera" in {entry.event for entry in watching.received}, 5)
    (told,) = [entry.data for entry in watching.received if entry.event == "camera"]
    assert isinstance(told, dict)
    assert told["source"] == "a camera"


def test_a_key_that_is_removed_says_no_more(
    context: Context, guarded: RunningApi, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sender(context, guarded, folder, "door") as door:
        door.log("m1", "capture", "door")
        wait_until(lambda: records(guarded), 5)
        (folder / "public" / "door.client").unlink()

        def refused() -> int:
            door.log("m2", "capture", "door")
            return int(figures(guarded)["bus_refused"])

        wait_until(refused, 5)
    assert "its key was removed" in caplog.text


def test_in_plaintext_no_record_has_a_key_whatever_the_peer_states(context: Context, api: RunningApi) -> None:
    with Sender(context, api, None, "door") as sender:
        sender.log("m1", "recorder", "host")
        wait_until(lambda: records(api), 5)
    record = wire.LogMessage(
        service="api", instance="h", sender_id="raw", number=0, unix_ns=1, level="INFO", logger="t", message="m2"
    )
    port = int(api.bus_address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
        ready = b"\x05READY" + _property(b"Socket-Type", b"PUSH") + _property(b"User-Id", b"recorder")
        raw.sendall(greeting + bytes([4, len(ready)]) + ready)
        answer = b""
        while b"Socket-Type" not in answer:  # its own READY, before which it takes no message
            answer += raw.recv(1024)
        encoded = wire.encode(record)
        raw.sendall(bytes([0, len(encoded)]) + encoded)  # ZMTP 3.0: a short message of one part
        wait_until(lambda: len(records(api)) == 2, 5)
    assert sorted(records(api), key=str) == [("m1", None), ("m2", None)]


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
