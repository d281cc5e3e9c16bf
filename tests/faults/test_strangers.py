"""ZeroMQ peers with no key or a wrong one: nothing in, nothing out, counted, and the services go on."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from preroll import keys, sockets, wire
from preroll.clock import SystemClock, read_boot_id
from tests.support.judging import judge, window_of
from tests.support.secured import STRANGERS, Kind, Peer, SecuredSystem
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSystem]:
    with SecuredSystem(tmp_path_factory.mktemp("secured")) as made:
        made.start("api")
        made.start("recorder")
        made.start_capture("cam1", frames_bind=made.watch_address)
        made.wait_ready()
        yield made


def refusals(system: SecuredSystem) -> tuple[int, int, int]:
    """Peers refused by the recorder, the API and the capture, as each of them says."""
    status = system.http.get("/status").json()
    told = re.findall(r'"peer refused".*"refused": (\d+)', system.services["cam1"].log_text())
    return status["recorder"]["peers_refused"], status["peers_refused"], int(told[-1]) if told else 0


def a_message(text: str = "a stranger was here", service: str = "capture", instance: str = "ghost") -> bytes:
    stamp = {"service": service, "instance": instance, "sender_id": "0" * 16, "number": 0, "unix_ns": 1}
    more = {"level": "ERROR", "logger": "ghost", "message": text, "fields": {}}
    return wire.encode(wire.LogMessage.model_validate({**stamp, **more}))


def a_frame(camera_id: str = "ghost") -> list[bytes]:
    clock = SystemClock()
    header = wire.FrameHeader(
        camera_id=camera_id,
        boot_id=read_boot_id(),
        run_id="0" * 16,
        seq=0,
        rejected=0,
        monotonic_ns=clock.monotonic_ns(),
        unix_ns=clock.unix_ns(),
        codec="jpeg",
        keyframe=True,
        width=16,
        height=16,
    )
    return [wire.topic_of(camera_id), wire.encode_header(header), b"\xff\xd8\xff\xd9"]


def speak(peer: Peer) -> None:
    """Send something by every socket; one whose connection has been refused already has nowhere to send to."""
    for socket, parts in (
        (peer.control, [wire.encode(wire.GetHealth())]),
        (peer.query, [wire.encode(wire.GetHealth())]),
        (peer.bus, [a_message()]),
        (peer.frames, a_frame()),
    ):
        with contextlib.suppress(zmq.Again):
            socket.send_multipart(parts, zmq.DONTWAIT)


def history(system: SecuredSystem, text: str = "", **wanted: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]]
    records = system.http.get("/logs/history", params={"text": text, **wanted}).json()["records"]
    return records


def stranger_was_heard(system: SecuredSystem) -> bool:
    return bool(history(system, "a stranger was here"))


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_gets_nothing_in_and_nothing_out_and_is_counted(
    system: SecuredSystem, context: Context, kind: Kind
) -> None:
    before = refusals(system)
    with Peer.knocking(context, system, kind) as peer:
        speak(peer)

        def all_refused() -> bool:
            now = refusals(system)
            return now[0] >= before[0] + 3 and now[1] > before[1] and now[2] > before[2]

        wait_until(all_refused, 20, f"each of the stranger's sockets is refused, {before} before")
        peer.frames.send_multipart(a_frame(), zmq.DONTWAIT)
        system.wait_frames(10, "cam1")
        assert peer.heard() == []
    assert "ghost" not in system.cameras()
    assert not stranger_was_heard(system)


def test_who_has_a_key_is_heard_and_answered(system: SecuredSystem, context: Context) -> None:
    """The other side of the test above: with a known key, the very same messages arrive."""
    with Peer.knocking(context, system, "known key") as peer:
        speak(peer)
        wait_until(lambda: sockets.poll(peer.frames, 0), 10, "the recorder subscribes to the peer's frames")
        peer.frames.send_multipart(a_frame(), zmq.DONTWAIT)
        wait_until(lambda: set(peer.heard()) == {"frames", "control", "query", "watcher"}, 10)
        wait_until(lambda: "ghost" in system.cameras(), 10)
        wait_until(lambda: stranger_was_heard(system), 10)
        assert isinstance(wire.decode_reply(peer.query.recv()), wire.HealthReply)


def is_let_in(system: SecuredSystem, context: Context, own: keys.ClientKeys, timeout_s: float) -> bool:
    """Whether the recorder subscribes to the frames of who has those keys."""
    with context.socket(zmq.XPUB) as frames:
        frames.linger = 0
        sockets.connect(frames, system.frames_address, own)
        return sockets.poll(frames, timeout_s)


def test_a_camera_that_was_added_while_the_services_run_is_let_in(system: SecuredSystem, context: Context) -> None:
    keys.write_pairs(system.keys_dir, ["latecomer"])
    latecomer = keys.Keys.load(system.keys_dir, "latecomer").toward("recorder")
    assert is_let_in(system, context, latecomer, 10)
    (system.keys_dir / "public" / "latecomer.client").unlink()
    assert not is_let_in(system, context, latecomer, 1)


def test_who_has_one_cameras_key_does_nothing_to_events_and_other_cameras(
    system: SecuredSystem, context: Context
) -> None:
    keys.write_pairs(system.keys_dir, ["stolen"])
    own = keys.Keys.load(system.keys_dir, "stolen")
    system.wait_ring(2, "cam1")
    event_id = system.trigger(pre_s=1, post_s=2, cameras=["cam1"])["event_id"]
    assert system.http.put(f"/events/{event_id}/protection", json={"protected": True}).status_code == 200
    refused = system.http.get("/status").json()["recorder"]["peers_refused"]
    with contextlib.ExitStack() as opened:

        def knock(socket: zmq.Socket[bytes], address: str, server: str) -> zmq.Socket[bytes]:
            opened.enter_context(socket)
            socket.linger = 0
            socket.immediate = False
            sockets.connect(socket, address, own.toward(server))
            return socket

        asking = []
        for address, message in (
            (system.query_address, wire.ListEvents()),
            (system.query_address, wire.GetFrame(camera_id="cam1")),
            (system.control_address, wire.ProtectEvent(event_id=event_id, is_protected=False)),
            (system.control_address, wire.DeleteEvent(event_id=event_id)),
        ):
            asking.append(knock(sockets.requester(context), address, "recorder"))
            asking[-1].send(wire.encode(message))
        bus = knock(sockets.bus_sender(context), system.bus_address, "api")
        gone = {"service": "recorder", "instance": "host", "sender_id": "0" * 16, "number": 0, "unix_ns": 1}
        bus.send(wire.encode(wire.EventDeleted.model_validate({**gone, "event_id": event_id, "reason": "asked"})))
        bus.send(a_message("a stolen key was here", "recorder"))
        bus.send(a_message("a stolen key spoke for itself", "capture", "stolen"))
        frames = knock(context.socket(zmq.XPUB), system.frames_address, "recorder")
        assert sockets.poll(frames, 10)

        def forged() -> int:
            frames.send_multipart(a_frame("cam1"))
            (camera,) = [each for each in system.http.get("/cameras").json() if each["camera_id"] == "cam1"]
            return int(camera["losses"]["refused_foreign_key"])

        wait_until(lambda: forged() > 3, 10)
        wait_until(lambda: system.http.get("/status").json()["recorder"]["peers_refused"] >= refused + 4, 10)
        said = wait_until(lambda: history(system, "a stolen key"), 10)
        assert [(record["message"], record["service"], record["key"]) for record in said] == [
            ("a stolen key spoke for itself", "capture", "stolen")
        ]
        assert system.http.get("/status").json()["bus_refused"] >= 2
        assert not any(sockets.poll(socket, 0) for socket in asking)
    event = system.wait_state(event_id, "ready")
    assert event["protected"] is True
    assert event["clips"][0]["complete"] is True, event
    said_by = {(record["service"], record["key"]) for record in history(system)}
    services = {(service, service) for service in ("recorder", "api", "capture")}
    assert services <= said_by <= {*services, ("capture", "stolen")}


def test_a_camera_with_keys_of_its_own_uses_them(system: SecuredSystem) -> None:
    keys.write_pairs(system.keys_dir, ["door"])
    system.start_capture("door-1", fps=5)
    system.wait_live("door-1")
    wait_until(
        lambda: {record["key"] for record in history(system, camera="door-1", service="capture")} == {"door"}, 10
    )
    assert system.services["door-1"].stop() == 0


def test_a_trigger_gives_a_complete_clip_over_encrypted_lines(system: SecuredSystem, tmp_path: Path) -> None:
    system.wait_ring(3, "cam1")
    event = system.wait_state(system.trigger(pre_s=2, post_s=1, cameras=["cam1"])["event_id"], "ready")
    (clip,) = event["clips"]
    assert clip["complete"] is True, clip
    judge(system.download(clip["files"]["clip"]["url"], tmp_path / "cam1.mp4"), window_of(event))
