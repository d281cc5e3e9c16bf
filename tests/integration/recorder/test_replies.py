"""The answering end: whatever a peer sends, and whatever fails behind it, the next request is answered."""

from collections.abc import Callable, Iterator

import pytest
import zmq

from preroll import sockets, wire
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.answers.replies import PARTS_MAX, ReplyLoop
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


class Answering:
    """A reply loop on a thread of its own; `answer` and `after` may be changed."""

    def __init__(self, context: Context) -> None:
        self.answer: Callable[[bytes], wire.Reply] = lambda _: wire.Done()
        self.after: Callable[[], None] = lambda: None
        self.shutdown = Shutdown()
        self.threads = Threads(self.shutdown)
        self.loop = ReplyLoop(
            context,
            "tcp://127.0.0.1:*",
            lambda data: self.answer(data),  # noqa: PLW0108 - whichever it is by then
            after_answers=lambda: self.after(),  # noqa: PLW0108
        )
        self.thread = self.threads.start_watched("control", lambda beat: self.loop.run(self.shutdown, beat), 30)
        self.address = f"tcp://127.0.0.1:{self.loop.port}"

    def close(self) -> None:
        self.shutdown.request("the test is over")
        self.thread.join(5)
        assert not self.thread.is_alive()
        self.threads.close()


@pytest.fixture
def answering(context: Context) -> Iterator[Answering]:
    made = Answering(context)
    yield made
    made.close()
    assert made.shutdown.exit_code == 0, made.shutdown.reason


@pytest.fixture
def dealer(context: Context, answering: Answering) -> Iterator[Socket]:
    with context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(answering.address)
        yield socket


def reply_of(socket: Socket) -> wire.Reply:
    assert sockets.poll(socket, 5)
    return wire.decode_reply(socket.recv_multipart()[-1])


@pytest.mark.parametrize("count", [0, 2, PARTS_MAX, 100_000])
def test_a_request_of_other_than_one_part_is_refused_with_their_number(dealer: Socket, count: int) -> None:
    dealer.send_multipart([b"", *[b"x"] * count] if count else [b""])
    reply = reply_of(dealer)
    assert isinstance(reply, wire.Refused)
    assert reply.message == f"a request of {count} parts instead of 1"


def test_a_long_envelope_is_no_request_and_the_next_one_is_answered(dealer: Socket, answering: Answering) -> None:
    dealer.send_multipart([*[b"hop"] * 10_000, b"", b"x"])
    dealer.send_multipart([b"", b"x"])
    assert isinstance(reply_of(dealer), wire.Done)
    assert answering.loop.refused == 1


def test_an_error_of_what_follows_an_answer_ends_nothing(dealer: Socket, answering: Answering) -> None:
    failures: list[int] = []

    def fail() -> None:
        failures.append(1)
        raise OSError("no thread")

    answering.after = fail
    for number in range(3):
        dealer.send_multipart([b"", b"x"])
        assert isinstance(reply_of(dealer), wire.Done)
        wait_until(lambda number=number: len(failures) > number, 5, "it has failed")  # type: ignore[misc]


def test_a_reply_that_cannot_be_encoded_is_an_internal_error(dealer: Socket, answering: Answering) -> None:
    answering.answer = lambda _: wire.Refused.model_construct(code="internal", message="\udcff")
    dealer.send_multipart([b"", b"x"])
    reply = reply_of(dealer)
    assert isinstance(reply, wire.Refused)
    assert (reply.code, "UnicodeEncodeError" in reply.message) == ("internal", True)


def test_a_peer_that_goes_before_its_answer_costs_nothing(
    context: Context, dealer: Socket, answering: Answering
) -> None:
    for _ in range(50):
        with context.socket(zmq.DEALER) as other:
            other.linger = 100
            other.connect(answering.address)
            other.send_multipart([b"", b"x"])
    dealer.send_multipart([b"", b"x"])
    assert isinstance(reply_of(dealer), wire.Done)
