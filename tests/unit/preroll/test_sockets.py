import threading

import zmq

from preroll import sockets, wire

Context = zmq.Context[zmq.Socket[bytes]]


def test_every_socket_states_its_limits(context: Context) -> None:
    makers = (
        sockets.publisher,
        sockets.subscriber,
        sockets.router,
        sockets.bus_sender,
        sockets.bus_receiver,
        sockets.requester,
    )
    for make in makers:
        with make(context) as socket:
            assert socket.maxmsgsize in {
                sockets.SUBSCRIPTION_MAX_BYTES,
                wire.MESSAGE_MAX_BYTES,
                wire.FRAME_MAX_BYTES,
                wire.FRAME_MAX_BYTES + wire.MESSAGE_MAX_BYTES,
            }
            assert socket.heartbeat_ivl == sockets.HEARTBEAT_MS
            assert socket.linger in {0, 500}


def test_a_request_is_answered(context: Context) -> None:
    with sockets.router(context) as router:
        router.bind("tcp://127.0.0.1:0")

        def answer() -> None:
            *envelope, asked = router.recv_multipart()
            router.send_multipart([*envelope, asked + b"!"])

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"tcp://127.0.0.1:{sockets.bound_port(router)}"
        assert sockets.request(context, address, b"ask", 5) == b"ask!"
        thread.join()


def test_a_request_that_nobody_answers_ends_at_its_deadline(context: Context) -> None:
    with sockets.router(context) as router:
        router.bind("tcp://127.0.0.1:0")
        address = f"tcp://127.0.0.1:{sockets.bound_port(router)}"
        assert sockets.request(context, address, b"ask", 0.2) is None


def test_a_request_to_nobody_ends_at_its_deadline(context: Context) -> None:
    assert sockets.request(context, "tcp://127.0.0.1:1", b"ask", 0.2) is None


def test_a_message_beyond_the_limit_never_reaches_the_receiver(context: Context) -> None:
    with sockets.bus_receiver(context) as receiver, sockets.bus_sender(context) as sender:
        receiver.bind("tcp://127.0.0.1:0")
        sender.connect(f"tcp://127.0.0.1:{sockets.bound_port(receiver)}")
        sender.send(b"x" * (wire.MESSAGE_MAX_BYTES + 1))
        assert not sockets.poll(receiver, 0.5)
        sender.send(b"small")
        assert sockets.poll(receiver, 5)
        assert receiver.recv() == b"small"
