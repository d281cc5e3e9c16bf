"""Fault 13: a thousand triggers a second."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from preroll import wire
from preroll.clock import read_boot_id
from tests.support.explaining import shown
from tests.support.processes import System

pytestmark = pytest.mark.timeout(150)

RATE = 1_000
SECONDS = 3
ACTIVE_MAX = 20


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("flood")) as made:
        made.start_all(
            "cam1", ring_s=60, pre_s=0.3, post_s=0.3, format="mjpeg", max_active_events=ACTIVE_MAX, **request.param
        )
        made.wait_ring(1, "cam1")
        yield made


def start_event(number: int) -> bytes:
    now = wire.InstantRecord(boot_id=read_boot_id(), monotonic_ns=time.monotonic_ns(), unix_ns=time.time_ns())
    return wire.encode(wire.StartEvent(event_id=f"flood-{number}", fingerprint="same", received=now, age_ns=0))


@pytest.mark.parametrize("system", [{}], indirect=True)
def test_of_a_thousand_triggers_a_second_each_is_kept_or_refused_with_a_word(
    system: System, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    total = RATE * SECONDS
    replies: list[wire.Reply] = []
    with context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.ipv6 = True
        socket.sndhwm = socket.rcvhwm = 0
        socket.connect(system.control_address)
        began = time.monotonic()
        sent = 0
        while sent < total:
            due = min(total, int((time.monotonic() - began) * RATE) + 1)
            for number in range(sent, due):
                socket.send_multipart([b"", start_event(number)])
            sent = due
            while socket.poll(5):
                replies.append(wire.decode_reply(socket.recv_multipart()[1]))
        while len(replies) < total:
            assert socket.poll(20_000), f"{total - len(replies)} triggers got no answer"
            replies.append(wire.decode_reply(socket.recv_multipart()[1]))
    accepted = [reply.event.event_id for reply in replies if isinstance(reply, wire.EventReply)]
    refused = [reply for reply in replies if isinstance(reply, wire.Refused)]
    assert len(accepted) + len(refused) == total
    assert len(accepted) >= ACTIVE_MAX
    assert {reply.code for reply in refused} <= {"too_many_events", "too_many_commands"}
    assert all("max_active_events=20" in reply.message for reply in refused if reply.code == "too_many_events")
    listed = {event["event_id"] for event in system.http.get("/events", params={"limit": 1000}).json()["events"]}
    assert listed == set(accepted)
    for event_id in accepted:
        clip = shown(system, event_id)
        assert clip.clip["complete"], clip.clip
    assert set(system.cameras()["cam1"]["losses"].values()) == {0}


@pytest.mark.parametrize("system", [{"max_commands_per_s": 15}], indirect=True)
def test_over_http_a_flood_gets_429_with_the_limit_and_when_to_try_again(system: System) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: system.http.post("/trigger"), range(60)))
    codes = {answer.status_code for answer in answers}
    assert codes == {202, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["code"] in ("too_many_commands", "too_many_events")
            assert "max_commands_per_s=15" in answer.json()["detail"] or "max_active" in answer.json()["detail"]
    for answer in answers:
        if answer.status_code == 202:
            assert shown(system, answer.json()["event_id"]).clip["complete"]
