"""ZeroMQ peers with no key or a wrong one: nothing in, nothing out, counted, and the services go on."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

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


def a_message() -> bytes:
    stamp = {"service": "capture", "instance": "ghost", "sender_id": "0" * 16, "number": 0, "unix_ns": 1}
    text = {"level": "ERROR", "logger": "ghost", "message": "a stranger was here", "fields": {}}
    return wire.encode(wire.LogMessage.model_validate({**stamp, **text}))


def a_frame() -> list[bytes]:
    clock = SystemClock()
    header = wire.FrameHeader(
        camera_id="ghost",
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
    return [wire.topic_of("ghost"), wire.encode_header(header), b"\xff\xd8\xff\xd9"]


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


def stranger_was_heard(system: SecuredSystem) -> bool:
    history = system.http.get("/logs/history", params={"text": "a stranger was here"}).json()
    return bool(history["records"])


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


def test_a_client_that_was_added_while_the_services_run_is_let_in(system: SecuredSystem, context: Context) -> None:
    keys.write_pairs(system.keys_dir, ["latecomer"])
    latecomer = keys.Keys.load(system.keys_dir, "latecomer").toward("recorder")
    message = wire.encode(wire.GetHealth())
    assert sockets.request(context, system.query_address, message, 10, latecomer) is not None
    (system.keys_dir / "public" / "latecomer.client").unlink()
    assert sockets.request(context, system.query_address, message, 1, latecomer) is None


def test_a_trigger_gives_a_complete_clip_over_encrypted_lines(system: SecuredSystem, tmp_path: Path) -> None:
    system.wait_ring(3, "cam1")
    event = system.wait_state(system.trigger(pre_s=2, post_s=1, cameras=["cam1"])["event_id"], "ready")
    (clip,) = event["clips"]
    assert clip["complete"] is True, clip
    judge(system.download(clip["files"]["clip"]["url"], tmp_path / "cam1.mp4"), window_of(event))
