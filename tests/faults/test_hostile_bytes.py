"""Faults 10, 11 and 12 at the sockets: pictures that are none, messages too large, multiparts and msgpack of any kind."""

import os
import socket as sockets_of_python
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import msgpack
import msgspec
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zmq.utils.monitor import recv_monitor_message

from preroll import sockets, wire
from preroll.clock import read_boot_id
from tests.support.explaining import drawn, shown
from tests.support.frames import jpeg
from tests.support.processes import Json, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

TOO_LARGE = 64 * 1024 * 1024
Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("hostile")) as made:
        made.start_all("cam1", ring_s=5, pre_s=0.5, post_s=0.5, max_clip_s=60, max_ahead_s=1, retention_days=0)
        made.wait_ring(1, "cam1")
        yield made
        # Whatever was sent here: the camera lost nothing, and the next clip is whole.
        made.trigger(event_id="in-the-end", cameras=["cam1"])
        drawn(shown(made, "in-the-end"))
        assert set(made.cameras()["cam1"]["losses"].values()) == {0}


@pytest.fixture
def recorded(system: System) -> Iterator[None]:
    """A clip of cam1 is recorded during the test, and is whole."""
    event_id = f"during-{time.monotonic_ns()}"
    system.trigger(event_id=event_id, cameras=["cam1"], post_s=50)
    yield
    answer = system.http.patch(f"/events/{event_id}", json={"post_s": 0})
    assert answer.status_code == 200, answer.text
    clip = shown(system, event_id)
    assert clip.clip["complete"], clip.clip
    drawn(clip)


def figures(system: System) -> Json:
    answer = system.http.get("/status")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def header(camera_id: str, seq: int) -> wire.FrameHeader:
    now_ns = time.monotonic_ns()
    boot_id = read_boot_id()
    return wire.FrameHeader(
        camera_id,
        boot_id,
        "run-of-the-test",
        seq,
        0,
        now_ns,
        time.time_ns(),
        "jpeg",
        keyframe=True,
        width=320,
        height=180,
    )


class Sender:
    """Sends whatever it is told to the frames' socket, once the recorder has subscribed."""

    def __init__(self, context: Context, system: System) -> None:
        self._socket = context.socket(zmq.XPUB)
        self._socket.linger = 0
        self._socket.sndhwm = 0
        self._socket.ipv6 = True
        self._socket.connect(system.frames_address)
        assert self._socket.poll(10_000), "the recorder does not subscribe"

    def close(self) -> None:
        self._socket.close()

    def send(self, *parts: bytes) -> None:
        self._socket.send_multipart(parts)

    def frame(self, head: wire.FrameHeader, payload: bytes) -> None:
        self.send(wire.topic_of(head.camera_id), wire.encode_header(head), payload)


@pytest.fixture
def sender(system: System, context: Context) -> Iterator[Sender]:
    made = Sender(context, system)
    yield made
    made.close()


def test_pictures_that_are_none_are_counted_and_the_clip_plays(system: System, sender: Sender) -> None:
    pace = threading.Event()
    rubbish = {0: b"", 1: b"rubbish", 2: b"\xff", 3: jpeg(0)[1:]}
    broken: dict[int, Callable[[bytes], bytes]] = {
        4: lambda data: data[: len(data) // 2],
        5: lambda _: b"\xff\xd8",
        6: lambda data: data[:2] + os.urandom(500),
    }
    sent: dict[int, bytes] = {}
    for seq in range(120):
        kind = seq // 4 % 11 if seq % 4 == 3 else 99
        data = jpeg(seq)
        payload = rubbish[kind] if kind in rubbish else broken[kind](data) if kind in broken else data
        sent[seq] = payload
        sender.frame(header("liar", seq), payload)
        pace.wait(1 / 60)
        if seq == 60:
            system.trigger(event_id="lies", cameras=["liar"], pre_s=0.8, post_s=0.5)
    clip = shown(system, "lies", "liar")
    is_rejected = {seq for seq, payload in sent.items() if not payload.startswith(b"\xff\xd8")}
    numbers = range(clip.numbers[0], clip.numbers[-1] + 1)
    assert clip.numbers == [seq for seq in numbers if seq not in is_rejected]
    assert clip.causes() == {"rejected_by_recorder"}
    losses = system.cameras()["liar"]["losses"]
    assert {name: count for name, count in losses.items() if count} == {"rejected_by_recorder": len(is_rejected)}
    encoder = clip.sidecar["encoder"]
    with av.open(str(clip.file)) as container:
        pictures = sum(1 for _ in container.decode(container.streams.video[0]))
    assert pictures == encoder["frames"]
    assert pictures + encoder["undecodable"] == len(clip.numbers)
    assert pictures >= sum(sent[seq] == jpeg(seq) for seq in clip.numbers)


@pytest.mark.parametrize("kind", ["frames", "control", "query", "bus"])
@pytest.mark.usefixtures("recorded")
def test_a_message_of_64_mib_costs_its_sender_the_connection_and_nobody_else(
    system: System, context: Context, kind: str
) -> None:
    address, socket_type = {
        "frames": (system.frames_address, zmq.XPUB),
        "control": (system.control_address, zmq.REQ),
        "query": (system.query_address, zmq.REQ),
        "bus": (system.bus_address, zmq.PUSH),
    }[kind]
    before = figures(system)["recorder"]["memory_bytes"]
    with context.socket(socket_type) as socket:
        socket.linger = 0
        socket.ipv6 = True
        monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        socket.connect(address)
        large = bytes(TOO_LARGE)
        if kind == "frames":
            assert socket.poll(10_000), "the recorder does not subscribe"
            socket.send_multipart([wire.topic_of("cam1"), wire.encode_header(header("cam1", 0)), large])
        else:
            socket.send(large)
        assert monitor.poll(20_000), "the connection stays"
        assert recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED
        socket.disable_monitor()
        monitor.close()
    assert figures(system)["recorder"]["memory_bytes"] < before + 60_000_000


@pytest.mark.usefixtures("recorded")
def test_malformed_multiparts_on_the_frames_socket_are_counted(system: System, sender: Sender) -> None:
    before = figures(system)["recorder"]["malformed_messages"]
    good = header("cam1", 0)
    head, topic = wire.encode_header(good), wire.topic_of("stranger")
    stranger = wire.encode_header(msgspec.structs.replace(good, camera_id="stranger"))
    packed: Callable[[Any], bytes] = msgpack.packb
    fields = msgpack.unpackb(stranger)
    messages: list[tuple[bytes, ...]] = [
        (b"frame/",),
        (topic,),
        (topic, stranger),
        (topic, stranger, jpeg(0), b"more"),
        (topic, *[b"part"] * 5_000),
        (b"frame/", b"", b""),
        (topic, b"", jpeg(0)),
        (topic, b"\xc1", jpeg(0)),
        (topic, b"\x81" * 4_000, jpeg(0)),
        (topic, bytes(1_000_000), jpeg(0)),
        (b"frame/" + b"x" * 1_000_000, stranger, jpeg(0)),
        (topic, head, jpeg(0)),  # under another camera's topic
        (b"frame/\xff\xfe/", stranger, jpeg(0)),
        *(
            (topic, packed({**fields, name: value}), jpeg(0))
            for name, value in [
                ("v", 2),
                ("camera_id", "../../etc"),
                ("camera_id", "Stranger"),
                ("seq", -1),
                ("seq", 2**64 - 1),
                ("seq", 1.5),
                ("rejected", None),
                ("monotonic_ns", "now"),
                ("width", 70_000),
                ("codec", "h265"),
                ("keyframe", 1),
                ("boot_id", ""),
                ("run_id", "r" * 5_000),
            ]
        ),
    ]
    for message in messages:
        sender.send(*message)
    wait_until(
        lambda: figures(system)["recorder"]["malformed_messages"] >= before + len(messages),
        10,
        f"{len(messages)} malformed messages are counted",
    )
    assert figures(system)["recorder"]["malformed_messages"] == before + len(messages)
    assert "stranger" not in system.cameras()


@pytest.mark.usefixtures("recorded")
def test_frames_from_impossible_times_are_counted_and_do_not_stop_the_camera(system: System, sender: Sender) -> None:
    now_ns = time.monotonic_ns()
    first = header("oracle", 0)
    sender.frame(first, jpeg(0))
    times = [now_ns + 3_600 * 10**9, wire.INT63_MAX, 0, 1, first.monotonic_ns, first.monotonic_ns - 1]
    for seq, t_ns in enumerate(times, start=1):
        sender.frame(msgspec.structs.replace(header("oracle", seq), monotonic_ns=t_ns), jpeg(seq))
    sender.frame(header("oracle", len(times) + 1), jpeg(0))
    wait_until(lambda: system.cameras().get("oracle", {}).get("frames") == 2, 10, "the first and the last are taken")
    losses = system.cameras()["oracle"]["losses"]
    assert {name: count for name, count in losses.items() if count} == {"out_of_order": len(times)}


@pytest.mark.usefixtures("recorded")
def test_bytes_that_are_no_zeromq_change_nothing(system: System) -> None:
    addresses = (system.frames_address, system.control_address, system.query_address, system.bus_address)
    for address in addresses:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 100_000, os.urandom(10_000)):
            with sockets_of_python.create_connection((host, int(port)), timeout=5) as connection:
                try:
                    connection.sendall(data)
                except OSError:
                    continue  # it has hung up already
    for name, service in system.services.items():
        assert service.is_running, name
    assert figures(system)["recorder"] is not None


class Line:
    """Requests of any bytes to a REP socket; each must get an answer."""

    def __init__(self, context: Context, address: str) -> None:
        self._socket = sockets.requester(context)
        self._socket.connect(address)

    def ask(self, *parts: bytes) -> wire.Reply:
        self._socket.send_multipart(parts)
        assert sockets.poll(self._socket, 10), f"no answer to {parts!r:.200}"
        reply = wire.decode_reply(self._socket.recv())
        assert not (isinstance(reply, wire.Refused) and reply.code == "internal"), (parts, reply)
        return reply


@pytest.fixture(scope="module")
def lines(system: System) -> Iterator[dict[str, Line]]:
    made: Context = zmq.Context()
    yield {"control": Line(made, system.control_address), "query": Line(made, system.query_address)}
    made.destroy(linger=0)


INSTANT = {"boot_id": "another", "monotonic_ns": 1, "unix_ns": 1_700_000_000_000_000_000}
COMMANDS: list[dict[str, Any]] = [
    {"type": "start_event", "event_id": "fuzz", "fingerprint": "f", "received": INSTANT, "age_ns": 0, "offset_ns": 0,
     "cameras": ["cam1"], "pre_s": 0.1, "post_s": 0.1, "labels": {"a": "b"}, "overlap": None, "at_frame": None},
    {"type": "amend_event", "event_id": "fuzz", "post_s": 1.0},
    {"type": "delete_event", "event_id": "fuzz"},
    {"type": "protect_event", "event_id": "fuzz", "is_protected": False},
    {"type": "forget_camera", "camera_id": "nobody"},
]  # fmt: skip
QUERIES: list[dict[str, Any]] = [
    {"type": "list_events", "limit": 5, "cursor": None, "camera_id": None, "label": None, "since_unix_ns": 0},
    {"type": "get_event", "event_id": "fuzz"},
    {"type": "list_cameras"},
    {"type": "get_frame", "camera_id": "cam1", "at": INSTANT, "age_ns": 0, "offset_ns": 0, "ref": None, "steps": 0},
    {"type": "get_health"},
]
BUS: list[dict[str, Any]] = [
    {"type": "log", "service": "capture", "instance": "i", "sender_id": "s", "number": 0, "unix_ns": 1, "level": "INFO",
     "logger": "l", "message": "m", "fields": {"a": 1}},
    {"type": "event_deleted", "service": "recorder", "instance": "i", "sender_id": "s", "number": 1, "unix_ns": 1,
     "event_id": "e", "reason": "asked"},
    {"type": "capture_status", "service": "capture", "instance": "i", "sender_id": "s", "number": 2, "unix_ns": 1,
     "camera_id": "c", "run_id": "r", "source": "s", "is_open": True, "fps": 1.0, "frames": 1, "rejected": 0,
     "reopened": 0},
]  # fmt: skip

EXTREMES = st.sampled_from(
    [0, -1, 1, 2**63 - 1, -(2**63) + 1, 2**64 - 1, 86_400, 0.0, -0.0, 1e308, float("nan"), "", ()]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=70)
    | st.binary(max_size=70),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=15,
)


@st.composite
def hostile(draw: st.DrawFn, valid: list[dict[str, Any]]) -> bytes:
    """Bytes of any kind; most are a valid message of which something was changed."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=300))
    if kind == 1:
        return bytes(msgpack.packb(draw(VALUES)))
    message: dict[str, Any] = {"v": 1, **draw(st.sampled_from(valid))}
    for name in draw(st.lists(st.sampled_from(sorted(message)), max_size=3, unique=True)):
        inner = message[name]
        value = draw(EXTREMES | VALUES)
        if isinstance(inner, dict) and inner and draw(st.booleans()):
            message[name] = {**inner, draw(st.sampled_from(sorted(inner))): value}
        elif name != "type" or draw(st.booleans()):
            message[name] = value
    data = bytearray(msgpack.packb(message))
    if kind == 2:
        data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if kind == 3 else bytes(data)


fuzzed = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@fuzzed
@given(hostile(COMMANDS))
def test_every_command_gets_an_answer(lines: dict[str, Line], data: bytes) -> None:
    lines["control"].ask(data)


@fuzzed
@given(hostile(QUERIES))
def test_every_query_gets_an_answer(lines: dict[str, Line], data: bytes) -> None:
    lines["query"].ask(data)


def test_extreme_numbers_in_commands_are_refused_and_poison_nothing(system: System, lines: dict[str, Line]) -> None:
    edges = [0, 1, -1, wire.INT63_MAX, -wire.INT63_MAX]
    for number, value in enumerate(edges):
        changes: dict[str, dict[str, Any]] = {
            "offset": {"offset_ns": value},
            "age": {"age_ns": max(0, value)},
            "unix": {"received": {**INSTANT, "unix_ns": value}},
            "monotonic": {"received": {**INSTANT, "monotonic_ns": value}},
        }
        for name, change in changes.items():
            lines["control"].ask(msgpack.packb({"v": 1, **COMMANDS[0], "event_id": f"edge-{name}-{number}", **change}))
        for at in ({**INSTANT, "unix_ns": value}, {**INSTANT, "monotonic_ns": value, "boot_id": read_boot_id()}):
            for offset_ns in edges:
                query = {"v": 1, **QUERIES[3], "at": at, "offset_ns": offset_ns, "age_ns": max(0, value)}
                lines["query"].ask(msgpack.packb(query))
    listed = system.http.get("/events", params={"limit": 1000})
    assert listed.status_code == 200, listed.text
    for event in listed.json()["events"]:
        assert system.http.get(f"/events/{event['event_id']}").status_code == 200


def test_requests_of_many_parts_are_refused_and_counted(system: System, lines: dict[str, Line]) -> None:
    before = figures(system)["recorder"]["commands_refused"]
    for line in lines.values():
        for parts in ([b"", b""], [msgpack.packb({"v": 1, **QUERIES[2]})] * 2, [b"x"] * 1_000):
            reply = line.ask(*parts)
            assert isinstance(reply, wire.Refused)
            assert reply.code == "malformed"
            assert str(len(parts)) in reply.message
    assert figures(system)["recorder"]["commands_refused"] == before + 3


def test_hostile_messages_on_the_bus_are_counted_and_others_are_heard(system: System, context: Context) -> None:
    before = figures(system)["bus_malformed"]
    with context.socket(zmq.PUSH) as socket:
        socket.linger = 5_000
        socket.ipv6 = True
        socket.connect(system.bus_address)
        malformed = 0

        @fuzzed
        @given(hostile(BUS))
        def flood(data: bytes) -> None:
            nonlocal malformed
            try:
                wire.decode_bus(data)
            except wire.WireError:
                malformed += 1
            socket.send(data)

        flood()
        assert malformed > 50
        socket.send_multipart([b"two", b"parts"])
        wait_until(lambda: figures(system)["bus_malformed"] >= before + malformed + 2, 10, "all are counted")
    heard = figures(system)["bus_received"]
    wait_until(lambda: figures(system)["bus_received"] > heard, 10, "the others are heard still")
    assert system.services["api"].is_running
