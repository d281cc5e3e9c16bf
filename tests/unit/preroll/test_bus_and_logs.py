import io
import json
import logging
import threading
import time
from collections.abc import Iterator

import pytest
import zmq

from preroll import logs as logs_module
from preroll import sockets, wire
from preroll.bus import QUEUED_MAX, BusSender
from preroll.logs import Logs, fields
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from tests.support.clocks import HandClock
from tests.support.processes import free_ports
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def address_of(socket: zmq.Socket[bytes]) -> str:
    return f"tcp://127.0.0.1:{sockets.bound_port(socket)}"


def receive(receiver: zmq.Socket[bytes]) -> wire.BusMessage:
    assert sockets.poll(receiver, 5)
    return wire.decode_bus(receiver.recv())


def deleted(event_id: str, bus: BusSender) -> None:
    bus.send(lambda stamp: wire.EventDeleted.model_validate({**stamp, "event_id": event_id, "reason": "asked"}))


def test_messages_are_numbered_in_order_and_stamped(context: Context) -> None:
    with sockets.bus_receiver(context) as receiver:
        receiver.bind("tcp://127.0.0.1:0")
        bus = BusSender(context, address_of(receiver), "recorder", "host", HandClock(unix_ns=9))
        bus.start(Threads(Shutdown()))
        for event_id in ("a", "b", "c"):
            deleted(event_id, bus)
        messages = [receive(receiver) for _ in range(3)]
        bus.close()
    assert [message.number for message in messages] == [0, 1, 2]
    assert {(m.service, m.instance, m.unix_ns) for m in messages} == {("recorder", "host", 9)}
    assert len({message.sender_id for message in messages}) == 1


def test_what_is_sent_before_the_receiver_is_up_arrives(context: Context) -> None:
    address = (
        f"tcp://127.0.0.1:{free_ports(1)[0]}"  # not a ZeroMQ socket's: one that is closed still listens for a moment
    )
    bus = BusSender(context, address, "api", "host", HandClock())
    bus.start(Threads(Shutdown()))
    for number in range(50):
        deleted(f"e{number}", bus)
    with sockets.bus_receiver(context) as receiver:
        wait_until(lambda: _try_bind(receiver, address), 5)
        assert [receive(receiver).number for _ in range(50)] == list(range(50))
    bus.close()


def _try_bind(socket: zmq.Socket[bytes], address: str) -> bool:
    try:
        socket.bind(address)
    except zmq.ZMQError:
        return False
    return True


def test_a_full_queue_drops_and_counts_and_never_blocks(context: Context) -> None:
    bus = BusSender(context, "tcp://127.0.0.1:1", "api", "host", HandClock())  # never started: nothing leaves
    for _ in range(QUEUED_MAX + 3):
        deleted("e", bus)
    assert bus.dropped == 3


def test_threads_share_one_numbering(context: Context) -> None:
    with sockets.bus_receiver(context) as receiver:
        receiver.bind("tcp://127.0.0.1:0")
        bus = BusSender(context, address_of(receiver), "api", "host", HandClock())
        bus.start(Threads(Shutdown()))

        def send_hundred() -> None:
            for _ in range(100):
                deleted("e", bus)

        threads = [threading.Thread(target=send_hundred) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(receive(receiver).number for _ in range(400)) == list(range(400))
        bus.close()


def test_a_record_is_one_json_line(logging_restored: None) -> None:
    out = io.StringIO()
    logs = Logs("capture", "cam1", "INFO", out)
    logs.start()
    logging.getLogger("x").info("camera %s opened", "cam1", extra=fields(camera_id="cam1", fps=30))
    logging.getLogger("x").debug("not shown")
    logs.close()
    (line,) = out.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "service": "capture",
        "instance": "cam1",
        "level": "INFO",
        "message": "camera cam1 opened",
        "fields": {"camera_id": "cam1", "fps": 30},
    }


def test_a_traceback_stays_within_its_line(logging_restored: None) -> None:
    out = io.StringIO()
    logs = Logs("capture", "cam1", "INFO", out)
    logs.start()
    try:
        raise OSError("gone")
    except OSError:
        logging.getLogger("x").exception("camera lost")
    logs.close()
    (line,) = out.getvalue().splitlines()
    message = json.loads(line)["message"]
    assert message.startswith("camera lost\n")
    assert message.endswith("OSError: gone")


def test_a_record_also_goes_to_the_bus(context: Context, logging_restored: None) -> None:
    with sockets.bus_receiver(context) as receiver:
        receiver.bind("tcp://127.0.0.1:0")
        bus = BusSender(context, address_of(receiver), "capture", "cam1", HandClock())
        bus.start(Threads(Shutdown()))
        logs = Logs("capture", "cam1", "INFO", io.StringIO())
        logs.start(bus)
        logging.getLogger("services.capture").warning("stalled", extra={"fields": {"camera_id": "cam1", "odd": ["a"]}})
        message = receive(receiver)
        logs.close()
        bus.close()
    assert isinstance(message, wire.LogMessage)
    assert (message.level, message.logger, message.message) == ("WARNING", "services.capture", "stalled")
    assert message.fields == {"camera_id": "cam1", "odd": "['a']"}


def test_a_stdout_that_is_gone_does_not_stop_the_service(logging_restored: None) -> None:
    out = io.StringIO()
    out.close()
    logs = Logs("capture", "cam1", "INFO", out)
    logs.start()
    logging.getLogger("x").info("nobody reads this")
    logs.close()


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize("odd", [{1: "a name that is none"}, {"value": Unprintable()}], ids=["name", "value"])
def test_a_record_that_cannot_be_written_costs_itself_alone(
    context: Context, logging_restored: None, odd: dict[object, object]
) -> None:
    out = io.StringIO()
    bus = BusSender(context, "tcp://127.0.0.1:1", "capture", "cam1", HandClock())
    logs = Logs("capture", "cam1", "INFO", out)
    logs.start(bus)
    logging.getLogger("x").info("odd", extra={"fields": odd})
    logging.getLogger("x").info("the next one")
    logs.close()
    assert "the next one" in out.getvalue()
    assert bus.dropped == 1


class Blocked(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self, released: threading.Event) -> None:
        super().__init__()
        self._released = released

    def write(self, text: str) -> int:
        self._released.wait()
        return super().write(text)


def test_a_stdout_that_nobody_reads_keeps_no_service_from_its_end(logging_restored: None) -> None:
    released = threading.Event()
    logs = Logs("capture", "cam1", "INFO", Blocked(released))
    logs.start()
    for number in range(logs_module.QUEUED_MAX + 10):
        logging.getLogger("x").info("line %d", number)
    began_s = time.monotonic()
    logs.close(0.1)
    assert time.monotonic() - began_s < 2
    assert logs.dropped > 0
    released.set()
    logs._queue.put(None)  # there was no room for the end


def test_a_message_that_cannot_be_built_raises_nothing_and_is_counted(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    bus = BusSender(context, "tcp://127.0.0.1:1", "api", "host", HandClock())

    def fail(_: object) -> wire.BusMessage:
        raise OverflowError("odd figure")

    for _ in range(3):
        bus.send(fail)
    assert bus.dropped == 3
    assert len(caplog.records) == 1
