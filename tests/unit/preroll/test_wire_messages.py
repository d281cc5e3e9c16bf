from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll import wire

INSTANT = wire.InstantRecord(boot_id="boot", monotonic_ns=5, unix_ns=6)
SPAN = wire.Span(from_unix_ns=1, to_unix_ns=2)
CLIP = wire.Clip(
    camera_id="cam1",
    state="saved",
    coverage="partial",
    missing_s=0.5,
    complete=False,
    shortfall=("the ring reaches back 4.5 s of 5 s",),
    requested=SPAN,
    delivered=wire.Delivered(from_unix_ns=1, to_unix_ns=2, frames=3, lost=0),
    files={"original": wire.FileFact(path="2026-01-01/e/cam1.original.mp4", size_bytes=9)},
)
EVENT = wire.Event(
    event_id="e1",
    state="saved",
    triggered_unix_ns=5,
    received_unix_ns=5,
    pre_s=5.0,
    post_s=10.0,
    labels={"line": "3"},
    is_protected=False,
    fingerprint="f",
    accepted_after_s=0.002,
    clips=(CLIP,),
)
CAMERA = wire.Camera(
    camera_id="cam1",
    state="live",
    run_id="r",
    width=640,
    height=360,
    fps=29.97,
    frames=10,
    ring_s=1.0,
    ring_frames=10,
    ring_bytes=1000,
    wanted_s=5.0,
    age_s=None,
    losses=wire.Losses(lost_on_wire=1),
)
HEALTH = wire.RecorderHealth(
    run_id="r",
    uptime_s=1.5,
    memory_bytes=1,
    ring_bytes=1,
    ring_max_bytes=2,
    ring_window_s=30.0,
    events_active=0,
    events_total=1,
    clips_recording=0,
    encodes_waiting=0,
    encodes_running=0,
    encoder="libx264",
    disk=wire.Disk(total_bytes=2, free_bytes=1, clips_bytes=1, is_full=False),
    malformed_messages=0,
    commands=1,
    commands_refused=0,
    bus_dropped=0,
)
REF = wire.FrameRef(camera_id="cam1", run_id="r", seq=4)
STAMP: dict[str, Any] = {"service": "recorder", "instance": "host", "sender_id": "s", "number": 0, "unix_ns": 1}

COMMANDS = [
    wire.StartEvent(event_id="e1", fingerprint="f", received=INSTANT, age_ns=0),
    wire.StartEvent(
        event_id="e1",
        fingerprint="f",
        received=INSTANT,
        age_ns=9,
        offset_ns=-5,
        at_frame=REF,
        cameras=("cam1", "cam2"),
        pre_s=0.0,
        post_s=86_400.0,
        labels={"a": "ü"},
        overlap="reject",
    ),
    wire.CheckTrigger(received=INSTANT, age_ns=9),
    wire.AmendEvent(event_id="e1", post_s=0.0),
    wire.DeleteEvent(event_id="e1"),
    wire.ProtectEvent(event_id="e1", is_protected=True),
    wire.ForgetCamera(camera_id="cam1"),
]
QUERIES = [
    wire.ListEvents(),
    wire.ListEvents(limit=1, cursor="c", camera_id="cam1", label="a=b", since_unix_ns=1, until_unix_ns=2),
    wire.GetEvent(event_id="e1"),
    wire.ListCameras(),
    wire.GetFrame(camera_id="cam1"),
    wire.GetFrame(camera_id="cam1", ref=REF, steps=-1),
    wire.GetFrame(camera_id="cam1", at=INSTANT, offset_ns=-1),
    wire.GetHealth(),
]
REPLIES = [
    wire.EventReply(event=EVENT, is_new=True),
    wire.EventsReply(events=(EVENT, EVENT), next_cursor="c"),
    wire.CamerasReply(cameras=(CAMERA,)),
    wire.FrameReply(
        ref=REF, unix_ns=1, width=2, height=3, oldest_unix_ns=0, newest_unix_ns=1, jpeg=b"\xff\xd8\xff\xd9"
    ),
    wire.HealthReply(health=HEALTH),
    wire.TriggerChecked(cameras_live=2),
    wire.Done(),
    wire.Refused(code="conflict", message="another body", state="recording"),
]
BUS = [
    wire.LogMessage(**STAMP, level="INFO", logger="x", message="m", fields={"a": 1, "b": None, "c": 1.5, "d": True}),
    wire.CaptureStatus(
        **STAMP,
        camera_id="cam1",
        run_id="r",
        source="synthetic:",
        is_open=True,
        fps=30.0,
        frames=1,
        rejected=0,
        reopened=0,
    ),
    wire.RecorderStatus(**STAMP, cameras=(CAMERA,), health=HEALTH),
    wire.EventChanged(**STAMP, event=EVENT),
    wire.EventDeleted(**STAMP, event_id="e1", reason="asked"),
    wire.CameraChanged(**STAMP, camera=CAMERA),
]


def kind(message: Any) -> str:
    return str(message.type)


@pytest.mark.parametrize("message", COMMANDS, ids=[f"{kind(m)}{i}" for i, m in enumerate(COMMANDS)])
def test_a_command_comes_back_as_it_was_sent(message: Any) -> None:
    assert wire.decode_command(wire.encode(message)) == message


@pytest.mark.parametrize("message", QUERIES, ids=[f"{kind(m)}{i}" for i, m in enumerate(QUERIES)])
def test_a_query_comes_back_as_it_was_sent(message: Any) -> None:
    assert wire.decode_query(wire.encode(message)) == message


@pytest.mark.parametrize("message", REPLIES, ids=kind)
def test_a_reply_comes_back_as_it_was_sent(message: Any) -> None:
    assert wire.decode_reply(wire.encode(message)) == message


@pytest.mark.parametrize("message", BUS, ids=kind)
def test_a_bus_message_comes_back_as_it_was_sent(message: Any) -> None:
    assert wire.decode_bus(wire.encode(message)) == message


msgpack_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "decode", [wire.decode_command, wire.decode_query, wire.decode_reply, wire.decode_bus], ids=lambda d: d.__name__
)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_wire_error(decode: Any, data: bytes) -> None:
    try:
        decode(data)
    except wire.WireError:
        pass


@given(
    field=st.sampled_from(sorted(wire.StartEvent.model_fields)),
    value=msgpack_values,
)
def test_a_trigger_with_a_hostile_field_is_a_command_or_a_wire_error(field: str, value: object) -> None:
    fields = {**COMMANDS[1].model_dump(), field: value}
    try:
        command = wire.decode_command(msgpack.packb(fields))
    except wire.WireError:
        return
    assert wire.decode_command(wire.encode(command)) == command


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"v": 2, "type": "delete_event", "event_id": "e"}, "v=2"),
        ({"v": 1, "type": "delete_event", "event_id": "../etc"}, "event_id='../etc'"),
        ({"v": 1, "type": "amend_event", "event_id": "e", "post_s": float("nan")}, "post_s=nan"),
        ({"v": 1, "type": "amend_event", "event_id": "e", "post_s": -1.0}, "post_s=-1.0"),
        ({"v": 1, "type": "protect_event", "event_id": "e", "is_protected": "yes"}, "is_protected='yes'"),
        ({"v": 1, "type": "no_such"}, "no_such"),
        ({"v": 1}, "command"),
    ],
)
def test_a_wrong_field_of_a_command_is_named_with_its_value(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_command(msgpack.packb(fields))
    assert message in str(caught.value)


def test_an_unknown_key_of_a_command_is_ignored() -> None:
    fields = {**COMMANDS[3].model_dump(), "colour": "grey"}
    assert wire.decode_command(msgpack.packb(fields)) == COMMANDS[3]


def test_a_message_that_is_no_map_is_refused() -> None:
    with pytest.raises(wire.WireError, match="a message is a map, not tuple"):
        wire.decode_query(msgpack.packb([1, 2]))


def test_a_message_beyond_the_limit_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(wire.WireError, match="exceeds"):
        wire.decode_bus(b"\xc1" * (wire.MESSAGE_MAX_BYTES + 1))


def test_deep_nesting_is_a_wire_error() -> None:
    with pytest.raises(wire.WireError):
        wire.decode_command(b"\x91" * 100_000)
